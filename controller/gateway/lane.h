// A share of the worker pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::gateway {

// Runs tasks on `workers`, in order, at most `width` at one time, so that a kind of work that
// blocks (the database) or floods (enrolments) leaves threads to the others. Thread-safe. What was
// added is done before `workers` is gone; the lane itself may go earlier.
class Lane {
 public:
  Lane(support::WorkerPool& workers, int width, size_t max_waiting = SIZE_MAX);

  // False: `max_waiting` tasks wait already, and this one was dropped.
  bool Add(std::function<void()> task);

 private:
  struct State {
    absl::Mutex mutex;
    int running ABSL_GUARDED_BY(mutex) = 0;
    std::deque<std::function<void()>> waiting ABSL_GUARDED_BY(mutex);
  };
  // On a worker: one task after the other until none waits.
  static void Run(State& state);

  support::WorkerPool& workers_;
  const int width_;
  const size_t max_waiting_;
  const std::shared_ptr<State> state_;
};

}  // namespace plimsoll::gateway
