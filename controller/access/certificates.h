// Making X.509 certificates and keys. No policy: who may have one is decided by those who ask.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::access {

// INTERNAL: what OpenSSL says about `what`.
absl::Status OpensslFailure(absl::string_view what);

// ECDSA P-256; null when OpenSSL fails.
support::KeyPtr NewKey();
// PKCS#8, PEM.
absl::StatusOr<std::string> KeyPem(EVP_PKEY* key);
absl::StatusOr<std::string> CertificatePem(X509* certificate);
// Every certificate in `pem`, in its order; what else is there is passed over.
std::vector<support::CertificatePtr> ReadCertificates(absl::string_view pem);
// SubjectPublicKeyInfo, DER, and back; null when it is none.
absl::StatusOr<std::string> PublicKeyDer(EVP_PKEY* key);
support::KeyPtr ReadPublicKey(absl::string_view der);
// When it ends; the epoch: it cannot be read.
absl::Time EndOf(const X509* certificate);

struct CertificateExtension {
  int nid;
  // As in OpenSSL's configuration files.
  std::string value;
};

// What one certificate shall say.
struct CertificateTemplate {
  std::string common_name;
  absl::Time not_before;
  absl::Time not_after;
  std::vector<CertificateExtension> extensions;
};

struct SignedCertificate {
  support::CertificatePtr certificate;
  // Random, lower-case hex.
  std::string serial;
};

// Signs `key` into a certificate. `issuer` null: self-signed.
absl::StatusOr<SignedCertificate> Sign(const CertificateTemplate& what, EVP_PKEY* key, X509* issuer,
                                       EVP_PKEY* issuer_key);

// "" when `certificate` is good for `purpose` (X509_PURPOSE_...) at `now` under the last of
// `chain`, which leads to a root; else OpenSSL's reason.
std::string WhyNotTrusted(X509* certificate, const std::vector<support::CertificatePtr>& chain,
                          int purpose, absl::Time now);

}  // namespace plimsoll::access
