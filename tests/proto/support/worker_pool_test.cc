#include "proto/support/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"

namespace plimsoll::support {
namespace {

TEST(WorkerPoolTest, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Add([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 100u) << "the destructor runs what was added";
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(WorkerPoolTest, SeveralThreadsWorkAtTheSameTime) {
  WorkerPool pool(3);
  const auto together = std::make_shared<absl::Barrier>(4);
  for (int i = 0; i < 3; ++i) pool.Add([together] { together->Block(); });
  // Hangs unless all three tasks run side by side.
  together->Block();
}

TEST(WorkerPoolTest, ATaskMayAddAnother) {
  absl::Notification done;
  WorkerPool pool(1);
  pool.Add([&] { pool.Add([&] { done.Notify(); }); });
  done.WaitForNotification();
}

TEST(WorkerPoolTest, AnyThreadMayAdd) {
  std::atomic<int> runs = 0;
  {
    WorkerPool pool(2);
    std::vector<std::thread> adders;
    for (int i = 0; i < 4; ++i) {
      adders.emplace_back([&] {
        for (int j = 0; j < 250; ++j) pool.Add([&] { ++runs; });
      });
    }
    for (std::thread& adder : adders) adder.join();
  }
  EXPECT_EQ(runs, 1000);
}

}  // namespace
}  // namespace plimsoll::support
