// A few threads for work that blocks.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::support {

// Runs tasks in the order they were added, several at a time. Thread-safe.
class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  // Runs what was added, then joins. Adding meanwhile is a bug.
  ~WorkerPool();

  // Never blocks. Tasks must not throw.
  void Add(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tasks that no thread has begun.
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace plimsoll::support
