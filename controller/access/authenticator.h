// Who a caller is, by the bearer token it shows.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/store/token_store.h"
#include "controller/store/user_store.h"
#include "proto/support/clock.h"

namespace plimsoll::access {

// How long sessions live.
struct SessionLimits {
  // Unused for this long, a session ends.
  absl::Duration idle = absl::Hours(12);
  // Used or not.
  absl::Duration lifetime = absl::Hours(24 * 7);
};

// API tokens ("plb_...") and sessions of users ("pls_..."). Thread-safe.
//
// Who was found valid is remembered for a few seconds, so that a busy client does not cost a query
// a call. What ends on any controller is told to Forget (store::ChangeFeed); only while that is not
// heard may an ended one work those seconds longer, as may a session whose time is over; a token
// ends when it expires. Last uses are kept in memory until FlushUses.
class Authenticator {
 public:
  // Called when a token is used for the first time from an address. Must not block for long.
  using NewPeer = std::function<void(const store::Principal&)>;

  Authenticator(store::TokenStore& tokens, store::UserStore& users, const support::Clock& clock,
                SessionLimits limits = {}, NewPeer new_peer = {})
      : tokens_(tokens),
        users_(users),
        clock_(clock),
        limits_(limits),
        new_peer_(std::move(new_peer)) {}

  // `authorization` is the header's value, "Bearer plb_..."; `peer` the address it came from, empty
  // when not known. UNAUTHENTICATED: none, not a bearer token, unknown, expired or revoked; the
  // message is the same for the last three.
  absl::StatusOr<store::Principal> Authenticate(absl::string_view authorization,
                                                absl::string_view peer = "")
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes a token for `name` and returns its secret, which is stored nowhere.
  absl::StatusOr<std::string> CreateToken(const std::string& name, store::Role role,
                                          std::optional<absl::Time> expires);

  // These tokens or sessions ended or changed.
  void Forget(const std::vector<std::string>& ids) ABSL_LOCKS_EXCLUDED(mutex_);
  // Changes may have been missed.
  void ForgetAll() ABSL_LOCKS_EXCLUDED(mutex_);

  // Writes last uses since the last call; call about once a minute. Errors as the store's; what was
  // not written is lost with the next use.
  absl::Status FlushUses() ABSL_LOCKS_EXCLUDED(mutex_);

  const SessionLimits& limits() const { return limits_; }

 private:
  struct Remembered {
    store::Principal principal;
    absl::Time until;
  };
  // Never blocks but for a new address.
  void NoteUse(const store::Principal& principal, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  store::TokenStore& tokens_;
  store::UserStore& users_;
  const support::Clock& clock_;
  const SessionLimits limits_;
  const NewPeer new_peer_;
  absl::Mutex mutex_;
  // By the hash of the secret.
  absl::flat_hash_map<std::string, Remembered> remembered_ ABSL_GUARDED_BY(mutex_);
  // Goes up with every Forget: what was read before it is not remembered.
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, store::TokenUse> token_uses_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Time> session_uses_ ABSL_GUARDED_BY(mutex_);
  // Tokens with the addresses they are known from.
  absl::flat_hash_set<std::string> known_peers_ ABSL_GUARDED_BY(mutex_);
};
}  // namespace plimsoll::access
