#include "controller/fleet/change_log.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::fleet {

void ChangeLog::Add(const std::vector<std::string>& host_ids) {
  absl::MutexLock lock(&mutex_);
  for (const std::string& id : host_ids) changes_.push_back(id);
  last_ += host_ids.size();
  while (changes_.size() > limit_) changes_.pop_front();
}

ChangeLog::Changes ChangeLog::After(uint64_t position) const {
  Changes changes;
  absl::MutexLock lock(&mutex_);
  changes.last = last_;
  if (position > last_ || last_ - position > changes_.size()) {
    changes.missed = true;
    return changes;
  }
  absl::flat_hash_set<absl::string_view> seen;
  for (auto it = changes_.end() - static_cast<ptrdiff_t>(last_ - position); it != changes_.end();
       ++it) {
    if (seen.insert(*it).second) changes.host_ids.push_back(*it);
  }
  return changes;
}

uint64_t ChangeLog::last() const {
  absl::MutexLock lock(&mutex_);
  return last_;
}

std::string ChangeLog::TextOf(uint64_t position) const {
  return absl::StrCat(epoch_, "/", position);
}

bool ChangeLog::PositionOf(const std::string& text, uint64_t& position) const {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('/', 1));
  return parts.first == epoch_ && absl::SimpleAtoi(parts.second, &position);
}

uint64_t ChangeLog::Watch(std::function<void()> changed, size_t most) {
  absl::MutexLock lock(&mutex_);
  if (watchers_.size() >= most) return 0;
  watchers_.emplace(next_watch_, std::move(changed));
  return next_watch_++;
}

void ChangeLog::Unwatch(uint64_t handle) {
  absl::MutexLock lock(&mutex_);
  watchers_.erase(handle);
}

void ChangeLog::Tick() {
  std::vector<std::function<void()>> calls;
  {
    absl::MutexLock lock(&mutex_);
    if (told_ == last_) return;
    told_ = last_;
    for (const auto& [handle, call] : watchers_) calls.push_back(call);
  }
  for (const auto& call : calls) call();
}

}  // namespace plimsoll::fleet
