#include "absl/strings/str_cat.h"
#include "controller/store/enrollment_store.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "proto/support/digest.h"

namespace plimsoll::store {
namespace {

constexpr Statement kAuthority = {"enrollment_authority", "SELECT fingerprint FROM authority"};
constexpr Statement kDropAuthorities = {"enrollment_drop_authorities",
                                        "DELETE FROM authority WHERE fingerprint <> $1"};
// The first one stays.
constexpr Statement kAddAuthority = {
    "enrollment_add_authority",
    "INSERT INTO authority (fingerprint, certificate, recorded)"
    " SELECT $1, $2, $3::timestamptz WHERE NOT EXISTS (SELECT FROM authority)"};

constexpr Statement kCreate = {
    "enrollment_create",
    "INSERT INTO enrollment_token (id, secret_hash, description, max_uses, created, expires)"
    " VALUES ($1, $2, $3, $4, $5, NULLIF($6, '')::timestamptz)"};
constexpr Statement kList = {
    "enrollment_list",
    "SELECT id, description, max_uses, use_count, micros(created), micros(expires), revoked"
    " FROM enrollment_token ORDER BY created DESC, id"};
constexpr Statement kRevoke = {
    "enrollment_revoke",
    "UPDATE enrollment_token SET revoked = true WHERE id = $1"
    " RETURNING id, description, max_uses, use_count, micros(created), micros(expires), revoked"};
// The row lock makes concurrent uses queue; each sees the count the one before left.
constexpr Statement kTake = {"enrollment_take",
                             "UPDATE enrollment_token SET use_count = use_count + 1"
                             " WHERE secret_hash = $1 AND NOT revoked AND use_count < max_uses"
                             " AND (expires IS NULL OR expires > $2::timestamptz)"};
constexpr Statement kWhyNot = {
    "enrollment_why_not",
    "SELECT id, revoked, use_count >= max_uses FROM enrollment_token WHERE secret_hash = $1"};
constexpr Statement kAddHost = {"enrollment_add_host",
                                "INSERT INTO host (id, hostname, enrolled) VALUES ($1, $2, $3)"};
constexpr Statement kAddCertificate = {
    "enrollment_add_certificate",
    "INSERT INTO certificate (serial, host_id, not_before, not_after) VALUES ($1, $2, $3, $4)"};
constexpr Statement kLockHost = {"enrollment_lock_host",
                                 "SELECT revoked IS NOT NULL, removed IS NOT NULL FROM host"
                                 " WHERE id = $1 FOR SHARE"};
constexpr Statement kRevokeHost = {
    "enrollment_revoke_host",
    "UPDATE host SET connected = false, revoked = coalesce(revoked, $2),"
    " revoke_reason = CASE WHEN revoked IS NULL THEN $3 ELSE revoke_reason END,"
    " session_epoch = session_epoch + 1, changed = pg_current_xact_id() WHERE id = $1"};
constexpr Statement kRevokeCertificates = {
    "enrollment_revoke_certificates",
    "UPDATE certificate SET revoked = $2 WHERE host_id = $1 AND revoked IS NULL"};
constexpr Statement kCheck = {
    "enrollment_check",
    "SELECT c.host_id, c.revoked IS NOT NULL, h.revoked IS NOT NULL, h.removed IS NOT NULL"
    " FROM certificate c"
    " JOIN host h ON h.id = c.host_id WHERE c.serial = $1"};

v1::EnrollmentToken TokenOf(const pqxx::row& row) {
  v1::EnrollmentToken token;
  token.set_id(TextOf(row[0]));
  token.set_description(TextOf(row[1]));
  token.set_max_uses(row[2].as<int32_t>());
  token.set_use_count(row[3].as<int32_t>());
  *token.mutable_create_time() = TimestampOf(TimeOf(row[4]));
  if (!row[5].is_null()) *token.mutable_expire_time() = TimestampOf(TimeOf(row[5]));
  token.set_revoked(row[6].as<bool>());
  return token;
}

void AddCertificate(Transaction& tx, const CertificateRecord& certificate) {
  tx.Exec(kAddCertificate, certificate.serial, certificate.host_id, Time(certificate.not_before),
          Time(certificate.not_after));
}

}  // namespace

absl::Status EnrollmentStore::CreateToken(const v1::EnrollmentToken& token,
                                          const std::string& secret_hash) {
  return pool_.Transact("create an enrolment token", [&](Transaction& tx) {
    tx.Exec(kCreate, token.id(), secret_hash, Text(token.description()), token.max_uses(),
            Time(TimeOf(token.create_time())),
            token.has_expire_time() ? Time(TimeOf(token.expire_time())) : "");
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::EnrollmentToken>> EnrollmentStore::ListTokens() {
  return pool_.Transact("list enrolment tokens",
                        [](Transaction& tx) -> absl::StatusOr<std::vector<v1::EnrollmentToken>> {
                          std::vector<v1::EnrollmentToken> tokens;
                          for (const pqxx::row& row : tx.Exec(kList)) {
                            tokens.push_back(TokenOf(row));
                          }
                          return tokens;
                        });
}

absl::StatusOr<v1::EnrollmentToken> EnrollmentStore::RevokeToken(const std::string& id) {
  return pool_.Transact(
      "revoke an enrolment token", [&id](Transaction& tx) -> absl::StatusOr<v1::EnrollmentToken> {
        const pqxx::result rows = tx.Exec(kRevoke, Text(id));
        if (rows.empty()) {
          return absl::NotFoundError(absl::StrCat("no enrolment token \"", Text(id, 256), "\""));
        }
        return TokenOf(rows[0]);
      });
}

absl::Status EnrollmentStore::Enroll(const std::string& secret_hash, const std::string& hostname,
                                     const CertificateRecord& certificate, absl::Time now) {
  return pool_.Transact("enrol", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kTake, secret_hash, Time(now)).affected_rows() == 0) {
      const pqxx::result rows = tx.Exec(kWhyNot, secret_hash);
      if (rows.empty()) return absl::UnauthenticatedError("enrolment token unknown");
      const absl::string_view why = rows[0][1].as<bool>()   ? "revoked"
                                    : rows[0][2].as<bool>() ? "exhausted"
                                                            : "expired";
      return absl::UnauthenticatedError(
          absl::StrCat("enrolment token ", TextOf(rows[0][0]), " is ", why));
    }
    tx.Exec(kAddHost, certificate.host_id, Text(hostname, 255), Time(now));
    AddCertificate(tx, certificate);
    AnnounceHosts(tx, {certificate.host_id});
    return absl::OkStatus();
  });
}

absl::Status EnrollmentStore::RecordCertificate(const CertificateRecord& certificate) {
  return pool_.Transact("record a certificate", [&](Transaction& tx) -> absl::Status {
    const pqxx::result rows = tx.Exec(kLockHost, certificate.host_id);
    if (rows.empty()) return absl::NotFoundError(absl::StrCat("no host ", certificate.host_id));
    if (rows[0][0].as<bool>() || rows[0][1].as<bool>()) {
      return absl::PermissionDeniedError(absl::StrCat(
          "host ", certificate.host_id, rows[0][1].as<bool>() ? " is removed" : " is revoked"));
    }
    AddCertificate(tx, certificate);
    return absl::OkStatus();
  });
}

absl::Status EnrollmentStore::RevokeHost(const std::string& host_id, const std::string& reason,
                                         absl::Time now) {
  return pool_.Transact("revoke a host", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kRevokeHost, Text(host_id), Time(now), Text(reason)).affected_rows() == 0) {
      return absl::NotFoundError(absl::StrCat("no host \"", Text(host_id, 256), "\""));
    }
    tx.Exec(kRevokeCertificates, host_id, Time(now));
    AnnounceHosts(tx, {host_id});
    return absl::OkStatus();
  });
}

absl::Status EnrollmentStore::CheckCertificate(const std::string& serial,
                                               const std::string& host_id) {
  return pool_.Transact("check a certificate", [&](Transaction& tx) -> absl::Status {
    const pqxx::result rows = tx.Exec(kCheck, Text(serial));
    if (rows.empty()) return absl::UnauthenticatedError("certificate unknown");
    if (TextOf(rows[0][0]) != host_id) {
      return absl::UnauthenticatedError("certificate belongs to another host");
    }
    if (rows[0][2].as<bool>()) return absl::UnauthenticatedError("host revoked");
    if (rows[0][3].as<bool>()) return absl::UnauthenticatedError("host removed");
    if (rows[0][1].as<bool>()) return absl::UnauthenticatedError("certificate revoked");
    return absl::OkStatus();
  });
}

absl::Status EnrollmentStore::JoinAuthority(const std::string& certificate_pem, absl::Time now,
                                            bool replace) {
  const std::string fingerprint = support::Sha256Hex(certificate_pem);
  return pool_.Transact("join the certificate authority", [&](Transaction& tx) -> absl::Status {
    tx.ExecScript("LOCK TABLE authority IN EXCLUSIVE MODE");
    if (replace) tx.Exec(kDropAuthorities, fingerprint);
    tx.Exec(kAddAuthority, fingerprint, Text(certificate_pem), Time(now));
    if (tx.Exec(kAuthority)[0][0].as<std::string>() == fingerprint) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "the hosts of this database trust another certificate authority than the one in this "
        "controller's pki directory: copy pki/ca.pem and pki/ca.key from a backup or from another "
        "controller on the database; or start once with --replace-authority and enrol every host "
        "again");
  });
}

}  // namespace plimsoll::store
