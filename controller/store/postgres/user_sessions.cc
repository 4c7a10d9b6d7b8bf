// UserStore: sessions of people.
#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/role_names.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/postgres/user_rows.h"
#include "controller/store/user_store.h"

namespace plimsoll::store {
namespace {

// Checking a password takes long enough for it to be changed meanwhile.
constexpr Statement kSignedIn = {
    "user_sessions_signed_in",
    "UPDATE account SET last_sign_in = $2 WHERE id = $1 AND password_hash = $3 AND NOT disabled"};
constexpr Statement kBegin = {
    "user_sessions_begin",
    "INSERT INTO session (id, account_id, secret_hash, created, expires, seen, peer, user_agent)"
    " VALUES ($1, $2, $3, $4, $5, $4, $6, $7)"};
constexpr Statement kFind = {
    "user_sessions_find",
    "SELECT s.id, a.id, a.name, a.role, a.scope, a.must_change, a.disabled,"
    " s.expires <= $2::timestamptz OR s.seen <= $3::timestamptz"
    " FROM session s JOIN account a ON a.id = s.account_id WHERE s.secret_hash = $1"};
constexpr Statement kList = {
    "user_sessions_list",
    "SELECT id, micros(created), micros(expires), micros(seen), peer, user_agent FROM session"
    " WHERE account_id = $1 AND expires > $2::timestamptz AND seen > $3::timestamptz"
    " ORDER BY created DESC, id LIMIT 1000"};
constexpr Statement kEnd = {"user_sessions_end", "DELETE FROM session WHERE id = $1"};
constexpr Statement kEndAll = {
    "user_sessions_end_all", "DELETE FROM session WHERE account_id = $1 AND id <> $2 RETURNING id"};
constexpr Statement kRevokeTokens = {
    "user_sessions_revoke_tokens",
    "UPDATE token SET revoked = true WHERE creator_id = $1 AND NOT revoked RETURNING id"};
constexpr Statement kTouch = {
    "user_sessions_touch",
    "UPDATE session SET seen = used.time FROM (SELECT * FROM"
    "  unnest($1::text[], $2::timestamptz[]) AS u(id, time) ORDER BY id) used"
    " WHERE session.id = used.id AND seen < used.time"};
constexpr Statement kRemoveDead = {
    "user_sessions_remove_dead",
    "DELETE FROM session WHERE expires <= $1::timestamptz OR seen <= $2::timestamptz"};

constexpr Statement kSpend = {
    "user_sessions_spend",
    "INSERT INTO spent_code (hash, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING"};
constexpr Statement kRemoveSpent = {"user_sessions_remove_spent",
                                    "DELETE FROM spent_code WHERE expires <= $1::timestamptz"};

std::vector<std::string> Ids(const pqxx::result& rows) {
  std::vector<std::string> ids;
  for (const pqxx::row& row : rows) ids.push_back(TextOf(row[0]));
  return ids;
}

}  // namespace

int EndSessions(Transaction& tx, const std::string& user_id, const std::string& keep_session) {
  std::vector<std::string> ended = Ids(tx.Exec(kEndAll, Text(user_id, 256), keep_session));
  const int count = static_cast<int>(ended.size());
  // The session that goes on is read again too: what its user must do has changed.
  if (!keep_session.empty()) ended.push_back(keep_session);
  AnnounceAccess(tx, ended);
  return count;
}

void EndAccess(Transaction& tx, const std::string& user_id) {
  EndSessions(tx, user_id);
  AnnounceAccess(tx, Ids(tx.Exec(kRevokeTokens, Text(user_id, 256))));
}

absl::Status UserStore::BeginSession(const NewSession& session) {
  return pool_.Transact("begin a session", [&](Transaction& tx) -> absl::Status {
    if (!session.code_hash.empty() &&
        tx.Exec(kSpend, session.code_hash, Time(session.code_expires)).affected_rows() == 0) {
      return absl::AlreadyExistsError("the code was redeemed before");
    }
    if (tx.Exec(kSignedIn, session.user_id, Time(session.created), session.password_hash)
            .affected_rows() == 0) {
      return absl::NotFoundError("the user is gone, disabled, or has another password by now");
    }
    tx.Exec(kBegin, session.id, session.user_id, session.secret_hash, Time(session.created),
            Time(session.expires), Text(session.peer, 256), Text(session.user_agent, 256));
    return absl::OkStatus();
  });
}

absl::StatusOr<Principal> UserStore::FindSession(const std::string& secret_hash, absl::Time now,
                                                 absl::Duration idle) {
  return pool_.Transact("find a session", [&](Transaction& tx) -> absl::StatusOr<Principal> {
    const pqxx::result rows = tx.Exec(kFind, secret_hash, Time(now), Time(now - idle));
    if (rows.empty()) return absl::UnauthenticatedError("session unknown");
    const pqxx::row row = rows[0];
    if (row[6].as<bool>()) return absl::UnauthenticatedError("user disabled");
    if (row[7].as<bool>()) return absl::UnauthenticatedError("session expired");
    const RoleRow* role = FindRole(TextOf(row[3]));
    if (role == nullptr) {
      return absl::InternalError("user has a role that this program does not know");
    }
    Principal principal;
    principal.token_id = TextOf(row[0]);
    principal.user_id = TextOf(row[1]);
    principal.name = TextOf(row[2]);
    principal.role = role->role;
    principal.scope = TextOf(row[4]);
    principal.must_change_password = row[5].as<bool>();
    principal.kind = CallerKind::kUser;
    return principal;
  });
}

absl::StatusOr<std::vector<v1::Session>> UserStore::ListSessions(const std::string& user_id,
                                                                 absl::Time now,
                                                                 absl::Duration idle) {
  return pool_.Transact(
      "list sessions", [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::Session>> {
        std::vector<v1::Session> sessions;
        for (const pqxx::row& row : tx.Exec(kList, user_id, Time(now), Time(now - idle))) {
          v1::Session& session = sessions.emplace_back();
          session.set_id(TextOf(row[0]));
          *session.mutable_create_time() = TimestampOf(TimeOf(row[1]));
          *session.mutable_expire_time() = TimestampOf(TimeOf(row[2]));
          *session.mutable_last_seen_time() = TimestampOf(TimeOf(row[3]));
          session.set_peer(TextOf(row[4]));
          session.set_user_agent(TextOf(row[5]));
        }
        return sessions;
      });
}

absl::Status UserStore::EndSession(const std::string& session_id) {
  return pool_.Transact("end a session", [&](Transaction& tx) {
    tx.Exec(kEnd, Text(session_id, 256));
    AnnounceAccess(tx, {session_id});
    return absl::OkStatus();
  });
}

absl::StatusOr<int> UserStore::EndSessions(const std::string& user_id) {
  return pool_.Transact("end a user's sessions", [&](Transaction& tx) -> absl::StatusOr<int> {
    return store::EndSessions(tx, user_id);
  });
}

absl::Status UserStore::Touch(const std::map<std::string, absl::Time>& seen) {
  if (seen.empty()) return absl::OkStatus();
  std::vector<std::string> ids, times;
  for (const auto& [id, time] : seen) {
    ids.push_back(id);
    times.push_back(Time(time));
  }
  return pool_.Transact("note the use of sessions", [&](Transaction& tx) {
    tx.Exec(kTouch, TextArray(ids), TextArray(times));
    return absl::OkStatus();
  });
}

absl::Status UserStore::RemoveDead(absl::Time now, absl::Duration idle) {
  return pool_.Transact("remove dead sessions", [&](Transaction& tx) {
    tx.Exec(kRemoveDead, Time(now), Time(now - idle));
    tx.Exec(kRemoveSpent, Time(now));
    return absl::OkStatus();
  });
}

}  // namespace plimsoll::store
