#include "collector/agent/pace.h"

#include <gtest/gtest.h>

#include <set>

namespace plimsoll::agent {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

TEST(Rate, LetsAMinutesWorthThroughAndThenTheAverage) {
  Rate rate;
  EXPECT_TRUE(rate.Take(kNow));
  rate.Limit(6, kNow);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(rate.Take(kNow)) << i;
  EXPECT_FALSE(rate.Take(kNow));
  EXPECT_EQ(rate.NextTime(kNow), kNow + absl::Seconds(10));
  EXPECT_FALSE(rate.Take(kNow + absl::Seconds(9)));
  EXPECT_TRUE(rate.Take(kNow + absl::Seconds(10) + absl::Microseconds(1)));
  // The same limit again is no new minute, and a clock set back is none either.
  rate.Limit(6, kNow + absl::Seconds(11));
  EXPECT_FALSE(rate.Take(kNow + absl::Seconds(11)));
  EXPECT_FALSE(rate.Take(kNow - absl::Hours(1)));
  rate.Limit(0, kNow);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(rate.Take(kNow));
}

TEST(Backoff, GrowsWithFullJitterBetweenItsBounds) {
  for (int run = 0; run < 50; ++run) {
    Backoff backoff(absl::Seconds(1), absl::Seconds(60));
    absl::Duration window = absl::Seconds(4);
    for (int i = 0; i < 8; ++i) {
      const absl::Duration pause = backoff.Next();
      EXPECT_GE(pause, absl::Seconds(1));
      EXPECT_LE(pause, window);
      window = std::min(window * 2, absl::Seconds(60));
    }
    backoff.Reset();
    EXPECT_LE(backoff.Next(), absl::Seconds(4));
  }
  // A fleet does not come back in step.
  std::set<absl::Duration> pauses;
  for (int i = 0; i < 20; ++i) {
    pauses.insert(Backoff(absl::Seconds(1), absl::Seconds(60)).Next());
  }
  EXPECT_EQ(pauses.size(), 20u);
}

}  // namespace
}  // namespace plimsoll::agent
