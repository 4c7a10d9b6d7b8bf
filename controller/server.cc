#include "controller/server.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "controller/access/authenticator.h"
#include "controller/access/certificate_authority.h"
#include "controller/access/enrollment.h"
#include "controller/access/revocations.h"
#include "controller/api/api.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/gateway/gateway_service.h"
#include "controller/gateway/ingest.h"
#include "controller/gateway/session_registry.h"
#include "controller/rpc/services.h"
#include "controller/scans/scan_board.h"
#include "controller/store/embedded_cluster.h"
#include "controller/store/store.h"
#include "proto/support/clock.h"
#include "proto/support/key_files.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::controller {
namespace {

constexpr absl::Duration kServerCertificateLifetime = absl::Hours(24 * 825);
constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kDrainTime = absl::Seconds(10);
constexpr int kApiMessageBytes = 4 << 20;

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
    char hostname[256] = "";
    gethostname(hostname, sizeof hostname - 1);
    names = {hostname, "localhost", "127.0.0.1", "::1"};
    if (names.front().empty()) names.erase(names.begin());
  }
  return names;
}

absl::StatusOr<std::string> DatabaseUrl(const Config& config) {
  if (config.database_url_file.empty()) return config.database_url;
  auto url = support::ReadKeyFile(config.database_url_file, true);
  if (!url.ok()) return url.status();
  return std::string(absl::StripAsciiWhitespace(*url));
}

// The first start makes the administrator's token, readable by the controller's user only.
absl::Status EnsureAdministrator(store::Store& store, access::Authenticator& authenticator,
                                 const std::string& data_dir) {
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

// Everything, in the order it is built; destroyed the other way round.
class RealServer : public Server {
 public:
  RealServer(const Config& config, std::unique_ptr<store::EmbeddedCluster> cluster,
             std::unique_ptr<store::Store> store,
             std::unique_ptr<access::CertificateAuthority> authority,
             std::vector<v1::Baseline> baselines)
      : config_(config),
        cluster_(std::move(cluster)),
        store_(std::move(store)),
        authority_(std::move(authority)),
        baselines_(std::move(baselines)),
        authenticator_(store_->tokens(), clock_),
        enrollment_(store_->enrollment(), *authority_, clock_,
                    {.certificate_lifetime = config.certificate_lifetime}),
        board_(store_->scans(), clock_),
        ingest_(*store_, board_, clock_, baselines_, config.interval),
        hosts_(*store_),
        baselines_api_(baselines_),
        findings_(*store_, baselines_api_),
        summaries_(*store_, baselines_api_, clock_),
        scans_(*store_, board_, clock_),
        enrollment_tokens_(*store_, *authority_, revocations_, clock_),
        workers_(std::make_unique<support::WorkerPool>(config.worker_threads)),
        gateway_({*store_, enrollment_, ingest_, board_, sessions_, *workers_, clock_,
                  Limits(config), config.heartbeat_interval},
                 revocations_),
        services_({authenticator_, *workers_, hosts_, baselines_api_, findings_, summaries_, scans_,
                   enrollment_tokens_}) {}

  absl::Status Listen() {
    if (auto status = EnsureAdministrator(*store_, authenticator_, config_.data_dir); !status.ok())
      return status;
    if (auto status = store_->hosts().EndAllSessions(); !status.ok()) return status;
    auto identity = authority_->IssueServer(CertificateNames(config_), clock_.Now(),
                                            kServerCertificateLifetime);
    if (!identity.ok()) return identity.status();

    grpc::ServerBuilder collectors;
    SetKeepalive(collectors);
    collectors.AddListeningPort(config_.collector_address, Tls(*identity, authority_->BundlePem()),
                                &collector_port_);
    collectors.SetMaxReceiveMessageSize(config_.max_message_mib << 20);
    collectors.RegisterService(&gateway_);
    collector_server_ = collectors.BuildAndStart();
    if (collector_server_ == nullptr || collector_port_ == 0)
      return NotListening(config_.collector_address);

    grpc::ServerBuilder api;
    SetKeepalive(api);
    api.AddListeningPort(config_.api_address, Tls(*identity, ""), &api_port_);
    api.SetMaxReceiveMessageSize(kApiMessageBytes);
    services_.Register(api);
    api_server_ = api.BuildAndStart();
    if (api_server_ == nullptr || api_port_ == 0) return NotListening(config_.api_address);
    spdlog::info("serving collectors={} api={} baselines={}", config_.collector_address,
                 config_.api_address, baselines_.size());
    return absl::OkStatus();
  }

  void Run() override {
    while (!stop_.WaitForNotificationWithTimeout(kTick)) {
      ingest_.Flush();
      board_.Tick();
    }
    spdlog::info("stopping sessions={}", sessions_.Count());
    sessions_.Drain();
    services_.Drain();
    const auto deadline = absl::ToChronoTime(clock_.Now() + kDrainTime);
    collector_server_->Shutdown(deadline);
    api_server_->Shutdown(deadline);
    collector_server_.reset();
    api_server_.reset();
    workers_.reset();
    ingest_.Flush();
    if (auto status = store_->hosts().EndAllSessions(); !status.ok()) {
      spdlog::warn("end of sessions not stored error=\"{}\"", status.ToString());
    }
  }

  void Stop() override {
    absl::MutexLock lock(&stop_mutex_);
    if (!stop_.HasBeenNotified()) stop_.Notify();
  }

 private:
  static v1::Limits Limits(const Config& config) {
    v1::Limits limits;
    limits.set_max_message_bytes(int64_t{config.max_message_mib} << 20);
    limits.set_max_unacknowledged_deltas(1);
    return limits;
  }

  static absl::Status NotListening(const std::string& address) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, "; is another program using it?"));
  }

  const Config config_;
  const support::Clock& clock_ = support::Clock::Real();
  std::unique_ptr<store::EmbeddedCluster> cluster_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<access::CertificateAuthority> authority_;
  const std::vector<v1::Baseline> baselines_;
  access::Revocations revocations_;
  access::Authenticator authenticator_;
  access::Enrollment enrollment_;
  scans::ScanBoard board_;
  gateway::Ingest ingest_;
  gateway::SessionRegistry sessions_;
  api::Hosts hosts_;
  api::Baselines baselines_api_;
  api::Findings findings_;
  api::Summaries summaries_;
  api::Scans scans_;
  api::EnrollmentTokens enrollment_tokens_;
  std::unique_ptr<support::WorkerPool> workers_;
  gateway::GatewayService gateway_;
  rpc::ApiServices services_;
  int collector_port_ = 0;
  int api_port_ = 0;
  std::unique_ptr<grpc::Server> collector_server_;
  std::unique_ptr<grpc::Server> api_server_;
  absl::Mutex stop_mutex_;
  absl::Notification stop_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Config& config) {
  auto baselines = LoadBaselines(config);
  if (!baselines.ok()) return baselines.status();
  if (auto status = support::MakePrivateDirectory(config.data_dir); !status.ok()) return status;
  auto url = DatabaseUrl(config);
  if (!url.ok()) return url.status();
  std::unique_ptr<store::EmbeddedCluster> cluster;
  if (url->empty()) {
    store::EmbeddedCluster::Options options;
    options.data_dir = config.data_dir;
    auto started = store::EmbeddedCluster::Start(options);
    if (!started.ok()) return started.status();
    cluster = *std::move(started);
    *url = cluster->url();
  }
  auto store = store::Store::Open({.url = *url, .pool_size = config.worker_threads + 2});
  if (!store.ok()) return store.status();
  auto authority = access::CertificateAuthority::LoadOrCreate(config.data_dir + "/pki",
                                                              support::Clock::Real().Now());
  if (!authority.ok()) return authority.status();
  auto server = std::make_unique<RealServer>(config, std::move(cluster), *std::move(store),
                                             *std::move(authority), *std::move(baselines));
  if (auto status = server->Listen(); !status.ok()) return status;
  return server;
}

}  // namespace plimsoll::controller
