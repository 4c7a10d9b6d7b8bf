#include "controller/tls.h"

#include <grpc/grpc.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/access/certificates.h"
#include "proto/support/key_files.h"

namespace plimsoll::controller {
namespace {

// gRPC's C++ interface has no credentials that fetch their certificate; its C interface has.
class FetchingCredentials final : public grpc::ServerCredentials {
 public:
  FetchingCredentials(grpc_ssl_client_certificate_request_type clients,
                      grpc_ssl_server_certificate_config_callback fetch, void* source)
      : credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(clients, fetch,
                                                                            source))) {}
  ~FetchingCredentials() override { grpc_server_credentials_release(credentials_); }
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }
  grpc_server_credentials* const credentials_;
};

absl::Status Unusable(const std::string& file, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat(file, " ", why));
}

}  // namespace

void ServerTls::Set(access::ServerIdentity identity, std::string client_ca) {
  absl::MutexLock lock(&mutex_);
  identity_ = std::move(identity);
  client_ca_ = std::move(client_ca);
  changed_ = true;
}

std::shared_ptr<grpc::ServerCredentials> ServerTls::Credentials(bool clients) {
  return std::make_shared<FetchingCredentials>(clients
                                                   ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY
                                                   : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
                                               &Fetch, this);
}

grpc_ssl_certificate_config_reload_status ServerTls::Fetch(
    void* self, grpc_ssl_server_certificate_config** out) {
  auto& tls = *static_cast<ServerTls*>(self);
  absl::MutexLock lock(&tls.mutex_);
  if (!std::exchange(tls.changed_, false)) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair = {tls.identity_.key_pem.c_str(),
                                           tls.identity_.certificate_pem.c_str()};
  // gRPC wants roots even where no client is asked for a certificate.
  const std::string& roots =
      tls.client_ca_.empty() ? tls.identity_.certificate_pem : tls.client_ca_;
  *out = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

absl::StatusOr<access::ServerIdentity> LoadServerIdentity(const std::string& certificate_file,
                                                          const std::string& key_file,
                                                          absl::Time now) {
  auto chain = support::ReadKeyFile(certificate_file, false);
  if (!chain.ok()) return Unusable(certificate_file, chain.status().message());
  auto key_pem = support::ReadKeyFile(key_file, true);
  if (!key_pem.ok()) return Unusable(key_file, key_pem.status().message());
  const auto certificates = access::ReadCertificates(*chain);
  if (certificates.empty()) {
    return Unusable(certificate_file, "is no certificate; it must be in PEM form");
  }
  const support::KeyPtr key = support::ReadPrivateKey(*key_pem);
  if (!key) return Unusable(key_file, "is no private key, or has a password; it must have none");
  if (X509_check_private_key(certificates.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return Unusable(key_file, absl::StrCat("does not belong to ", certificate_file));
  }
  const absl::Time end = access::EndOf(certificates.front().get());
  if (end <= now) {
    return Unusable(certificate_file, absl::StrCat("expired at ", absl::FormatTime(end)));
  }
  return access::ServerIdentity{*std::move(chain), *std::move(key_pem)};
}

}  // namespace plimsoll::controller
