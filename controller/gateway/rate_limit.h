// Paces: how often a host may do a thing, and how often a log may say so.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace plimsoll::gateway {

// So many a minute, averaged; a minute's worth may come at once. Not thread-safe.
class TokenBucket {
 public:
  // 0 or less: no limit.
  explicit TokenBucket(int32_t per_minute) : per_minute_(per_minute), tokens_(per_minute) {}

  // Takes one, on credit if there is none. Returns how long the taker must pause before the next:
  // zero while it keeps to its pace. A clock that goes back costs nothing and gives nothing.
  absl::Duration Take(absl::Time now) {
    if (per_minute_ <= 0) return absl::ZeroDuration();
    const double passed = std::clamp(absl::ToDoubleSeconds(now - last_), 0.0, 60.0);
    last_ = now;
    tokens_ = std::min<double>(per_minute_, tokens_ + passed * per_minute_ / 60) - 1;
    return tokens_ >= 0 ? absl::ZeroDuration() : absl::Seconds(-tokens_ * 60 / per_minute_);
  }

 private:
  int32_t per_minute_;
  double tokens_;
  absl::Time last_ = absl::UnixEpoch();
};

// Keeps a log readable while many hosts misbehave. Thread-safe.
class LogGate {
 public:
  static constexpr int32_t kPerMinute = 60;
  // Lines held back since the last that was let through; negative: hold this one back, too.
  int64_t Pass(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (now - minute_ >= absl::Minutes(1) || now < minute_) {
      minute_ = now;
      passed_ = 0;
    }
    if (passed_ >= kPerMinute) {
      ++held_back_;
      return -1;
    }
    ++passed_;
    return std::exchange(held_back_, 0);
  }

 private:
  absl::Mutex mutex_;
  absl::Time minute_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int32_t passed_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t held_back_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace plimsoll::gateway
