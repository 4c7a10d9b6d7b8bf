#include "tests/controller/evaluate/peer_defects.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace plimsoll::evaluate {
namespace {

std::vector<Defect> AllDefects() {
  std::vector<Defect> all = HostDefects();
  for (Defect defect : ContainerDefects()) all.push_back(std::move(defect));
  return all;
}

TEST(PeerDefects, AreNotOurs) {
  for (const Defect& defect : AllDefects()) {
    SCOPED_TRACE(absl::StrCat("defect ", defect.number));
    const std::pair<std::string, std::string> rule =
        absl::StartsWith(defect.rule, "edge-docker/")
            ? std::pair<std::string, std::string>(absl::StrSplit(defect.rule, '/'))
            : std::pair<std::string, std::string>("azure-docker", defect.rule);
    RunCases(rule.first, rule.second, {defect.c});
  }
}

TEST(PeerDefects, AllFiftyTwoAreHere) {
  std::set<int> numbers;
  for (const Defect& defect : AllDefects()) numbers.insert(defect.number);
  for (int i = 1; i <= 52; ++i) EXPECT_TRUE(numbers.contains(i)) << i;
}

}  // namespace
}  // namespace plimsoll::evaluate
