// Who a caller is, by the bearer token it shows.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/store/token_store.h"
#include "proto/support/clock.h"

namespace plimsoll::access {

// Thread-safe. Tokens found valid are remembered for a few seconds, so that a busy client does not
// cost a query a call; a revoked token may work that much longer.
class Authenticator {
 public:
  Authenticator(store::TokenStore& tokens, const support::Clock& clock)
      : tokens_(tokens), clock_(clock) {}

  // `authorization` is the header's value, "Bearer plb_...". UNAUTHENTICATED: none, not a bearer
  // token, unknown, expired or revoked; the message is the same for the last three.
  absl::StatusOr<store::Principal> Authenticate(absl::string_view authorization)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes a token for `name` and returns its secret, which is stored nowhere.
  absl::StatusOr<std::string> CreateToken(const std::string& name, store::Role role,
                                          std::optional<absl::Time> expires);

 private:
  struct Remembered {
    store::Principal principal;
    absl::Time until;
  };
  store::TokenStore& tokens_;
  const support::Clock& clock_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Remembered> remembered_ ABSL_GUARDED_BY(mutex_);
};

// "viewer", "auditor", "operator", "admin".
absl::string_view RoleName(store::Role role);

}  // namespace plimsoll::access
