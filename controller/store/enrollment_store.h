// Enrolment tokens and certificates.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/enrollment_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// A certificate as issued.
struct CertificateRecord {
  // Lower-case hex.
  std::string serial;
  std::string host_id;
  absl::Time not_before;
  absl::Time not_after;
};

// Thread-safe; errors as in store.h. Tokens are known by the hash of their secret only.
// Hosts that come or change are announced (change_feed.h) in the same transaction.
class EnrollmentStore {
 public:
  explicit EnrollmentStore(ConnectionPool& pool) : pool_(pool) {}

  // ALREADY_EXISTS: the id or the hash is taken.
  absl::Status CreateToken(const v1::EnrollmentToken& token, const std::string& secret_hash);
  // Newest first, revoked and expired ones too.
  absl::StatusOr<std::vector<v1::EnrollmentToken>> ListTokens();
  // NOT_FOUND. Idempotent.
  absl::StatusOr<v1::EnrollmentToken> RevokeToken(const std::string& id);

  // In one transaction: takes one use of the token, creates the host, records its certificate.
  // UNAUTHENTICATED: token unknown, expired, exhausted or revoked (the message says which, for the
  // log only).
  absl::Status Enroll(const std::string& secret_hash, const std::string& hostname,
                      const CertificateRecord& certificate, absl::Time now);
  // Renewal. NOT_FOUND: no such host; PERMISSION_DENIED: revoked or removed.
  absl::Status RecordCertificate(const CertificateRecord& certificate);

  // Revokes the host and every certificate of it; its session is fenced off. NOT_FOUND. Idempotent.
  absl::Status RevokeHost(const std::string& host_id, const std::string& reason, absl::Time now);
  // OK: known, not revoked, of this host, which is neither revoked nor removed. UNAUTHENTICATED
  // otherwise, with the reason.
  absl::Status CheckCertificate(const std::string& serial, const std::string& host_id);

  // The controller's authority, by its PEM certificate: the first that comes is the database's.
  // FAILED_PRECONDITION: the database has another, and no host would trust this one. `replace`
  // makes this one the database's; hosts enrolled before must enrol again.
  absl::Status JoinAuthority(const std::string& certificate_pem, absl::Time now, bool replace);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
