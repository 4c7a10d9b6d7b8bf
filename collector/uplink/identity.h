// Who this host is to the controller: a key made here, and a certificate for it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace plimsoll::uplink {

// The files of --state-dir, all 0600: host.key, host.pem, ca.pem; token.sha256, of the token it
// enrolled with; and while it enrols, enroll.key.
struct Identity {
  std::string host_id;
  std::string key_pem;
  std::string certificate_pem;
  // Certificates that the controller's own is checked against.
  std::string ca_pem;
  absl::Time not_before;
  absl::Time not_after;

  // Less than a third of the certificate's life is left.
  bool RenewalDue(absl::Time now) const { return now > not_after - (not_after - not_before) / 3; }
};

// A fresh ECDSA P-256 key and its signing request.
struct KeyAndRequest {
  std::string key_pem;
  // PKCS#10, DER.
  std::string request_der;
};
absl::StatusOr<KeyAndRequest> MakeKeyAndRequest();

// The key to enrol with: the one made for an enrolment that is not over, kept as enroll.key (0600),
// or a fresh one that is kept from now on. FAILED_PRECONDITION: the file is no key, or readable by
// others.
absl::StatusOr<KeyAndRequest> KeyToEnroll(const std::string& state_dir);
// SHA-256 of its public key (SubjectPublicKeyInfo, DER), lower-case hex.
absl::StatusOr<std::string> KeyFingerprint(const std::string& key_pem);

// The enrolment with `token` is over: the key has become host.key. On an error the key stays, and
// the enrolment may be repeated with it.
absl::Status NoteEnrolled(const std::string& state_dir, const std::string& token);
// The host's identity came of this token.
bool EnrolledWith(const std::string& state_dir, const std::string& token);

// A signing request for an existing key: renewal keeps the key.
absl::StatusOr<std::string> MakeRequest(const std::string& key_pem);

// NOT_FOUND: not enrolled yet. FAILED_PRECONDITION: files damaged, readable by others, or an
// expired certificate; says what to do.
absl::StatusOr<Identity> LoadIdentity(const std::string& state_dir, absl::Time now);

// Checks that certificate and key belong together and writes all three, the certificate last, so
// that a crash leaves a host that is enrolled or one that is not.
absl::Status SaveIdentity(const std::string& state_dir, const std::string& key_pem,
                          const std::string& certificate_pem, const std::string& ca_pem);

}  // namespace plimsoll::uplink
