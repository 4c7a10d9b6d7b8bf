#include "controller/gateway/byte_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Result = ByteBudget::Result;

class ByteBudgetTest : public ::testing::Test {
 protected:
  Result Acquire(const std::string& name, int64_t bytes, int64_t held = 1) {
    return budget_.Acquire(bytes, held, [this, name] { granted_.push_back(name); });
  }
  GatewayStats stats_;
  ByteBudget budget_{100, 10, stats_};
  std::vector<std::string> granted_;
};

TEST_F(ByteBudgetTest, GrantsWhileThereIsRoom) {
  EXPECT_EQ(Acquire("a", 60), Result::kGranted);
  EXPECT_EQ(Acquire("b", 40), Result::kGranted);
  EXPECT_EQ(Acquire("c", 1), Result::kWaiting);
  EXPECT_EQ(stats_.budget_in_use, 100);
  EXPECT_EQ(stats_.budget_waiting, 1);
  EXPECT_THAT(granted_, IsEmpty());
  budget_.Release(40);
  EXPECT_THAT(granted_, ElementsAre("c"));
  EXPECT_EQ(budget_.waiting(), 0u);
  EXPECT_EQ(stats_.budget_in_use, 61);
}

TEST_F(ByteBudgetTest, FirstComeFirstServed) {
  Acquire("a", 60);
  EXPECT_EQ(Acquire("large", 90), Result::kWaiting);
  EXPECT_EQ(Acquire("small", 10), Result::kWaiting) << "there is room, but it is not its turn";
  budget_.Release(60);
  EXPECT_THAT(granted_, ElementsAre("large", "small"));
}

TEST_F(ByteBudgetTest, WhatIsLargerThanAllComesAlone) {
  EXPECT_EQ(Acquire("huge", 500), Result::kGranted);
  EXPECT_EQ(Acquire("a", 1), Result::kWaiting);
  EXPECT_EQ(Acquire("huge too", 500), Result::kWaiting);
  budget_.Release(500);
  EXPECT_THAT(granted_, ElementsAre("a"));
  budget_.Release(1);
  EXPECT_THAT(granted_, ElementsAre("a", "huge too"));
}

TEST_F(ByteBudgetTest, WhatWaitsIsBounded) {
  Acquire("a", 100);
  EXPECT_EQ(Acquire("b", 1, 6), Result::kWaiting);
  EXPECT_EQ(Acquire("c", 1, 6), Result::kRefused);
  EXPECT_EQ(Acquire("d", 1, 4), Result::kWaiting);
  EXPECT_EQ(stats_.budget_refusals, 1);
  budget_.Release(100);
  EXPECT_THAT(granted_, ElementsAre("b", "d"));
}

TEST_F(ByteBudgetTest, OpenLetsEverybodyGo) {
  Acquire("a", 100);
  Acquire("b", 100);
  budget_.Open();
  EXPECT_THAT(granted_, ElementsAre("b"));
  EXPECT_EQ(Acquire("c", 1000), Result::kGranted);
}

}  // namespace
}  // namespace plimsoll::gateway
