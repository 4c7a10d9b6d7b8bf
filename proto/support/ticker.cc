#include "proto/support/ticker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace plimsoll::support {
namespace {

constexpr absl::Duration kLong = absl::Seconds(1);

}  // namespace

Ticker::~Ticker() { Stop(); }

void Ticker::Add(std::string name, absl::Duration interval, std::function<void()> task,
                 bool at_once) {
  tasks_.push_back({std::move(name), interval, std::move(task), at_once, absl::InfinitePast()});
}

void Ticker::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Ticker::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Ticker::Run() {
  const absl::Time start = clock_.Now();
  for (Task& task : tasks_) task.due = task.at_once ? start : start + task.interval;
  for (;;) {
    const auto next = std::min_element(tasks_.begin(), tasks_.end(),
                                       [](const Task& a, const Task& b) { return a.due < b.due; });
    {
      absl::MutexLock lock(&mutex_);
      const absl::Duration wait =
          next == tasks_.end() ? absl::InfiniteDuration() : next->due - clock_.Now();
      mutex_.AwaitWithTimeout(absl::Condition(&stopped_), wait);
      if (stopped_) return;
    }
    const absl::Time began = clock_.Now();
    // A clock that was set back must not silence a task for as long.
    if (next->due > began && next->due - began < next->interval) continue;
    next->run();
    const absl::Time ended = clock_.Now();
    if (ended - began > kLong) {
      spdlog::info("slow task name={} took={}", next->name, absl::FormatDuration(ended - began));
    }
    next->due = std::max(next->due + next->interval, ended);
    if (next->due > ended + next->interval) next->due = ended + next->interval;
  }
}

}  // namespace plimsoll::support
