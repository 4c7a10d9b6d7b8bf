// Locks as a program that serves uses them.
#pragma once

#include "absl/synchronization/mutex.h"

namespace plimsoll::support {

// Debian builds Abseil without NDEBUG, so that every lock of a mutex is entered into one graph of
// the whole process, behind one spin lock, to find deadlocks: a tenth of a busy controller's time.
// Tests keep that; programs built for release call this first thing in main.
inline void StopLookingForDeadlocks() {
#ifdef NDEBUG
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
}

}  // namespace plimsoll::support
