// How often one may try a password.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace plimsoll::access {

// Delays that grow with failures, never a lock that stays:
//
//   one user from one address   4 attempts are free, then 1 s, doubling, at most 15 min
//   one address, any user       20 are free, then 1 s, doubling, at most 5 min
//   one user, any address       20 are free, then 1 s, doubling, at most 30 s
//
// The last two do not hold for a user at an address that this user has signed in from before, so
// that who guesses waits, and who knows the password from a known address cannot be kept out by
// guesses at other users or from other addresses. Users are counted by name, whether or not there
// are such. Failures are forgotten after an hour without one. Of IPv6 addresses the first 64 bits
// count. Each controller counts for itself and forgets at a restart. Thread-safe; memory is
// bounded.
class SignInThrottle {
 public:
  // RESOURCE_EXHAUSTED, with the time to wait (support::RetryOf): not now. An attempt that is
  // refused here counts as none.
  absl::Status Admit(absl::string_view name, absl::string_view peer, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Failed(absl::string_view name, absl::string_view peer, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Succeeded(absl::string_view name, absl::string_view peer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets the failures of a user whose password was reset.
  void Forget(absl::string_view name) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Count {
    int failures = 0;
    absl::Time last = absl::InfinitePast();
    absl::Time until = absl::InfinitePast();
  };
  void Add(const std::string& key, int free, absl::Duration most, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time Until(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MakeRoom(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Count> counts_ ABSL_GUARDED_BY(mutex_);
  // Users and addresses that went together well.
  absl::flat_hash_set<std::string> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::access
