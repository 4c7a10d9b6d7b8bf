// A collector without a controller looks at what the shipped baselines name. It may not use the
// controller's code, so its list is held against them here, as text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"

namespace plimsoll::gateway {
namespace {

TEST(OfflinePlanTest, NamesWhatTheShippedBaselinesName) {
  std::ifstream file(PLIMSOLL_SOURCE_DIR "/collector/agent/offline_plan.cc");
  std::stringstream text;
  text << file.rdbuf();
  const std::string source = text.str();
  std::set<std::string> offline;
  const std::regex literal("\"([^\"\n]*)\"[,}]");
  for (auto it = std::sregex_iterator(source.begin(), source.end(), literal);
       it != std::sregex_iterator(); ++it) {
    offline.insert((*it)[1]);
  }
  std::set<std::string> needed;
  for (const std::string& id : evaluate::ShippedBaselineIds()) {
    const auto baseline = evaluate::ShippedBaseline(id);
    ASSERT_TRUE(baseline.ok()) << baseline.status();
    const v1::CollectionPlan plan = evaluate::PlanFor(*baseline);
    needed.insert(plan.paths().begin(), plan.paths().end());
    needed.insert(plan.units().begin(), plan.units().end());
  }
  ASSERT_FALSE(needed.empty());
  EXPECT_THAT(offline, ::testing::IsSupersetOf(needed));
}

}  // namespace
}  // namespace plimsoll::gateway
