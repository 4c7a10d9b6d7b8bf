// Passwords: Argon2id, at a bounded price.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::access {

// Bounds of a password, in bytes.
inline constexpr size_t kShortestPassword = 12;
inline constexpr size_t kLongestPassword = 1024;

// INVALID_ARGUMENT, with `field`: outside the bounds, not plain UTF-8, or the user's name over
// again. The message does not repeat it.
absl::Status CheckPassword(absl::string_view field, absl::string_view name,
                           absl::string_view password);

// A password that a person can type and nobody guesses: about 124 random bits, in groups.
std::string OneTimePassword();

// What one computation may take. kInteractive is libsodium's own: 64 MiB and about a tenth of a
// second of one core; kLeast is for tests.
enum class PasswordCost { kLeast, kInteractive };

// Thread-safe. At most two computations run at a time and as many wait, so that sign-ins take
// neither the machine's memory nor every thread of the API; who comes beyond them is refused.
class PasswordHasher {
 public:
  explicit PasswordHasher(PasswordCost cost = PasswordCost::kInteractive);

  // For storage. RESOURCE_EXHAUSTED: too many at once, or no memory; try again.
  absl::StatusOr<std::string> Hash(absl::string_view password) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether `password` made `hash`. An empty `hash` is nobody's: the same work, and false. Errors
  // as Hash.
  absl::StatusOr<bool> Verify(absl::string_view hash, absl::string_view password)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Turn;

  const unsigned long long operations_;
  const size_t memory_;
  // Of a password that nobody has.
  std::string nobody_;
  absl::Mutex mutex_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace plimsoll::access
