#include "proto/support/ticker.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"

namespace plimsoll::support {
namespace {

TEST(Ticker, RunsTasksAgainAndAgainUntilStopped) {
  Ticker ticker(Clock::Real());
  std::atomic<int> quick{0};
  std::atomic<int> rare{0};
  absl::Notification enough;
  ticker.Add("quick", absl::Milliseconds(1), [&] {
    if (++quick == 20) enough.Notify();
  });
  ticker.Add("rare", absl::Hours(1), [&] { ++rare; });
  ticker.Start();
  enough.WaitForNotification();
  ticker.Stop();
  const int count = quick;
  EXPECT_EQ(rare, 0);
  ticker.Stop();
  EXPECT_EQ(quick, count);
}

TEST(Ticker, SomeBeginAtOnce) {
  Ticker ticker(Clock::Real());
  absl::Notification ran;
  ticker.Add(
      "first", absl::Hours(1), [&] { ran.Notify(); }, true);
  ticker.Start();
  ran.WaitForNotification();
}

TEST(Ticker, StopsBeforeItHasStartedAndWithNothingToDo) {
  Ticker unused(Clock::Real());
  Ticker empty(Clock::Real());
  empty.Start();
}

}  // namespace
}  // namespace plimsoll::support
