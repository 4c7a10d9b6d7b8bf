// How fast, and how soon again: rates and pauses. Pure; thread-compatible.
#pragma once

#include <algorithm>
#include <random>

#include "absl/time/time.h"

namespace plimsoll::agent {

// A token bucket that holds a minute's worth.
class Rate {
 public:
  // At most `per_minute`, averaged; 0 and less: no limit.
  void Limit(int per_minute, absl::Time now) {
    if (per_minute == per_minute_) return;
    per_minute_ = per_minute;
    tokens_ = per_minute;
    filled_ = now;
  }

  // When Take will succeed: `now` or later.
  absl::Time NextTime(absl::Time now) {
    Fill(now);
    if (per_minute_ <= 0 || tokens_ >= 1) return now;
    return now + (1 - tokens_) * absl::Minutes(1) / per_minute_;
  }

  // False: not yet.
  bool Take(absl::Time now) {
    if (NextTime(now) > now) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  void Fill(absl::Time now) {
    const double minutes = absl::ToDoubleMinutes(std::max(now - filled_, absl::ZeroDuration()));
    tokens_ = std::min<double>(per_minute_, tokens_ + minutes * per_minute_);
    filled_ = now;
  }

  int per_minute_ = 0;
  double tokens_ = 0;
  absl::Time filled_;
};

// Pauses between attempts to connect: full jitter over a window that doubles, so that a fleet does
// not come back in step.
class Backoff {
 public:
  // Pauses are at least `floor`; the window grows from four times that to `ceiling`.
  Backoff(absl::Duration floor, absl::Duration ceiling)
      : floor_(floor), ceiling_(std::max(floor, ceiling)), random_(std::random_device{}()) {
    Reset();
  }

  absl::Duration Next() {
    const absl::Duration pause = Between(floor_, window_);
    window_ = std::min(window_ * 2, ceiling_);
    return pause;
  }

  // After a session that was worth having.
  void Reset() { window_ = std::min(floor_ * 4, ceiling_); }

  absl::Duration Between(absl::Duration least, absl::Duration most) {
    return least + (most - least) * std::uniform_real_distribution<double>(0, 1)(random_);
  }

 private:
  const absl::Duration floor_;
  const absl::Duration ceiling_;
  absl::Duration window_;
  std::mt19937 random_;
};

}  // namespace plimsoll::agent
