// People and their sessions.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/store/token_store.h"
#include "plimsoll/v1/session_service.pb.h"
#include "plimsoll/v1/user_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// A user, with what nobody is shown.
struct StoredUser {
  v1::User user;
  // Argon2id, as libsodium writes it. Empty: the user signs in at an identity provider.
  std::string password_hash;
};

// A session that begins.
struct NewSession {
  std::string id;
  std::string user_id;
  // StoredUser::password_hash of when the user's identity was proven.
  std::string password_hash;
  std::string secret_hash;
  absl::Time created;
  absl::Time expires;
  std::string peer;
  std::string user_agent;
  // Hash of the code that the session is for, and when that is past its end; empty: of none.
  std::string code_hash;
  absl::Time code_expires;
};

// Thread-safe; errors as in store.h. Whatever ends a session or a token is announced to all
// controllers (change_feed.h) in the same transaction.
class UserStore {
 public:
  explicit UserStore(ConnectionPool& pool) : pool_(pool) {}

  // Takes every member of `user` but last_sign_in_time. ALREADY_EXISTS: the name is taken.
  absl::Status Create(const v1::User& user, const std::string& password_hash);
  // The user whom an identity provider knows by identity_provider and subject of `user`, given its
  // role and scope; ends sessions and tokens as Update does. May leave no administrator: who that
  // is the provider decides. NOT_FOUND.
  absl::StatusOr<v1::User> RefreshExternal(const v1::User& user);
  // Ends the sessions of such a user, if there is one, and revokes the tokens the user made.
  absl::Status EndExternal(const std::string& issuer, const std::string& subject);
  // By id, else by name. NOT_FOUND.
  absl::StatusOr<StoredUser> Get(const std::string& id_or_name);
  // By name, after `after_name`.
  absl::StatusOr<std::vector<v1::User>> List(const std::string& after_name, int limit);
  // True once there is any user.
  absl::StatusOr<bool> AnyExists();
  // Found by id; `change` is given what is stored, under a lock, and leaves in it role, scope,
  // disabled and description as they shall be; its error is returned and changes nothing. A change
  // of the first three ends the user's sessions and revokes the tokens the user made. NOT_FOUND;
  // FAILED_PRECONDITION: no enabled administrator of the whole fleet would be left.
  absl::StatusOr<v1::User> Update(const std::string& id,
                                  const std::function<absl::Status(v1::User&)>& change);
  // Ends the user's sessions, `keep_session` (an id) excepted. NOT_FOUND.
  absl::Status SetPassword(const std::string& id, const std::string& password_hash,
                           bool must_change, const std::string& keep_session = "");
  // With sessions; revokes the tokens the user made. Errors as Update.
  absl::Status Delete(const std::string& id);

  // Notes the sign-in of its user too. NOT_FOUND: the user is gone, disabled, or has another
  // password hash by now; ALREADY_EXISTS: there was a session for the same code before.
  absl::Status BeginSession(const NewSession& session);
  // UNAUTHENTICATED: unknown, past its end, unused for `idle`, or its user is disabled.
  absl::StatusOr<Principal> FindSession(const std::string& secret_hash, absl::Time now,
                                        absl::Duration idle);
  // Live ones, newest first.
  absl::StatusOr<std::vector<v1::Session>> ListSessions(const std::string& user_id, absl::Time now,
                                                        absl::Duration idle);
  // Idempotent.
  absl::Status EndSession(const std::string& session_id);
  // Returns how many there were.
  absl::StatusOr<int> EndSessions(const std::string& user_id);
  // Last uses by session id, in one statement; never moves one back.
  absl::Status Touch(const std::map<std::string, absl::Time>& seen);
  // Removes sessions past their end or unused for `idle`, and what is known of codes past theirs.
  absl::Status RemoveDead(absl::Time now, absl::Duration idle);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
