// Bearer tokens of programs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/token_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// Roles, weakest first. Stored by name.
enum class Role { kViewer, kAuditor, kOperator, kAdmin };

// What a caller is known by.
enum class CallerKind { kToken, kUser, kNobody };

// Who calls.
struct Principal {
  // Public id of the token or session; empty: nobody.
  std::string token_id;
  std::string name;
  Role role = Role::kViewer;
  // Label selector (proto/plimsoll/v1/selector.proto) of the part of the fleet that the caller sees
  // and acts on. Empty: all of it.
  std::string scope = {};
  // Address the call came from, without port; set by the transport. Empty: not known.
  std::string peer = {};
  CallerKind kind = CallerKind::kToken;
  // User.id; empty: no user.
  std::string user_id = {};
  // Of a token: User.id of who made it; empty: the first start, or no user did.
  std::string maker_id = {};
  // Of a token: from then on it is not valid.
  absl::Time expires = absl::InfiniteFuture();
  // A user with a one-time password: may do nothing but change it.
  bool must_change_password = false;
  // Program the caller uses, as that names itself; set by the transport. Hostile input.
  std::string user_agent = {};
  // Of a session in a cookie: what its requests prove by that they are meant; set by the transport.
  std::string csrf_token = {};
};

// A last use.
struct TokenUse {
  absl::Time time;
  std::string peer;
};

// Which tokens, and where the page begins.
struct TokenQuery {
  // Only tokens this user made; empty: all.
  std::string creator_id = {};
  // Revoked and expired ones too.
  bool include_dead = false;
  // Opaque position from the previous page's `next`; empty: from the newest.
  std::string after = {};
  int limit = 100;
};
struct TokenPage {
  // Newest first.
  std::vector<v1::ApiToken> tokens;
  // Empty: last page.
  std::string next;
};

// A new token, beside what its principal says.
struct TokenOrigin {
  std::string description = {};
  // Name and user id of who made it; both empty: the first start.
  std::string created_by = {};
  std::string creator_id = {};
  // Principal::token_id of the call. With a creator, it has to be in force still.
  std::string credential = {};
};

// Thread-safe; errors as in store.h. A token is known by the hash of its secret only. Revocations
// are announced to all controllers (change_feed.h) in the same transaction.
class TokenStore {
 public:
  explicit TokenStore(ConnectionPool& pool) : pool_(pool) {}

  // Takes id, name, role and scope of `principal`. ALREADY_EXISTS: that name has a live token.
  // UNAUTHENTICATED: the access of the maker has ended meanwhile.
  absl::Status Create(const Principal& principal, const std::string& secret_hash, absl::Time now,
                      std::optional<absl::Time> expires, const TokenOrigin& origin = {});
  // UNAUTHENTICATED: unknown, expired or revoked, or the user who made it is disabled.
  absl::StatusOr<Principal> Find(const std::string& secret_hash, absl::Time now);
  // By id, else by the name of a live one. NOT_FOUND.
  absl::StatusOr<v1::ApiToken> Get(const std::string& id_or_name);
  // User.id of who made it; empty: nobody. NOT_FOUND.
  absl::StatusOr<std::string> CreatorOf(const std::string& token_id);
  // INVALID_ARGUMENT: `after` is not from a page.
  absl::StatusOr<TokenPage> List(const TokenQuery& query, absl::Time now);
  // NOT_FOUND. Idempotent.
  absl::Status Revoke(const std::string& token_id);
  // True once any token was made, dead ones included.
  absl::StatusOr<bool> AnyExists();

  // Last uses by token id, in one statement; never moves one back.
  absl::Status Touch(const std::map<std::string, TokenUse>& uses);
  // Notes an address. True: the token was never used from it before, and is within the number of
  // addresses that are kept.
  absl::StatusOr<bool> AddPeer(const std::string& token_id, const std::string& peer);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
