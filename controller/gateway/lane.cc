#include "controller/gateway/lane.h"

#include <algorithm>
#include <utility>

namespace plimsoll::gateway {

Lane::Lane(support::WorkerPool& workers, int width, size_t max_waiting)
    : workers_(workers),
      width_(std::max(width, 1)),
      max_waiting_(max_waiting),
      state_(std::make_shared<State>()) {}

bool Lane::Add(std::function<void()> task) {
  {
    absl::MutexLock lock(&state_->mutex);
    if (state_->waiting.size() >= max_waiting_) return false;
    state_->waiting.push_back(std::move(task));
    if (state_->running == width_) return true;
    ++state_->running;
  }
  workers_.Add([state = state_] { Run(*state); });
  return true;
}

void Lane::Run(State& state) {
  while (true) {
    std::function<void()> task;
    {
      absl::MutexLock lock(&state.mutex);
      if (state.waiting.empty()) {
        --state.running;
        return;
      }
      task = std::move(state.waiting.front());
      state.waiting.pop_front();
    }
    task();
  }
}

}  // namespace plimsoll::gateway
