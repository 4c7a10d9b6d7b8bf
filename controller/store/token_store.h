// Bearer tokens of people and programs.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace plimsoll::store {

class ConnectionPool;

// Roles, weakest first. Stored by name.
enum class Role { kViewer, kAuditor, kOperator, kAdmin };

// Who calls.
struct Principal {
  std::string token_id;
  std::string name;
  Role role = Role::kViewer;
  // Label selector (proto/plimsoll/v1/selector.proto) of the part of the fleet that the caller sees
  // and acts on. Empty: all of it.
  std::string scope = {};
  // Address the call came from, without port; set by the transport. Empty: not known.
  std::string peer = {};
};

// Thread-safe; errors as in store.h. A token is known by the hash of its secret only.
class TokenStore {
 public:
  explicit TokenStore(ConnectionPool& pool) : pool_(pool) {}

  // ALREADY_EXISTS: that name has a live token.
  absl::Status Create(const Principal& principal, const std::string& secret_hash, absl::Time now,
                      std::optional<absl::Time> expires);
  // UNAUTHENTICATED: unknown, expired or revoked.
  absl::StatusOr<Principal> Find(const std::string& secret_hash, absl::Time now);
  // NOT_FOUND. Idempotent.
  absl::Status Revoke(const std::string& token_id);
  // True once any token was made, dead ones included.
  absl::StatusOr<bool> AnyExists();

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
