// UserStore: people. Their sessions are in user_sessions.cc.
#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/role_names.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/postgres/user_rows.h"
#include "controller/store/user_store.h"

namespace plimsoll::store {
namespace {

constexpr Statement kCreate = {
    "users_create",
    "INSERT INTO account (id, name, role, scope, description, password_hash, must_change, disabled,"
    " created, created_by, issuer, subject) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
    " $12)"};
constexpr Statement kGet = {
    "users_get", PLIMSOLL_SELECT_USER "WHERE id = $1 OR name = $1 ORDER BY id <> $1 LIMIT 1"};
constexpr Statement kLock = {"users_lock", PLIMSOLL_SELECT_USER "WHERE id = $1 FOR UPDATE"};
constexpr Statement kLockExternal = {
    "users_lock_external",
    PLIMSOLL_SELECT_USER "WHERE issuer = $1 AND subject = $2 AND subject <> '' FOR UPDATE"};
constexpr Statement kList = {"users_list",
                             PLIMSOLL_SELECT_USER "WHERE name > $1 ORDER BY name LIMIT $2"};
constexpr Statement kAny = {"users_any", "SELECT EXISTS (SELECT FROM account)"};
constexpr Statement kUpdate = {
    "users_update",
    "UPDATE account SET role = $2, scope = $3, disabled = $4, description = $5 WHERE id = $1"};
constexpr Statement kSetPassword = {
    "users_set_password", "UPDATE account SET password_hash = $2, must_change = $3 WHERE id = $1"};
constexpr Statement kDelete = {"users_delete", "DELETE FROM account WHERE id = $1"};
// Changes that could leave nobody in charge wait for each other.
constexpr Statement kLockAdmins = {"users_lock_admins", "SELECT pg_advisory_xact_lock(7245107784)"};
constexpr Statement kAdmins = {
    "users_admins",
    "SELECT count(*) FROM account WHERE role = 'admin' AND NOT disabled AND scope = ''"};

absl::Status NoSuchUser(const std::string& user) {
  return absl::NotFoundError(absl::StrCat("no user \"", Text(user, 256), "\""));
}

// FAILED_PRECONDITION: what `tx` did to a user who was `before` leaves no administrator.
absl::Status CheckAdmins(Transaction& tx, const v1::User& before) {
  if (before.role() != v1::ROLE_ADMIN || before.disabled() || !before.scope().empty()) {
    return absl::OkStatus();
  }
  if (tx.Exec(kAdmins)[0][0].as<int64_t>() > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "this is the last user who administers the whole fleet; make another one first");
}

}  // namespace

v1::User UserOf(const pqxx::row& row) {
  v1::User user;
  user.set_id(TextOf(row[0]));
  user.set_name(TextOf(row[1]));
  if (const RoleRow* role = FindRole(TextOf(row[2])); role != nullptr) user.set_role(role->proto);
  user.set_scope(TextOf(row[3]));
  user.set_description(TextOf(row[4]));
  user.set_must_change_password(row[6].as<bool>());
  user.set_disabled(row[7].as<bool>());
  *user.mutable_create_time() = TimestampOf(TimeOf(row[8]));
  user.set_created_by(TextOf(row[9]));
  if (!row[10].is_null()) *user.mutable_last_sign_in_time() = TimestampOf(TimeOf(row[10]));
  user.set_identity_provider(TextOf(row[11]));
  user.set_subject(TextOf(row[12]));
  return user;
}

absl::Status UserStore::Create(const v1::User& user, const std::string& password_hash) {
  const absl::Status status = pool_.Transact("create a user", [&](Transaction& tx) {
    tx.Exec(kCreate, user.id(), Text(user.name()), NameOf(user.role()), Text(user.scope()),
            Text(user.description()), password_hash, user.must_change_password(), user.disabled(),
            Time(TimeOf(user.create_time())), Text(user.created_by()), user.identity_provider(),
            user.subject());
    return absl::OkStatus();
  });
  if (absl::IsAlreadyExists(status)) {
    return absl::AlreadyExistsError(
        absl::StrCat("a user named \"", Text(user.name(), 256), "\" exists"));
  }
  return status;
}

absl::StatusOr<v1::User> UserStore::RefreshExternal(const v1::User& user) {
  return pool_.Transact("refresh a user", [&](Transaction& tx) -> absl::StatusOr<v1::User> {
    const pqxx::result rows =
        tx.Exec(kLockExternal, Text(user.identity_provider()), Text(user.subject()));
    if (rows.empty()) return NoSuchUser(user.subject());
    v1::User stored = UserOf(rows[0]);
    if (stored.role() == user.role() && stored.scope() == user.scope()) return stored;
    stored.set_role(user.role());
    stored.set_scope(user.scope());
    tx.Exec(kUpdate, stored.id(), NameOf(stored.role()), Text(stored.scope()), stored.disabled(),
            Text(stored.description()));
    EndAccess(tx, stored.id());
    return stored;
  });
}

absl::Status UserStore::EndExternal(const std::string& issuer, const std::string& subject) {
  return pool_.Transact("end a user's access", [&](Transaction& tx) {
    const pqxx::result rows = tx.Exec(kLockExternal, Text(issuer), Text(subject));
    if (!rows.empty()) EndAccess(tx, UserOf(rows[0]).id());
    return absl::OkStatus();
  });
}

absl::StatusOr<StoredUser> UserStore::Get(const std::string& id_or_name) {
  return pool_.Transact("get a user", [&](Transaction& tx) -> absl::StatusOr<StoredUser> {
    const pqxx::result rows = tx.Exec(kGet, Text(id_or_name, 256));
    if (rows.empty()) return NoSuchUser(id_or_name);
    return StoredUser{UserOf(rows[0]), TextOf(rows[0][5])};
  });
}

absl::StatusOr<std::vector<v1::User>> UserStore::List(const std::string& after_name, int limit) {
  return pool_.Transact("list users",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::User>> {
                          std::vector<v1::User> users;
                          for (const pqxx::row& row : tx.Exec(kList, Text(after_name), limit)) {
                            users.push_back(UserOf(row));
                          }
                          return users;
                        });
}

absl::StatusOr<bool> UserStore::AnyExists() {
  return pool_.Transact("look for users", [](Transaction& tx) -> absl::StatusOr<bool> {
    return tx.Exec(kAny)[0][0].as<bool>();
  });
}

absl::StatusOr<v1::User> UserStore::Update(const std::string& id,
                                           const std::function<absl::Status(v1::User&)>& change) {
  return pool_.Transact("change a user", [&](Transaction& tx) -> absl::StatusOr<v1::User> {
    tx.Exec(kLockAdmins);
    const pqxx::result rows = tx.Exec(kLock, Text(id, 256));
    if (rows.empty()) return NoSuchUser(id);
    const v1::User before = UserOf(rows[0]);
    v1::User user = before;
    if (auto status = change(user); !status.ok()) return status;
    tx.Exec(kUpdate, user.id(), NameOf(user.role()), Text(user.scope()), user.disabled(),
            Text(user.description()));
    if (user.role() == before.role() && user.scope() == before.scope() &&
        user.disabled() == before.disabled()) {
      return user;
    }
    if (auto status = CheckAdmins(tx, before); !status.ok()) return status;
    EndAccess(tx, user.id());
    return user;
  });
}

absl::Status UserStore::SetPassword(const std::string& id, const std::string& password_hash,
                                    bool must_change, const std::string& keep_session) {
  return pool_.Transact("set a password", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kSetPassword, Text(id, 256), password_hash, must_change).affected_rows() == 0) {
      return NoSuchUser(id);
    }
    store::EndSessions(tx, id, keep_session);
    return absl::OkStatus();
  });
}

absl::Status UserStore::Delete(const std::string& id) {
  return pool_.Transact("delete a user", [&](Transaction& tx) -> absl::Status {
    tx.Exec(kLockAdmins);
    const pqxx::result rows = tx.Exec(kLock, Text(id, 256));
    if (rows.empty()) return NoSuchUser(id);
    EndAccess(tx, id);
    tx.Exec(kDelete, Text(id, 256));
    return CheckAdmins(tx, UserOf(rows[0]));
  });
}

}  // namespace plimsoll::store
