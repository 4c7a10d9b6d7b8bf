// The certificate authority for collectors, and for the controller's own ports.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/store/enrollment_store.h"

namespace plimsoll::access {

// A certificate this CA made.
struct IssuedCertificate {
  // The certificate, and after it those between it and the root.
  std::string pem;
  // Lower-case hex.
  std::string serial;
  absl::Time not_before;
  absl::Time not_after;
  // Who signed it, and what is trusted at that moment.
  store::CertificateTrust trust;
  std::string bundle_pem;
};

// A server's TLS identity.
struct ServerIdentity {
  // The certificate, and after it those between it and the root.
  std::string certificate_pem;
  std::string key_pem;
};

// Keys of servers are ECDSA P-256; a host brings its own (RequestedKey). Thread-safe.
class CertificateAuthority {
 public:
  // The one whose ca.pem and ca.key are below `dir`; makes them when there are none (directory
  // 0700, key 0600). ca.pem of an authority of your own holds its certificate and then those up to
  // its root. FAILED_PRECONDITION: files are there but unusable, readable by others, or do not
  // belong together; says which and what to do.
  static absl::StatusOr<std::unique_ptr<CertificateAuthority>> LoadOrCreate(const std::string& dir,
                                                                            absl::Time now);
  virtual ~CertificateAuthority() = default;

  // What clients shall trust: roots.
  virtual std::string BundlePem() const = 0;
  // What certificates issued now carry. `generation` is another whenever this is.
  virtual store::CertificateTrust trust() const = 0;
  virtual uint64_t generation() const = 0;

  // Signs a host's public key (SubjectPublicKeyInfo, DER) for `host_id`: URI subject alternative
  // name "plimsoll://host/<host_id>", client authentication only.
  virtual absl::StatusOr<IssuedCertificate> SignHostKey(absl::string_view key_der,
                                                        absl::string_view host_id, absl::Time now,
                                                        absl::Duration lifetime) const = 0;

  // A fresh server certificate for these DNS names and IP addresses. INVALID_ARGUMENT: names that
  // are none, or that the authority may not certify.
  virtual absl::StatusOr<ServerIdentity> IssueServer(const std::vector<std::string>& names,
                                                     absl::Time now,
                                                     absl::Duration lifetime) const = 0;

  // Signs the key of a collector's request (PKCS#10, DER). Errors as RequestedKey.
  absl::StatusOr<IssuedCertificate> SignHost(absl::string_view csr_der, absl::string_view host_id,
                                             absl::Time now, absl::Duration lifetime) const;
};

// The public key (SubjectPublicKeyInfo, DER) of a collector's request (PKCS#10, DER). Nothing else
// is taken of the request. INVALID_ARGUMENT: not a request, bad signature, weak key.
absl::StatusOr<std::string> RequestedKey(absl::string_view csr_der);

// The host id named by a certificate's URI, "plimsoll://host/<id>". INVALID_ARGUMENT when it is
// anything else.
absl::StatusOr<std::string> HostIdFromUri(absl::string_view uri);

// A new host id: "h-" and 26 base32 characters of 128 random bits.
std::string NewHostId();

}  // namespace plimsoll::access
