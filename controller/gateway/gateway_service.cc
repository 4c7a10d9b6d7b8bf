#include "controller/gateway/gateway_service.h"

#include <grpc/grpc_security_constants.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "controller/access/certificate_authority.h"
#include "controller/gateway/session.h"
#include "proto/support/grpc_status.h"
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
  return PeerIdentity{*std::move(host_id), SerialOf(certificate.get())};
}

GatewayService::GatewayService(GatewayParts parts, access::Revocations& revocations)
    : parts_(std::move(parts)), revocations_(revocations) {
  revocation_handle_ = revocations_.Add([this](const std::string& host_id) {
    parts_.sessions.EndHost(host_id, absl::PermissionDeniedError("this host was revoked"));
  });
}

GatewayService::~GatewayService() { revocations_.Remove(revocation_handle_); }

grpc::ServerUnaryReactor* GatewayService::Enroll(grpc::CallbackServerContext* context,
                                                 const v1::EnrollRequest* request,
                                                 v1::EnrollResponse* response) {
  auto* reactor = context->DefaultReactor();
  parts_.workers.Add([this, peer = context->peer(), request, response, reactor] {
    auto result = parts_.enrollment.Enroll(*request, peer);
    if (result.ok()) *response = *std::move(result);
    reactor->Finish(support::ToGrpc(result.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* GatewayService::Renew(grpc::CallbackServerContext* context,
                                                const v1::RenewRequest* request,
                                                v1::RenewResponse* response) {
  auto* reactor = context->DefaultReactor();
  auto peer = IdentifyPeer(*context);
  if (!peer.ok()) {
    spdlog::warn("renewal refused peer={} reason=\"{}\"", context->peer(),
                 peer.status().ToString());
    reactor->Finish(support::ToGrpc(peer.status()));
    return reactor;
  }
  parts_.workers.Add([this, peer = *std::move(peer), request, response, reactor] {
    auto result = parts_.enrollment.Renew(peer.host_id, peer.serial, *request);
    if (result.ok()) *response = *std::move(result);
    reactor->Finish(support::ToGrpc(result.status()));
  });
  return reactor;
}

grpc::ServerBidiReactor<v1::FromCollector, v1::ToCollector>* GatewayService::Connect(
    grpc::CallbackServerContext* context) {
  return Session::Start(parts_, IdentifyPeer(*context), context->peer());
}

}  // namespace plimsoll::gateway
