#include "controller/gateway/peer_identity.h"

#include <grpc/grpc_security_constants.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "controller/access/certificate_authority.h"
#include "controller/access/certificates.h"
#include "proto/support/openssl_handles.h"

namespace plimsoll::gateway {
namespace {

std::string First(const grpc::AuthContext& auth, const char* property) {
  const auto values = auth.FindPropertyValues(property);
  return values.empty() ? std::string() : std::string(values.front().data(), values.front().size());
}

std::string SerialOf(X509* certificate) {
  support::BignumPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  char* hex = BN_bn2hex(number.get());
  std::string serial = absl::AsciiStrToLower(hex);
  OPENSSL_free(hex);
  return serial;
}

// The certificate's only URI; empty when it has none or several.
std::string UriOf(X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string uri;
  if (names != nullptr && sk_GENERAL_NAME_num(names) == 1) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, 0);
    if (name->type == GEN_URI) {
      const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
      uri.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                 static_cast<size_t>(ASN1_STRING_length(text)));
    }
  }
  GENERAL_NAMES_free(names);
  return uri;
}

// Beginning of the epoch when the certificate's own field cannot be read.
absl::Time NotBeforeOf(X509* certificate) {
  std::tm time = {};
  if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &time) != 1) return absl::UnixEpoch();
  return absl::FromTM(time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<PeerIdentity> IdentifyPeer(const grpc::CallbackServerContext& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) {
    return absl::UnauthenticatedError("a client certificate is needed; enrol first");
  }
  const std::string pem = First(*auth, GRPC_X509_PEM_CERT_PROPERTY_NAME);
  support::CertificatePtr certificate(
      PEM_read_bio_X509(support::ReadBio(pem).get(), nullptr, nullptr, nullptr));
  if (!certificate)
    return absl::UnauthenticatedError("a client certificate is needed; enrol first");
  auto host_id = access::HostIdFromUri(UriOf(certificate.get()));
  if (!host_id.ok()) return absl::UnauthenticatedError(host_id.status().message());
  auto key = access::PublicKeyDer(X509_get0_pubkey(certificate.get()));
  if (!key.ok()) return key.status();
  return PeerIdentity{*std::move(host_id), SerialOf(certificate.get()),
                      NotBeforeOf(certificate.get()), *std::move(key)};
}

}  // namespace plimsoll::gateway
