// Letting collectors in: a token and a request become a host with a certificate.
#pragma once

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/access/certificate_authority.h"
#include "controller/store/enrollment_store.h"
#include "plimsoll/v1/activity_service.pb.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::access {

struct EnrollmentOptions {
  // How long a host certificate lives. Collectors renew when a third is left.
  absl::Duration certificate_lifetime = absl::Hours(24 * 7);
  // Refused attempts per minute, over all peers, before RESOURCE_EXHAUSTED.
  int refused_per_minute = 60;
  // Told of hosts that enrolled and of those that were refused, for the activity log; must not
  // block.
  std::function<void(v1::Activity)> enrolled = {};
  // Told of a host that enrolled again: a session that it still has is not its own.
  std::function<void(const std::string& host_id)> began_anew = {};
};

// Thread-safe. Borrows its arguments.
class Enrollment {
 public:
  Enrollment(store::EnrollmentStore& store, const CertificateAuthority& authority,
             const support::Clock& clock, EnrollmentOptions options);

  // Who asks again with the same token and key, within a day, is the same host. Errors as
  // CollectorGateway.Enroll; every refusal says the same to the peer, and its reason goes
  // to the log.
  absl::StatusOr<v1::EnrollResponse> Enroll(const v1::EnrollRequest& request,
                                            const std::string& peer);

  // `host_id` and `serial` are those of the certificate the peer authenticated with.
  absl::StatusOr<v1::RenewResponse> Renew(const std::string& host_id, const std::string& serial,
                                          const v1::RenewRequest& request);
  // A certificate for the key (SubjectPublicKeyInfo, DER) that the peer's has already, because what
  // hosts trust changed.
  absl::StatusOr<v1::RenewResponse> Reissue(const std::string& host_id, const std::string& serial,
                                            const std::string& key_der);
  // Whether a certificate with this record is what would be issued now; changes with `generation`.
  bool IsCurrent(const store::CertificateTrust& trust) const { return trust == authority_.trust(); }
  uint64_t generation() const { return authority_.generation(); }

 private:
  // Enrolls who asks with a key (SubjectPublicKeyInfo, DER) that it has proved to hold. Errors as
  // EnrollmentStore::Ask and Enroll.
  absl::StatusOr<v1::EnrollResponse> Admit(const store::EnrollmentRequest& ask,
                                           const std::string& key_der, absl::Time now);
  // The error of a refusal, as the peer is told it.
  absl::Status Refuse(const v1::EnrollRequest& request, const std::string& peer,
                      const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  v1::EnrollResponse Wait(const store::EnrollmentTicket& ticket,
                          const store::EnrollmentRequest& request) const;
  void Tell(const std::string& object, const std::string& hostname, const std::string& peer,
            const absl::Status& outcome, const std::string& message = "") const;
  // False when there were too many refusals in this minute.
  bool MayTry() ABSL_LOCKS_EXCLUDED(mutex_);
  // One more.
  void CountRefusal() ABSL_LOCKS_EXCLUDED(mutex_);

  store::EnrollmentStore& store_;
  const CertificateAuthority& authority_;
  const support::Clock& clock_;
  const EnrollmentOptions options_;
  absl::Mutex mutex_;
  absl::Time minute_ ABSL_GUARDED_BY(mutex_);
  int refused_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace plimsoll::access
