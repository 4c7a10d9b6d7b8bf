// Room for messages: who may decode, and who has to wait.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "controller/gateway/gateway_stats.h"

namespace plimsoll::gateway {

// A number of bytes that all sessions share. First come, first served: a session has at most one
// message here, so hosts take turns, and a large message is not overtaken for ever by small ones.
// Thread-safe.
class ByteBudget {
 public:
  // Called once there is room, without the lock held, on whichever thread made the room. Must not
  // block.
  using Granted = std::function<void()>;

  enum class Result {
    // There is room: `granted` was dropped, the caller goes on.
    kGranted,
    // `granted` will be called.
    kWaiting,
    // Too much is waiting already; `granted` was dropped.
    kRefused,
  };

  // At most `limit` bytes are granted at one time, but for one message that is larger than all, and
  // at most `waiting_limit` bytes wait.
  ByteBudget(int64_t limit, int64_t waiting_limit, GatewayStats& stats)
      : limit_(limit), waiting_limit_(waiting_limit), stats_(stats) {}

  // Asks for `bytes`. Whoever is granted them calls Release with the same number. `held` is what
  // the caller keeps in memory while it waits.
  Result Acquire(int64_t bytes, int64_t held, Granted granted) ABSL_LOCKS_EXCLUDED(mutex_);
  void Release(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  // Grants everything from now on: the controller stops, and whoever waits shall find out.
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);

  // Messages that wait.
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    int64_t bytes;
    int64_t held;
    Granted granted;
  };
  bool Fits(int64_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes those out of the queue that have room now.
  std::vector<Granted> Serve() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int64_t limit_;
  const int64_t waiting_limit_;
  GatewayStats& stats_;
  mutable absl::Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t in_use_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::gateway
