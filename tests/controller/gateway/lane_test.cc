#include "controller/gateway/lane.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "controller/gateway/rate_limit.h"

namespace plimsoll::gateway {
namespace {

TEST(LaneTest, LeavesThreadsToOthers) {
  auto workers = std::make_unique<support::WorkerPool>(3);
  Lane lane(*workers, 2);
  absl::Notification gate;
  std::atomic<int> done{0};
  absl::BlockingCounter both(2);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(lane.Add([&, i] {
      if (i < 2) both.DecrementCount();
      gate.WaitForNotification();
      ++done;
    }));
  }
  both.Wait();
  absl::Notification other;
  workers->Add([&] { other.Notify(); });
  EXPECT_TRUE(other.WaitForNotificationWithTimeout(absl::Seconds(30))) << "the third thread";
  gate.Notify();
  workers.reset();
  EXPECT_EQ(done, 10) << "all that was added is done before the workers are gone";
}

TEST(LaneTest, RefusesWhatIsTooMuch) {
  auto workers = std::make_unique<support::WorkerPool>(1);
  Lane lane(*workers, 1, 2);
  absl::Notification gate;
  absl::Notification entered;
  EXPECT_TRUE(lane.Add([&] {
    entered.Notify();
    gate.WaitForNotification();
  }));
  entered.WaitForNotification();
  EXPECT_TRUE(lane.Add([] {}));
  EXPECT_TRUE(lane.Add([] {}));
  EXPECT_FALSE(lane.Add([] {}));
  gate.Notify();
  workers.reset();
}

TEST(TokenBucketTest, AveragesOverAMinute) {
  absl::Time now = absl::FromUnixSeconds(1'000'000);
  TokenBucket bucket(60);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(bucket.Take(now), absl::ZeroDuration()) << i;
  EXPECT_EQ(bucket.Take(now), absl::Seconds(1));
  EXPECT_EQ(bucket.Take(now), absl::Seconds(2));
  now += absl::Seconds(12);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bucket.Take(now), absl::ZeroDuration()) << i;
  EXPECT_EQ(bucket.Take(now), absl::Seconds(1));
  EXPECT_EQ(bucket.Take(now - absl::Hours(1)), absl::Seconds(2)) << "a clock set back";
  TokenBucket unlimited(0);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(unlimited.Take(now), absl::ZeroDuration());
}

TEST(LogGateTest, HoldsBackAndSaysHowMany) {
  absl::Time now = absl::FromUnixSeconds(1'000'000);
  LogGate gate;
  for (int i = 0; i < LogGate::kPerMinute; ++i) EXPECT_EQ(gate.Pass(now), 0);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(gate.Pass(now), -1);
  now += absl::Minutes(1);
  EXPECT_EQ(gate.Pass(now), 7);
  EXPECT_EQ(gate.Pass(now), 0);
}

}  // namespace
}  // namespace plimsoll::gateway
