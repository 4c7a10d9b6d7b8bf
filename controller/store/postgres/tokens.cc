#include "absl/strings/str_cat.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/token_store.h"

namespace plimsoll::store {
namespace {

// A name is free again once its token has expired.
constexpr Statement kRetire = {
    "tokens_retire",
    "UPDATE token SET revoked = true WHERE name = $1 AND NOT revoked AND expires <= $2"};
constexpr Statement kCreate = {"tokens_create",
                               "INSERT INTO token (id, name, role, secret_hash, created, expires)"
                               " VALUES ($1, $2, $3, $4, $5, NULLIF($6, '')::timestamptz)"};
constexpr Statement kFind = {
    "tokens_find",
    "SELECT id, name, role, revoked, expires IS NOT NULL AND expires <= $2::timestamptz"
    " FROM token WHERE secret_hash = $1"};
constexpr Statement kRevoke = {"tokens_revoke", "UPDATE token SET revoked = true WHERE id = $1"};
constexpr Statement kAny = {"tokens_any", "SELECT EXISTS (SELECT FROM token)"};

struct RoleName {
  Role role;
  const char* name;
};
constexpr RoleName kRoles[] = {{Role::kViewer, "viewer"},
                               {Role::kAuditor, "auditor"},
                               {Role::kOperator, "operator"},
                               {Role::kAdmin, "admin"}};

std::string NameOf(Role role) {
  for (const RoleName& entry : kRoles) {
    if (entry.role == role) return entry.name;
  }
  return "";
}

}  // namespace

absl::Status TokenStore::Create(const Principal& principal, const std::string& secret_hash,
                                absl::Time now, std::optional<absl::Time> expires) {
  absl::Status status = pool_.Transact("create a token", [&](Transaction& tx) {
    tx.Exec(kRetire, Text(principal.name), Time(now));
    tx.Exec(kCreate, principal.token_id, Text(principal.name), NameOf(principal.role), secret_hash,
            Time(now), expires.has_value() ? Time(*expires) : "");
    return absl::OkStatus();
  });
  if (absl::IsAlreadyExists(status)) {
    return absl::AlreadyExistsError(
        absl::StrCat("a token named \"", Text(principal.name, 256), "\" exists"));
  }
  return status;
}

absl::StatusOr<Principal> TokenStore::Find(const std::string& secret_hash, absl::Time now) {
  return pool_.Transact("find a token", [&](Transaction& tx) -> absl::StatusOr<Principal> {
    const pqxx::result rows = tx.Exec(kFind, secret_hash, Time(now));
    if (rows.empty()) return absl::UnauthenticatedError("token unknown");
    const pqxx::row row = rows[0];
    if (row[3].as<bool>()) return absl::UnauthenticatedError("token revoked");
    if (row[4].as<bool>()) return absl::UnauthenticatedError("token expired");
    for (const RoleName& entry : kRoles) {
      if (TextOf(row[2]) == entry.name) {
        return Principal{TextOf(row[0]), TextOf(row[1]), entry.role};
      }
    }
    return absl::InternalError("token has a role that this program does not know");
  });
}

absl::Status TokenStore::Revoke(const std::string& token_id) {
  return pool_.Transact("revoke a token", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kRevoke, Text(token_id)).affected_rows() == 0) {
      return absl::NotFoundError(absl::StrCat("no token \"", Text(token_id, 256), "\""));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> TokenStore::AnyExists() {
  return pool_.Transact("look for tokens", [](Transaction& tx) -> absl::StatusOr<bool> {
    return tx.Exec(kAny)[0][0].as<bool>();
  });
}

}  // namespace plimsoll::store
