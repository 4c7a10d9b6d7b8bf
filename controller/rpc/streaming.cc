#include "controller/rpc/streaming.h"

#include "proto/support/field_errors.h"

namespace plimsoll::rpc {

void OpenStreams::Add(const std::shared_ptr<api::Follower>& follower) {
  absl::MutexLock lock(&mutex_);
  open_[follower.get()] = follower;
}

void OpenStreams::Remove(const api::Follower* follower) {
  absl::MutexLock lock(&mutex_);
  open_.erase(follower);
}

void OpenStreams::EndAll() {
  std::vector<std::shared_ptr<api::Follower>> open;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [key, follower] : open_) {
      if (auto alive = follower.lock()) open.push_back(std::move(alive));
    }
  }
  for (const auto& follower : open) {
    follower->Close(support::ShuttingDown());
  }
}

}  // namespace plimsoll::rpc
