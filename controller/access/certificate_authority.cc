#include "controller/access/certificate_authority.h"

#include <openssl/rand.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/access/certificates.h"
#include "controller/access/issuer.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::access {
namespace {

constexpr size_t kMaxCsrBytes = 8 << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<CertificateAuthority>> CertificateAuthority::LoadOrCreate(
    const std::string& dir, absl::Time now) {
  auto issuer = Issuer::LoadOrCreate(dir, now);
  if (!issuer.ok()) return issuer.status();
  return std::unique_ptr<CertificateAuthority>(*std::move(issuer));
}

absl::StatusOr<IssuedCertificate> CertificateAuthority::SignHost(absl::string_view csr_der,
                                                                 absl::string_view host_id,
                                                                 absl::Time now,
                                                                 absl::Duration lifetime) const {
  const auto key = RequestedKey(csr_der);
  if (!key.ok()) return key.status();
  return SignHostKey(*key, host_id, now, lifetime);
}

absl::StatusOr<std::string> RequestedKey(absl::string_view csr_der) {
  if (csr_der.size() > kMaxCsrBytes) {
    return absl::InvalidArgumentError("certificate signing request is larger than 8 KiB");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(csr_der.data());
  support::RequestPtr request(d2i_X509_REQ(nullptr, &bytes, static_cast<long>(csr_der.size())));
  if (!request) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a certificate signing request: ", support::OpensslError()));
  }
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the request is not signed by its own key");
  }
  if (EVP_PKEY_get_security_bits(key) < 112) {
    return absl::InvalidArgumentError("the key is too weak; use ECDSA P-256");
  }
  return PublicKeyDer(key);
}

absl::StatusOr<std::string> HostIdFromUri(absl::string_view uri) {
  const bool prefixed = absl::StartsWith(uri, kHostUriPrefix);
  const absl::string_view id =
      prefixed ? uri.substr(sizeof kHostUriPrefix - 1) : absl::string_view();
  const bool shaped =
      id.size() == 28 && absl::StartsWith(id, "h-") &&
      id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567", 2) == absl::string_view::npos;
  if (!shaped) return absl::InvalidArgumentError("the certificate names no Plimsoll host");
  return std::string(id);
}

std::string NewHostId() {
  unsigned char random[16];
  RAND_bytes(random, sizeof random);
  static constexpr char kAlphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id = "h-";
  unsigned buffer = 0;
  int bits = 0;
  for (const unsigned char byte : random) {
    buffer = (buffer << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) id += kAlphabet[(buffer >> (bits - 5)) & 31];
  }
  id += kAlphabet[(buffer << (5 - bits)) & 31];
  return id;
}

}  // namespace plimsoll::access
