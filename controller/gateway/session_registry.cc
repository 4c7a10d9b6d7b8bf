#include "controller/gateway/session_registry.h"

#include <utility>
#include <vector>

namespace plimsoll::gateway {

uint64_t SessionRegistry::Add(const std::string& host_id, End end) {
  End displaced;
  End refused;
  uint64_t id = 0;
  {
    absl::MutexLock lock(&mutex_);
    id = next_id_++;
    if (draining_) {
      refused = std::move(end);
    } else {
      Entry& entry = sessions_[host_id];
      displaced = std::exchange(entry.end, std::move(end));
      entry.id = id;
    }
  }
  if (displaced) displaced(absl::AbortedError("a newer session of this host took over"));
  if (refused) refused(absl::UnavailableError("the controller is shutting down"));
  return id;
}

bool SessionRegistry::Remove(const std::string& host_id, uint64_t session_id) {
  absl::MutexLock lock(&mutex_);
  const auto it = sessions_.find(host_id);
  if (it == sessions_.end() || it->second.id != session_id) return false;
  sessions_.erase(it);
  return true;
}

void SessionRegistry::EndHost(const std::string& host_id, const absl::Status& why) {
  End end;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = sessions_.find(host_id);
    if (it == sessions_.end()) return;
    end = it->second.end;
  }
  if (end) end(why);
}

void SessionRegistry::Drain() {
  std::vector<End> ends;
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    for (const auto& [host, entry] : sessions_) ends.push_back(entry.end);
  }
  for (const End& end : ends) end(absl::UnavailableError("the controller is shutting down"));
}

size_t SessionRegistry::Count() const {
  absl::MutexLock lock(&mutex_);
  return sessions_.size();
}

bool SessionRegistry::Has(const std::string& host_id) const {
  absl::MutexLock lock(&mutex_);
  return sessions_.contains(host_id);
}

absl::Mutex& SessionRegistry::StateLock(const std::string& host_id) {
  return state_locks_[std::hash<std::string>()(host_id) % state_locks_.size()];
}

}  // namespace plimsoll::gateway
