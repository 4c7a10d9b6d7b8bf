#include "absl/strings/str_cat.h"
#include "controller/store/enrollment_store.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/enrollment_rows.h"
#include "controller/store/postgres/host_rows.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

// So long a host may ask again for the certificate that it was given.
constexpr absl::Duration kAnswerMayBeLost = absl::Hours(24);

constexpr Statement kCreate = {
    "enrollment_create",
    "INSERT INTO enrollment_token (id, secret_hash, description, max_uses, created, expires,"
    " requires_approval, labels, host_id)"
    " VALUES ($1, $2, $3, $4, $5, NULLIF($6, '')::timestamptz, $7,"
    " jsonb_object($8::text[], $9::text[]), $10)"};
#define PLIMSOLL_TOKEN                                                                       \
  "id, description, max_uses, use_count, micros(created), micros(expires), revoked, labels," \
  " requires_approval, host_id"
constexpr Statement kList = {
    "enrollment_list", "SELECT " PLIMSOLL_TOKEN " FROM enrollment_token ORDER BY created DESC, id"};
constexpr Statement kRevoke = {
    "enrollment_revoke",
    "UPDATE enrollment_token SET revoked = true WHERE id = $1 RETURNING " PLIMSOLL_TOKEN};
#undef PLIMSOLL_TOKEN
// The row lock makes concurrent uses queue; each sees the count the one before left.
constexpr Statement kTake = {
    "enrollment_take",
    "UPDATE enrollment_token SET use_count = use_count + 1"
    " WHERE secret_hash = $1 AND NOT revoked AND use_count < max_uses"
    " AND (expires IS NULL OR expires > $2::timestamptz) RETURNING id, labels, host_id"};
constexpr Statement kWhyNot = {
    "enrollment_why_not",
    "SELECT id, revoked, use_count >= max_uses FROM enrollment_token WHERE secret_hash = $1"};
constexpr Statement kFind = {
    "enrollment_find",
    "SELECT id, requires_approval, host_id, NOT revoked AND use_count < max_uses"
    " AND (expires IS NULL OR expires > $2::timestamptz), revoked FROM enrollment_token"
    " WHERE secret_hash = $1"};
// Those who wait with a revoked token.
constexpr Statement kDropWaiting = {"enrollment_drop_waiting",
                                    "DELETE FROM enrollment WHERE token_id = $1"};
// Of a token that was not revoked; whether it has expired meanwhile matters no more.
constexpr Statement kUseApproval = {
    "enrollment_use_approval",
    "DELETE FROM enrollment e USING enrollment_token t WHERE t.secret_hash = $1"
    " AND NOT t.revoked AND e.token_id = t.id AND e.key = $2 AND e.state = 2"
    " AND e.expires > $3::timestamptz RETURNING t.id, t.labels || e.labels, t.host_id"};
constexpr Statement kAddHost = {
    "enrollment_add_host",
    "INSERT INTO host (id, hostname, enrolled, labels, enrolled_labels, certificate_serial)"
    " VALUES ($1, $2, $3, $4::jsonb, $4::jsonb, $5)"};
// As a release from quarantine, and nobody has the lease from now on.
constexpr Statement kBeginAnew = {
    "enrollment_begin_anew",
    "UPDATE host SET hostname = $2, labels = labels || $3::jsonb,"
    " enrolled_labels = enrolled_labels || $3::jsonb, certificate_serial = $4, revoked = NULL,"
    " revoke_reason = '', quarantined = NULL, quarantine_reason = '', earlier_boot_ids = '{}',"
    " certificate_not_before = NULL, connected = false, session_epoch = session_epoch + 1,"
    " changed = pg_current_xact_id() WHERE id = $1 AND removed IS NULL"};
constexpr Statement kAddCertificate = {
    "enrollment_add_certificate",
    "INSERT INTO certificate (serial, host_id, not_before, not_after, issuer, bundle, key,"
    " token_id, enrolled) VALUES ($1, $2, $3, $4, $5, $6, NULLIF($7, ''), NULLIF($8, ''),"
    " NULLIF($9, '')::timestamptz)"};
constexpr Statement kFindEnrolled = {
    "enrollment_find_enrolled",
    "SELECT c.host_id, c.serial FROM enrollment_token t JOIN certificate c ON c.token_id = t.id"
    " JOIN host h ON h.id = c.host_id WHERE t.secret_hash = $1 AND NOT t.revoked AND c.key = $2"
    " AND c.enrolled > $3::timestamptz AND c.revoked IS NULL AND h.revoked IS NULL"
    " AND h.removed IS NULL ORDER BY c.enrolled DESC LIMIT 1"};
// After the lock of the host: who revokes its certificates holds that too.
constexpr Statement kIsGood = {
    "enrollment_is_good",
    "SELECT FROM certificate WHERE serial = $1 AND host_id = $2 AND revoked IS NULL"};
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
constexpr Statement kRemoveCertificates = {
    "enrollment_remove_certificates",
    "DELETE FROM certificate WHERE serial IN (SELECT c.serial FROM certificate c"
    "  JOIN host h ON h.id = c.host_id WHERE c.not_after < $1::timestamptz"
    "  AND h.certificate_serial <> c.serial LIMIT $2)"};

v1::EnrollmentToken TokenOf(const pqxx::row& row) {
  v1::EnrollmentToken token;
  token.set_id(TextOf(row[0]));
  token.set_description(TextOf(row[1]));
  token.set_max_uses(row[2].as<int32_t>());
  token.set_use_count(row[3].as<int32_t>());
  *token.mutable_create_time() = TimestampOf(TimeOf(row[4]));
  if (!row[5].is_null()) *token.mutable_expire_time() = TimestampOf(TimeOf(row[5]));
  token.set_revoked(row[6].as<bool>());
  ParseLabels(TextOf(row[7]), *token.mutable_labels());
  token.set_requires_approval(row[8].as<bool>());
  token.set_host_id(TextOf(row[9]));
  return token;
}

// `key`, `token_id` and `enrolled` are empty when it is renewed.
void AddCertificate(Transaction& tx, const CertificateRecord& certificate, const std::string& key,
                    const std::string& token_id, const std::string& enrolled) {
  tx.Exec(kAddCertificate, certificate.serial, certificate.host_id, Time(certificate.not_before),
          Time(certificate.not_after), certificate.trust.issuer, certificate.trust.bundle, key,
          token_id, enrolled);
}

// The right to enrol: id of the token, labels, host. Empty: there is none.
pqxx::result TakeRight(Transaction& tx, const std::string& secret_hash, const std::string& key,
                       bool requires_approval, absl::Time now) {
  if (requires_approval) return tx.Exec(kUseApproval, secret_hash, key, Time(now));
  return TakeUse(tx, secret_hash, now);
}

}  // namespace

pqxx::result FindToken(Transaction& tx, const std::string& secret_hash, absl::Time now) {
  return tx.Exec(kFind, secret_hash, Time(now));
}

pqxx::result TakeUse(Transaction& tx, const std::string& secret_hash, absl::Time now) {
  return tx.Exec(kTake, secret_hash, Time(now));
}

pqxx::result FindEnrolled(Transaction& tx, const std::string& secret_hash, const std::string& key,
                          absl::Time now) {
  return tx.Exec(kFindEnrolled, secret_hash, key, Time(now - kAnswerMayBeLost));
}

absl::Status WhyNot(Transaction& tx, const std::string& secret_hash) {
  const pqxx::result rows = tx.Exec(kWhyNot, secret_hash);
  if (rows.empty()) return absl::UnauthenticatedError("enrolment token unknown");
  const absl::string_view why = rows[0][1].as<bool>()   ? "revoked"
                                : rows[0][2].as<bool>() ? "exhausted"
                                                        : "expired";
  return absl::UnauthenticatedError(
      absl::StrCat("enrolment token ", TextOf(rows[0][0]), " is ", why));
}

absl::Status EnrollmentStore::CreateToken(const v1::EnrollmentToken& token,
                                          const std::string& secret_hash) {
  const std::map<std::string, std::string> labels(token.labels().begin(), token.labels().end());
  return pool_.Transact("create an enrolment token", [&](Transaction& tx) -> absl::Status {
    const pqxx::result hosts = tx.Exec(kLockHost, token.host_id());
    if (!hosts.empty() && hosts[0][1].as<bool>()) {
      return absl::FailedPreconditionError(
          absl::StrCat("host ", token.host_id(), " is removed; enrol the machine as a new host"));
    }
    tx.Exec(kCreate, token.id(), secret_hash, Text(token.description()), token.max_uses(),
            Time(TimeOf(token.create_time())),
            token.has_expire_time() ? Time(TimeOf(token.expire_time())) : "",
            token.requires_approval(), KeyArray(labels), ValueArray(labels), token.host_id());
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
        tx.Exec(kDropWaiting, Text(id));
        return TokenOf(rows[0]);
      });
}

absl::Status EnrollmentStore::Enroll(const std::string& secret_hash, const std::string& hostname,
                                     const CertificateRecord& certificate, absl::Time now) {
  return pool_.Transact("enrol", [&](Transaction& tx) -> absl::Status {
    const pqxx::result tokens = FindToken(tx, secret_hash, now);
    const bool requires_approval = !tokens.empty() && tokens[0][1].as<bool>();
    const pqxx::result rights = TakeRight(tx, secret_hash, certificate.key, requires_approval, now);
    // Now that calls with the same right have been waited for.
    if (!FindEnrolled(tx, secret_hash, certificate.key, now).empty()) {
      return absl::AbortedError("this key has enrolled meanwhile");
    }
    if (rights.empty()) {
      if (!requires_approval) return WhyNot(tx, secret_hash);
      return absl::UnauthenticatedError(
          absl::StrCat("nobody approved this key for enrolment token ", TextOf(tokens[0][0])));
    }
    const std::string labels = TextOf(rights[0][1]);
    const std::string host_id = TextOf(rights[0][2]);
    if (host_id.empty()) {
      tx.Exec(kAddHost, certificate.host_id, Text(hostname, 255), Time(now), labels,
              certificate.serial);
    } else if (host_id != certificate.host_id) {
      return absl::UnauthenticatedError(
          absl::StrCat("enrolment token ", TextOf(rights[0][0]), " is for another host"));
    } else {
      if (tx.Exec(kBeginAnew, host_id, Text(hostname, 255), labels, certificate.serial)
              .affected_rows() == 0) {
        return absl::PermissionDeniedError(absl::StrCat("host ", host_id, " is removed"));
      }
      tx.Exec(kRevokeCertificates, host_id, Time(now));
    }
    AddCertificate(tx, certificate, certificate.key, TextOf(rights[0][0]), Time(now));
    AnnounceHosts(tx, {certificate.host_id});
    return absl::OkStatus();
  });
}

absl::Status EnrollmentStore::RecordCertificate(const CertificateRecord& certificate,
                                                const std::string& presented) {
  return pool_.Transact("record a certificate", [&](Transaction& tx) -> absl::Status {
    const pqxx::result rows = tx.Exec(kLockHost, certificate.host_id);
    if (rows.empty()) return absl::NotFoundError(absl::StrCat("no host ", certificate.host_id));
    if (rows[0][0].as<bool>() || rows[0][1].as<bool>()) {
      return absl::PermissionDeniedError(absl::StrCat(
          "host ", certificate.host_id, rows[0][1].as<bool>() ? " is removed" : " is revoked"));
    }
    if (tx.Exec(kIsGood, Text(presented), certificate.host_id).empty()) {
      return absl::UnauthenticatedError("certificate unknown or revoked");
    }
    AddCertificate(tx, certificate, "", "", "");
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
    if (rows[0][2].as<bool>())
      return absl::PermissionDeniedError(
          absl::StrCat("host ", host_id,
                       " is revoked; to have it back, make a token with `plimsoll token create "
                       "--host ",
                       host_id, "` and start the collector with --enroll-again"));
    if (rows[0][3].as<bool>())
      return absl::PermissionDeniedError(
          absl::StrCat("host ", host_id, " is removed; enrol the machine as a new host"));
    if (rows[0][1].as<bool>()) return absl::UnauthenticatedError("certificate revoked");
    return absl::OkStatus();
  });
}

absl::StatusOr<int> EnrollmentStore::RemoveCertificates(absl::Time expired_before, int limit) {
  return pool_.Transact("remove old certificates", [&](Transaction& tx) -> absl::StatusOr<int> {
    return static_cast<int>(
        tx.Exec(kRemoveCertificates, Time(expired_before), limit).affected_rows());
  });
}

}  // namespace plimsoll::store
