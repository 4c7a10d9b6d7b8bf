// Work that comes again and again.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/support/clock.h"

namespace plimsoll::support {

// Runs tasks at their intervals, one after the other, on a thread of its own; a task that takes
// longer than its interval is not run twice for it. A task that takes more than a second is noted
// in the log. Tasks must not throw.
class Ticker {
 public:
  explicit Ticker(const Clock& clock) : clock_(clock) {}
  // As Stop.
  ~Ticker();

  // Before Start. The first run is one interval after it, or at once when `at_once`.
  void Add(std::string name, absl::Duration interval, std::function<void()> task,
           bool at_once = false);
  void Start();
  // Waits for the task under way. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    std::string name;
    absl::Duration interval;
    std::function<void()> run;
    bool at_once = false;
    absl::Time due;
  };
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock& clock_;
  std::vector<Task> tasks_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace plimsoll::support
