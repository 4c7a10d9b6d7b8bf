#include "controller/setup.h"

#include <openssl/rand.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/api/scope.h"
#include "controller/evaluate/baseline_loader.h"
#include "proto/support/key_files.h"

namespace plimsoll::controller {

absl::StatusOr<std::vector<v1::Baseline>> LoadBaselines(const Config& config) {
  std::vector<std::string> wanted = config.baselines;
  if (wanted.empty()) wanted = evaluate::ShippedBaselineIds();
  std::vector<v1::Baseline> baselines;
  for (const std::string& name : wanted) {
    auto baseline = evaluate::ShippedBaseline(name);
    if (absl::IsNotFound(baseline.status())) {
      std::ifstream file(name);
      if (!file) {
        return absl::NotFoundError(absl::StrCat("--baseline ", name,
                                                ": neither a file nor a shipped id (",
                                                baseline.status().message(), ")"));
      }
      std::ostringstream text;
      text << file.rdbuf();
      baseline = evaluate::LoadBaseline(text.str(), name);
    }
    if (!baseline.ok()) return baseline.status();
    for (const v1::Baseline& other : baselines) {
      if (other.id() == baseline->id()) {
        return absl::InvalidArgumentError(absl::StrCat("two baselines have the id ", other.id()));
      }
    }
    baselines.push_back(*std::move(baseline));
  }
  return baselines;
}

std::vector<std::string> CertificateNames(const Config& config) {
  std::vector<std::string> names = config.names;
  if (names.empty()) {
    names = {Hostname(), "localhost", "127.0.0.1", "::1"};
    if (names.front().empty()) names.erase(names.begin());
  }
  return names;
}

std::string NewControllerId() {
  unsigned char bytes[8];
  RAND_bytes(bytes, sizeof bytes);
  return absl::StrCat("c-", absl::BytesToHexString(absl::string_view(
                                reinterpret_cast<const char*>(bytes), sizeof bytes)));
}

std::string Hostname() {
  char hostname[256] = "";
  gethostname(hostname, sizeof hostname - 1);
  return hostname;
}

absl::StatusOr<std::string> DatabaseUrl(const Config& config) {
  if (config.database_url_file.empty()) return config.database_url;
  auto url = support::ReadKeyFile(config.database_url_file, true);
  if (!url.ok()) return url.status();
  return std::string(absl::StripAsciiWhitespace(*url));
}

absl::StatusOr<access::OidcOptions> LoadOidc(const Config& config) {
  access::OidcOptions options = config.oidc;
  if (options.issuer.empty()) return options;
  if (config.rest_address.empty()) {
    return absl::InvalidArgumentError("--oidc-issuer needs --rest-address");
  }
  if (auto status = access::CheckOidcOptions(options); !status.ok()) return status;
  for (const access::GroupRole& role : options.roles) {
    if (auto status = api::CheckScope("--oidc-role", role.scope); !status.ok()) return status;
  }
  if (!config.oidc_client_secret_file.empty()) {
    auto secret = support::ReadKeyFile(config.oidc_client_secret_file, true);
    if (!secret.ok()) return secret.status();
    options.client_secret = std::string(absl::StripAsciiWhitespace(*secret));
  }
  if (!config.oidc_ca_file.empty()) {
    auto authorities = support::ReadKeyFile(config.oidc_ca_file, false);
    if (!authorities.ok()) return authorities.status();
    options.ca_pem = *std::move(authorities);
  }
  return options;
}

namespace {

absl::Status EnsureUser(api::Users& users, const std::string& data_dir) {
  const auto password = users.EnsureAdministrator();
  if (!password.ok()) return password.status();
  if (password->empty()) return absl::OkStatus();
  const std::string file = absl::StrCat(data_dir, "/admin.password");
  if (auto status = support::WritePrivateFile(file, absl::StrCat(*password, "\n")); !status.ok())
    return status;
  spdlog::info("one-time password of user admin written to {}; remove the file once it is changed",
               file);
  return absl::OkStatus();
}

}  // namespace

absl::Status EnsureAdministrator(store::Store& store, access::Authenticator& authenticator,
                                 api::Users& users, const std::string& data_dir) {
  if (auto status = EnsureUser(users, data_dir); !status.ok()) return status;
  auto exists = store.tokens().AnyExists();
  if (!exists.ok()) return exists.status();
  if (*exists) return absl::OkStatus();
  auto secret = authenticator.CreateToken("admin", store::Role::kAdmin, std::nullopt);
  if (!secret.ok()) return secret.status();
  const std::string file = absl::StrCat(data_dir, "/admin.token");
  if (auto status = support::WritePrivateFile(file, absl::StrCat(*secret, "\n")); !status.ok())
    return status;
  spdlog::info("administrator's token written to {}", file);
  return absl::OkStatus();
}

v1::Activity ActivityOfController(const std::string& controller_id, const std::string& action,
                                  const std::string& object, absl::Time time) {
  v1::Activity entry;
  entry.set_actor_kind(v1::Activity::CONTROLLER);
  entry.set_actor_id(controller_id);
  entry.set_actor_name(Hostname());
  entry.set_action(action);
  entry.set_object(object);
  entry.set_outcome("OK");
  entry.mutable_time()->set_seconds(absl::ToUnixSeconds(time));
  return entry;
}

std::shared_ptr<grpc::ServerCredentials> Tls(const access::ServerIdentity& identity,
                                             const std::string& client_ca) {
  grpc::SslServerCredentialsOptions options(client_ca.empty()
                                                ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_key_cert_pairs.push_back({identity.key_pem, identity.certificate_pem});
  options.pem_root_certs = client_ca;
  return grpc::SslServerCredentials(options);
}

void SetKeepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

}  // namespace plimsoll::controller
