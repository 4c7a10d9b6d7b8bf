#include "collector/tracker/scope_queue.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace plimsoll::tracker {
namespace {

using sources::Scope;

constexpr std::array<bool Scope::*, 12> kFlags = {
    &Scope::all,     &Scope::container_list, &Scope::image_list, &Scope::networks,
    &Scope::volumes, &Scope::swarm,          &Scope::daemon,     &Scope::files,
    &Scope::audit,   &Scope::mounts,         &Scope::users,      &Scope::listeners};
// So many changes between two scopes are a burst.
constexpr int kMany = 4;
constexpr size_t kAll = 0;
constexpr size_t kVolumes = 4;

}  // namespace

ScopeQueue::ScopeQueue(Options options)
    : options_(options),
      burst_(std::max(1, options.max_per_object_a_minute / 2)),
      refill_(absl::Minutes(1) / burst_),
      pause_(options.quiet) {}

void ScopeQueue::Refill(Object& object, absl::Time now) const {
  const absl::Duration passed = std::max(absl::ZeroDuration(), now - object.counted);
  object.looks = std::min(burst_, object.looks + absl::FDivDuration(passed, refill_));
  object.counted = now;
}

void ScopeQueue::Note(const Key& key, absl::Time due, absl::Time now, bool urgent) {
  const auto [found, is_new] = objects_.try_emplace(key);
  Object& object = found->second;
  if (is_new) {
    object.looks = burst_;
    object.counted = now;
  }
  Refill(object, now);
  // The next look there will be.
  if (object.looks < 1) due = std::max(due, now + (1 - object.looks) * refill_);
  object.due = object.pending ? std::min(object.due, due) : due;
  object.urgent |= urgent;
  object.pending = true;
}

void ScopeQueue::Add(const Scope& scope, absl::Time now, bool urgent) {
  KeepTime(now);
  if (scope.empty()) return;
  ++added_;
  const absl::Time due = std::max(now, last_taken_ + (urgent ? options_.quiet : pause_));
  Scope wanted = scope;
  size_t containers = 0;
  size_t images = 0;
  for (const auto& [key, object] : objects_) {
    containers += object.pending && key.first == Kind::kContainer;
    images += object.pending && key.first == Kind::kImage;
  }
  if (containers + wanted.containers.size() > options_.max_pending) wanted.container_list = true;
  if (images + wanted.images.size() > options_.max_pending) wanted.image_list = true;
  if (wanted.container_list) wanted.containers.clear();
  if (wanted.image_list) wanted.images.clear();
  for (const std::string& id : wanted.containers) Note({Kind::kContainer, id}, due, now, urgent);
  for (const std::string& id : wanted.images) Note({Kind::kImage, id}, due, now, false);
  for (size_t i = 0; i < kFlags.size(); ++i) {
    if (wanted.*kFlags[i]) Note({Kind::kFlag, absl::StrCat(i)}, due, now, false);
  }
}

void ScopeQueue::Spend(Object& object, absl::Time now) const {
  Refill(object, now);
  object.looks = std::max(0.0, object.looks - 1);
  object.pending = object.urgent = false;
}

bool ScopeQueue::IsUrgent(absl::Time now) const {
  return std::any_of(objects_.begin(), objects_.end(), [&](const auto& entry) {
    return entry.second.pending && entry.second.urgent && entry.second.due <= now;
  });
}

Scope ScopeQueue::Take(absl::Time now) {
  KeepTime(now);
  Scope scope;
  const bool urgent = IsUrgent(now);
  for (auto& [key, object] : objects_) {
    if (!object.pending || object.due > now) continue;
    if (urgent && key.first != Kind::kContainer && key != Key(Kind::kFlag, absl::StrCat(kVolumes)))
      continue;
    Spend(object, now);
    if (key.first == Kind::kContainer) {
      scope.containers.insert(key.second);
    } else if (key.first == Kind::kImage) {
      scope.images.insert(key.second);
    } else {
      for (size_t i = 0; i < kFlags.size(); ++i) {
        if (key.second == absl::StrCat(i)) scope.*kFlags[i] = true;
      }
    }
  }
  if (scope.empty()) return scope;
  for (auto& [key, object] : objects_) {
    const bool listed = (key.first == Kind::kContainer && scope.container_list) ||
                        (key.first == Kind::kImage && scope.image_list);
    if (scope.*kFlags[kAll] || listed) object.pending = object.urgent = false;
  }
  const bool busy = added_ >= kMany && now - last_taken_ < 2 * pause_;
  pause_ =
      busy ? std::min(2 * pause_, options_.longest_quiet) : std::max(pause_ / 2, options_.quiet);
  if (now - last_taken_ > options_.longest_quiet) pause_ = options_.quiet;
  added_ = 0;
  last_taken_ = now;
  Forget(now);
  return scope;
}

absl::Time ScopeQueue::NextDue() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [key, object] : objects_) {
    if (object.pending) next = std::min(next, object.due);
  }
  return next;
}

// What may be looked at as often as something new needs no entry.
void ScopeQueue::Forget(absl::Time now) {
  for (auto it = objects_.begin(); it != objects_.end();) {
    Object& object = it->second;
    if (!object.pending) Refill(object, now);
    it = !object.pending && object.looks >= burst_ ? objects_.erase(it) : std::next(it);
  }
}

void ScopeQueue::KeepTime(absl::Time now) {
  if (now < last_now_) {
    last_taken_ = absl::InfinitePast();
    for (auto& [key, object] : objects_) {
      object.counted = now;
      object.due = std::min(object.due, now);
    }
  }
  last_now_ = now;
}

}  // namespace plimsoll::tracker
