#include "controller/access/revocations.h"

#include <utility>
#include <vector>

namespace plimsoll::access {

int Revocations::Add(Listener listener) {
  absl::MutexLock lock(&mutex_);
  listeners_.emplace(next_, std::move(listener));
  return next_++;
}

void Revocations::Remove(int handle) {
  absl::MutexLock lock(&mutex_);
  listeners_.erase(handle);
}

void Revocations::Announce(const std::string& host_id) {
  std::vector<Listener> listeners;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [handle, listener] : listeners_) listeners.push_back(listener);
  }
  for (const Listener& listener : listeners) listener(host_id);
}

}  // namespace plimsoll::access
