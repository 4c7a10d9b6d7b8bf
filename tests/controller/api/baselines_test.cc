#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

class BaselinesTest : public ::testing::Test {
 protected:
  Parts parts_{{ScoredBaseline("one"), ScoredBaseline("two")}};
  const std::vector<v1::Baseline>& all_ = parts_.baselines;
  Baselines& baselines_ = parts_.baseline_api;
};

TEST_F(BaselinesTest, ListsWithoutRules) {
  const auto listed = baselines_.List(Viewer(), {});
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->baselines_size(), 2);
  EXPECT_EQ(listed->baselines(1).id(), "two");
  EXPECT_EQ(listed->baselines(1).digest(), all_[1].digest());
  EXPECT_EQ(listed->baselines(1).rules_size(), 0);
}

TEST_F(BaselinesTest, GetsOneOrNamesThoseThatExist) {
  v1::GetBaselineRequest request;
  request.set_id("two");
  const auto found = baselines_.Get(Viewer(), request);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->SerializeAsString(), all_[1].SerializeAsString());
  request.set_id("three");
  const absl::Status missing = baselines_.Get(Viewer(), request).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_TRUE(absl::StrContains(missing.message(), "one, two")) << missing;
}

TEST_F(BaselinesTest, GetsARuleByIdOrSlug) {
  const struct {
    const char* baseline;
    const char* rule;
    const char* id;
  } cases[] = {
      {"one", "r2", "r2"},  {"one", "slug-of-r2", "r2"}, {"one", "r9", nullptr},
      {"one", "", nullptr}, {"three", "r2", nullptr},
  };
  for (const auto& c : cases) {
    v1::GetRuleRequest request;
    request.set_baseline(c.baseline);
    request.set_rule(c.rule);
    const auto rule = baselines_.GetRule(Viewer(), request);
    if (c.id == nullptr) {
      EXPECT_TRUE(absl::IsNotFound(rule.status())) << c.baseline << " " << c.rule;
    } else {
      ASSERT_TRUE(rule.ok()) << rule.status();
      EXPECT_EQ(rule->id(), c.id);
    }
  }
}

}  // namespace
}  // namespace plimsoll::api
