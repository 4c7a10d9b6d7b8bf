#include "absl/strings/str_cat.h"
#include "controller/store/authority_store.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

using Role = AuthorityRecord::Role;

constexpr Statement kList = {"authorities_list",
                             "SELECT fingerprint, role, certificate, sealed FROM authority"
                             " ORDER BY role <> 'current', fingerprint"};
constexpr Statement kCurrent = {"authorities_current",
                                "SELECT fingerprint FROM authority WHERE role = 'current'"};
constexpr Statement kDropOthers = {"authorities_drop_others",
                                   "DELETE FROM authority WHERE fingerprint <> $1"};
constexpr Statement kOnDisk = {"authorities_on_disk",
                               "UPDATE authority SET role = 'current', sealed = NULL"};
// The first one stays.
constexpr Statement kAdd = {
    "authorities_add",
    "INSERT INTO authority (fingerprint, certificate, recorded)"
    " SELECT $1, $2, $3::timestamptz WHERE NOT EXISTS (SELECT FROM authority)"};
constexpr Statement kSeal = {"authorities_seal",
                             "UPDATE authority SET sealed = $2 WHERE fingerprint = $1"
                             " AND role = 'current' AND (SELECT count(*) FROM authority) = 1"};
constexpr Statement kAddNext = {
    "authorities_add_next",
    "INSERT INTO authority (fingerprint, certificate, recorded, role, sealed)"
    " VALUES ($1, $2, $3, 'next', $4)"};
constexpr Statement kToPrevious = {
    "authorities_to_previous",
    "UPDATE authority SET role = 'previous' WHERE role = 'current'"
    " AND EXISTS (SELECT FROM authority WHERE role = 'next') RETURNING fingerprint"};
constexpr Statement kToCurrent = {"authorities_to_current",
                                  "UPDATE authority SET role = 'current' WHERE role = 'next'"};
constexpr Statement kDrop = {"authorities_drop",
                             "DELETE FROM authority WHERE role = $1 RETURNING fingerprint"};
constexpr Statement kCount = {
    "authorities_count",
    "SELECT c.issuer, c.bundle, count(*) FROM host h JOIN certificate c"
    " ON c.serial = h.certificate_serial AND c.host_id = h.id"
    " WHERE h.revoked IS NULL AND h.removed IS NULL AND c.not_after > $1::timestamptz"
    " GROUP BY c.issuer, c.bundle"};

// Steps of controllers that are taken at once come one after the other.
void Lock(Transaction& tx) { tx.ExecScript("LOCK TABLE authority IN EXCLUSIVE MODE"); }

Role RoleOf(absl::string_view text) {
  if (text == "next") return Role::kNext;
  return text == "previous" ? Role::kPrevious : Role::kCurrent;
}

TrustCounts CountIn(Transaction& tx, const std::string& bundle, absl::Time now) {
  TrustCounts counts;
  for (const pqxx::row& row : tx.Exec(kCount, Time(now))) {
    const int64_t hosts = row[2].as<int64_t>();
    counts.by_issuer[TextOf(row[0])] += hosts;
    if (TextOf(row[1]) != bundle) counts.outdated += hosts;
  }
  return counts;
}

}  // namespace

absl::StatusOr<std::vector<AuthorityRecord>> AuthorityStore::List() {
  return pool_.Transact("list certificate authorities",
                        [](Transaction& tx) -> absl::StatusOr<std::vector<AuthorityRecord>> {
                          std::vector<AuthorityRecord> records;
                          for (const pqxx::row& row : tx.Exec(kList)) {
                            records.push_back({TextOf(row[0]), RoleOf(TextOf(row[1])),
                                               TextOf(row[2]), BytesOf(row[3])});
                          }
                          return records;
                        });
}

absl::Status AuthorityStore::Join(const std::string& fingerprint,
                                  const std::string& certificate_pem, absl::Time now,
                                  bool replace) {
  return pool_.Transact("join the certificate authority", [&](Transaction& tx) -> absl::Status {
    Lock(tx);
    if (replace) {
      tx.Exec(kDropOthers, fingerprint);
      tx.Exec(kOnDisk);
      AnnounceAuthority(tx);
    }
    tx.Exec(kAdd, fingerprint, Text(certificate_pem), Time(now));
    if (tx.Exec(kCurrent)[0][0].as<std::string>() == fingerprint) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "the hosts of this database trust another certificate authority than the one in this "
        "controller's pki directory: copy pki/ca.pem, pki/ca.key and pki/secrets.key from a backup "
        "or from another controller on the database; or start once with --replace-authority and "
        "enrol every host again");
  });
}

absl::Status AuthorityStore::Begin(const std::string& current, const std::string& current_sealed,
                                   const AuthorityRecord& next, absl::Time now) {
  return pool_.Transact("begin a rotation", [&](Transaction& tx) -> absl::Status {
    Lock(tx);
    if (tx.Exec(kSeal, current, Bytes(current_sealed)).affected_rows() == 0) {
      return absl::FailedPreconditionError(
          "a rotation is under way: `plimsoll ca show` tells how far it is");
    }
    if (next.fingerprint == current) {
      return absl::AlreadyExistsError("this authority's root is the one in use");
    }
    tx.Exec(kAddNext, next.fingerprint, Text(next.certificate_pem), Time(now), Bytes(next.sealed));
    AnnounceAuthority(tx);
    return absl::OkStatus();
  });
}

absl::Status AuthorityStore::Switch(const std::string& bundle, bool force, absl::Time now) {
  return pool_.Transact("switch the certificate authority", [&](Transaction& tx) -> absl::Status {
    Lock(tx);
    if (tx.Exec(kToPrevious).empty()) {
      return absl::FailedPreconditionError(
          "no rotation was begun, or it is switched already: see `plimsoll ca show`");
    }
    const int64_t outdated = CountIn(tx, bundle, now).outdated;
    if (outdated > 0 && !force) {
      return absl::FailedPreconditionError(
          absl::StrCat(outdated,
                       " host(s) do not trust the new root yet; they get it when they connect. "
                       "With force they are lost until they enrol again"));
    }
    tx.Exec(kToCurrent);
    AnnounceAuthority(tx);
    return absl::OkStatus();
  });
}

absl::Status AuthorityStore::Finish(bool force, absl::Time now) {
  return pool_.Transact("finish a rotation", [&](Transaction& tx) -> absl::Status {
    Lock(tx);
    const pqxx::result rows = tx.Exec(kDrop, "previous");
    if (rows.empty()) {
      return absl::FailedPreconditionError(
          "there is no previous authority: nothing was switched, or all is done; see `plimsoll ca "
          "show`");
    }
    const int64_t left = CountIn(tx, "", now).by_issuer[TextOf(rows[0][0])];
    if (left > 0 && !force) {
      return absl::FailedPreconditionError(
          absl::StrCat(left,
                       " host(s) still have certificates of the previous root; they get new ones "
                       "when they connect. With force they are lost until they enrol again"));
    }
    AnnounceAuthority(tx);
    return absl::OkStatus();
  });
}

absl::Status AuthorityStore::Cancel() {
  return pool_.Transact("cancel a rotation", [](Transaction& tx) -> absl::Status {
    Lock(tx);
    if (tx.Exec(kDrop, "next").empty()) {
      return absl::FailedPreconditionError(
          "there is no rotation to cancel, or it is switched already: see `plimsoll ca show`");
    }
    AnnounceAuthority(tx);
    return absl::OkStatus();
  });
}

absl::StatusOr<TrustCounts> AuthorityStore::Count(const std::string& bundle, absl::Time now) {
  return pool_.Transact(
      "count certificates by authority",
      [&](Transaction& tx) -> absl::StatusOr<TrustCounts> { return CountIn(tx, bundle, now); });
}

}  // namespace plimsoll::store
