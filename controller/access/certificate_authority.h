// The controller's own certificate authority for collectors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace plimsoll::access {

// A certificate this CA made.
struct IssuedCertificate {
  std::string pem;
  // Lower-case hex.
  std::string serial;
  absl::Time not_before;
  absl::Time not_after;
};

// The controller's TLS identity.
struct ServerIdentity {
  std::string certificate_pem;
  std::string key_pem;
};

// Keys are ECDSA P-256. Thread-safe.
class CertificateAuthority {
 public:
  // Loads ca.pem and ca.key below `dir`, or makes them (directory 0700, key 0600).
  // FAILED_PRECONDITION: files are there but unusable, readable by others, or do not belong
  // together; says which and what to do.
  static absl::StatusOr<std::unique_ptr<CertificateAuthority>> LoadOrCreate(const std::string& dir,
                                                                            absl::Time now);
  virtual ~CertificateAuthority() = default;

  // What clients shall trust.
  virtual const std::string& BundlePem() const = 0;

  // Signs a collector's request (PKCS#10, DER) for `host_id`: URI subject alternative name
  // "plimsoll://host/<host_id>", client authentication only. Nothing but the public key is taken of
  // the request. INVALID_ARGUMENT: not a request, bad signature, weak key.
  virtual absl::StatusOr<IssuedCertificate> SignHost(absl::string_view csr_der,
                                                     absl::string_view host_id, absl::Time now,
                                                     absl::Duration lifetime) const = 0;

  // A fresh server certificate for these DNS names and IP addresses.
  virtual absl::StatusOr<ServerIdentity> IssueServer(const std::vector<std::string>& names,
                                                     absl::Time now,
                                                     absl::Duration lifetime) const = 0;
};

// The host id named by a certificate's URI, "plimsoll://host/<id>". INVALID_ARGUMENT when it is
// anything else.
absl::StatusOr<std::string> HostIdFromUri(absl::string_view uri);

// A new host id: "h-" and 26 base32 characters of 128 random bits.
std::string NewHostId();

}  // namespace plimsoll::access
