#include "controller/setup.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
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

v1::Activity ControllerAsActor(const std::string& controller_id) {
  v1::Activity entry;
  entry.set_actor_kind(v1::Activity::CONTROLLER);
  entry.set_actor_id(controller_id);
  entry.set_actor_name(Hostname());
  return entry;
}

upkeep::UpkeepOptions UpkeepOptionsOf(const Config& config) {
  return {.remove_after = config.remove_after,
          .keep_history = config.keep_history,
          .keep_activity = config.keep_activity,
          .controller_timeout = config.controller_timeout,
          .session_idle = config.sessions.idle};
}

namespace {

constexpr absl::Duration kServerCertificateLifetime = absl::Hours(24 * 825);

// Names of the server's certificate.
std::vector<std::string> CertificateNames(const Config& config) {
  std::vector<std::string> names = config.names;
  if (names.empty()) {
    names = {Hostname(), "localhost", "127.0.0.1", "::1"};
    if (names.front().empty()) names.erase(names.begin());
  }
  return names;
}

}  // namespace

absl::StatusOr<Identities> MakeIdentities(const Config& config,
                                          const access::CertificateAuthority& authority,
                                          absl::Time now) {
  auto own = authority.IssueServer(CertificateNames(config), now, kServerCertificateLifetime);
  if (!own.ok()) return own.status();
  if (config.api_certificate_file.empty() && config.api_key_file.empty()) {
    return Identities{*own, *own};
  }
  if (config.api_certificate_file.empty() || config.api_key_file.empty()) {
    return absl::InvalidArgumentError("--api-certificate and --api-key belong together");
  }
  auto shown = LoadServerIdentity(config.api_certificate_file, config.api_key_file, now);
  if (!shown.ok()) return shown.status();
  return Identities{*std::move(own), *std::move(shown)};
}

absl::Status NotListening(const std::string& address) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", address, "; is another program using it?"));
}

void SetKeepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

namespace {

// Every stream keeps buffers of these sizes for as long as it lives, and most say little.
constexpr int kTlsFrameBytes = 1024;
constexpr int kReadBytes = 1024;

// Without what gRPC adds to every server of the program: on this port anybody could ask it.
class NoPlugins final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->clear();
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<grpc::Server>> ServeCollectors(const Config& config,
                                                              grpc::Service& gateway,
                                                              ServerTls& tls) {
  grpc::ServerBuilder builder;
  SetKeepalive(builder);
  int port = 0;
  builder.AddListeningPort(config.collector_address, tls.Credentials(true), &port);
  builder.SetOption(std::make_unique<NoPlugins>());
  builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
  builder.SetMaxReceiveMessageSize(static_cast<int>(config.gateway.max_message_bytes));
  builder.AddChannelArgument(GRPC_ARG_TSI_MAX_FRAME_SIZE, kTlsFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadBytes);
  // Keeps each peer's certificate and counts for a service that nobody is offered here.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  builder.RegisterService(&gateway);
  auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return NotListening(config.collector_address);
  return server;
}

}  // namespace plimsoll::controller
