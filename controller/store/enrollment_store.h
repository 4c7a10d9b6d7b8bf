// Enrolment tokens, hosts that wait for approval, and certificates.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/enrollment_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// What a host trusts, as its certificate's record says.
struct CertificateTrust {
  // AuthorityRecord::fingerprint of the authority that signed it.
  std::string issuer = {};
  // SHA-256, lower-case hex, of the bundle (PEM) that came with it.
  std::string bundle = {};

  bool operator==(const CertificateTrust& other) const {
    return issuer == other.issuer && bundle == other.bundle;
  }
};

// A certificate as issued.
struct CertificateRecord {
  // Lower-case hex.
  std::string serial;
  std::string host_id;
  absl::Time not_before;
  absl::Time not_after;
  CertificateTrust trust = {};
  // SHA-256 of its public key, lower-case hex.
  std::string key = {};
};

// Who asks to enrol.
struct EnrollmentRequest {
  std::string secret_hash;
  // As CertificateRecord::key.
  std::string key;
  std::string hostname;
  std::string peer;
  // EnrollRequest.can_wait.
  bool can_wait = false;
  // The id it gets when it has to wait.
  std::string id;
};

// What came of asking.
struct EnrollmentTicket {
  // The host has to wait for approval under this id; empty: it may enrol now.
  std::string pending_id;
  // It was not waiting before.
  bool is_new = false;
  // The host that enrols again; empty: a new one.
  std::string host_id;
  // The host has enrolled already with this token and key, and was given this certificate, less
  // than a day ago: its answer may have been lost. To be renewed; nothing is used up. Empty: no.
  std::string enrolled_serial = {};
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
  // NOT_FOUND. Idempotent. Who waits with it waits in vain.
  absl::StatusOr<v1::EnrollmentToken> RevokeToken(const std::string& id);

  // Whether the host may enrol. Whoever did so with the same token and key is found again, though
  // the token has expired or is exhausted since, unless the token, the host or the certificate was
  // revoked or the host removed. With a token that needs approval the first request takes one use
  // of the token and begins to wait until `expires`; every later one with the same key finds it.
  // UNAUTHENTICATED: token unknown, expired, exhausted or revoked (the message says which, for the
  // log only). PERMISSION_DENIED: rejected. FAILED_PRECONDITION: it has to wait and cannot.
  // RESOURCE_EXHAUSTED: too many wait.
  absl::StatusOr<EnrollmentTicket> Ask(const EnrollmentRequest& request, absl::Time now,
                                       absl::Time expires);
  // In one transaction: takes one use of the token, or the approval of this key, creates the host,
  // or lets the one that the token is for begin anew, and records its certificate. The earlier
  // certificates of a host that begins anew are refused from then on, and its revocation or
  // quarantine is lifted. UNAUTHENTICATED as Ask, and when nobody approved this key or the token is
  // for another host. PERMISSION_DENIED: the host is removed. ABORTED: this key enrolled with the
  // token since it asked; ask again.
  absl::Status Enroll(const std::string& secret_hash, const std::string& hostname,
                      const CertificateRecord& certificate, absl::Time now);
  // Newest first; expired ones are left out.
  absl::StatusOr<std::vector<v1::Enrollment>> ListEnrollments(absl::Time now);
  // Approves or rejects what is not expired. NOT_FOUND; FAILED_PRECONDITION: approved, but it was
  // rejected before.
  absl::StatusOr<v1::Enrollment> Decide(const v1::Enrollment& decision, absl::Time now,
                                        absl::Time expires);

  // Renewal by who showed the certificate with the serial `presented`. NOT_FOUND: no such host;
  // PERMISSION_DENIED: revoked or removed; UNAUTHENTICATED: what was shown is not a certificate of
  // the host, or is revoked.
  absl::Status RecordCertificate(const CertificateRecord& certificate,
                                 const std::string& presented);

  // Revokes the host and every certificate of it; its session is fenced off. NOT_FOUND. Idempotent.
  absl::Status RevokeHost(const std::string& host_id, const std::string& reason, absl::Time now);
  // OK: known, not revoked, of this host, which is neither revoked nor removed. PERMISSION_DENIED:
  // the host is revoked, until it enrols again, or removed. UNAUTHENTICATED otherwise. Both say the
  // reason.
  absl::Status CheckCertificate(const std::string& serial, const std::string& host_id);
  // Removes records of certificates that expired before `expired_before`, at most `limit`, those
  // excepted that hosts began their newest session with; returns how many.
  absl::StatusOr<int> RemoveCertificates(absl::Time expired_before, int limit);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
