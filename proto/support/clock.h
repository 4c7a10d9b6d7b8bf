// The only door to wall-clock time, so that tests can hold it still.
#pragma once

#include "absl/time/time.h"

namespace plimsoll::support {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
  // The machine's own clock; lives for ever.
  static const Clock& Real();
};

// A clock that stands where it is put. Not thread-safe against Advance.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time now) : now_(now) {}
  absl::Time Now() const override { return now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_;
};

}  // namespace plimsoll::support
