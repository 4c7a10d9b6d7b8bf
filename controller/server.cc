#include "controller/server.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "controller/access/authenticator.h"
#include "controller/access/certificate_authority.h"
#include "controller/access/enrollment.h"
#include "controller/access/revocations.h"
#include "controller/api/api.h"
#include "controller/api/baseline_versions.h"
#include "controller/api/schedules.h"
#include "controller/api/tailorings.h"
#include "controller/api/waivers.h"
#include "controller/api/what_ifs.h"
#include "controller/fleet/days.h"
#include "controller/fleet/index.h"
#include "controller/gateway/gateway_service.h"
#include "controller/gateway/ingest.h"
#include "controller/gateway/session_registry.h"
#include "controller/policy/policy_book.h"
#include "controller/reevaluate/reevaluator.h"
#include "controller/reevaluate/what_if.h"
#include "controller/rpc/services.h"
#include "controller/scans/scan_board.h"
#include "controller/scans/scheduler.h"
#include "controller/setup.h"
#include "controller/store/change_feed.h"
#include "controller/store/embedded_cluster.h"
#include "controller/store/store.h"
#include "proto/support/clock.h"
#include "proto/support/key_files.h"
#include "proto/support/ticker.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::controller {
namespace {

constexpr absl::Duration kServerCertificateLifetime = absl::Hours(24 * 825);
// Commits under way when the controller stops have this long, calls that are open as long again.
constexpr absl::Duration kDrainTime = absl::Seconds(10);
constexpr int kApiMessageBytes = 4 << 20;
// A controller says this often within --controller-timeout that it lives.
constexpr int kBeatsPerTimeout = 5;
// Connections beside those of workers and committers: timers, re-evaluation, the index.
constexpr int kSpareConnections = 8;

void Warn(const char* what, const absl::Status& status) {
  if (!status.ok()) spdlog::warn("{} error=\"{}\"", what, status.ToString());
}

// Everything, in the order it is built; destroyed the other way round.
class RealServer : public Server {
 public:
  RealServer(const Config& config, std::string url, std::unique_ptr<store::EmbeddedCluster> cluster,
             std::unique_ptr<store::Store> store,
             std::unique_ptr<access::CertificateAuthority> authority,
             std::vector<v1::Baseline> baselines)
      : config_(config),
        url_(std::move(url)),
        cluster_(std::move(cluster)),
        store_(std::move(store)),
        authority_(std::move(authority)),
        baselines_(std::move(baselines)),
        authenticator_(store_->tokens(), clock_),
        enrollment_(store_->enrollment(), *authority_, clock_,
                    {.certificate_lifetime = config.certificate_lifetime}),
        board_(store_->scans(), clock_),
        book_(*store_, clock_, baselines_),
        reevaluator_(*store_, book_, index_, clock_),
        index_(store_->fleet(), store_->reports(), baselines_, clock_,
               {.stale_after = config.stale_after,
                .unwelcome = [this](const std::string& id) { EndSession(id); },
                .shown = [this](const store::HostState& state) { CheckPolicy(state); }}),
        days_(index_, store_->fleet(), clock_),
        scheduler_(store_->schedules(), board_, Resolver(), clock_),
        workers_(std::make_unique<support::WorkerPool>(config.worker_threads)),
        api_workers_(std::make_unique<support::WorkerPool>(config.api_threads)),
        ingest_({*store_,
                 board_,
                 clock_,
                 *workers_,
                 stats_,
                 [this](const std::string& id) {
                   return book_.current()->For(id, index_.LabelsOf(id));
                 },
                 {}},
                baselines_, config.interval, config.gateway),
        gateway_({*store_,
                  enrollment_,
                  ingest_,
                  board_,
                  sessions_,
                  *workers_,
                  clock_,
                  stats_,
                  id_,
                  config.gateway,
                  {}},
                 revocations_),
        hosts_(*store_, index_, book_, revocations_, clock_),
        baselines_api_(book_),
        findings_(*store_, index_, baselines_api_, book_),
        summaries_(*store_, index_, days_, baselines_api_, clock_),
        scans_(*store_, board_, Resolver(), clock_),
        schedules_(*store_, Resolver(), clock_),
        enrollment_tokens_(*store_, *authority_, revocations_, clock_),
        waivers_(*store_, index_, book_, clock_,
                 {.two_persons = config.waiver_two_persons, .maximum = config.waiver_maximum}),
        tailorings_(*store_, book_, clock_),
        what_ifs_(*store_, index_, clock_),
        baseline_versions_(*store_, book_, clock_),
        what_ifs_api_(book_, what_ifs_, waivers_, tailorings_, clock_),
        services_({authenticator_, *api_workers_, hosts_, baselines_api_, findings_, summaries_,
                   scans_, schedules_, enrollment_tokens_, waivers_, tailorings_, what_ifs_api_,
                   baseline_versions_}),
        life_(clock_),
        scan_timer_(clock_),
        upkeep_(clock_) {}

  absl::Status Listen() {
    if (auto status = Prepare(); !status.ok()) return status;
    auto identity = authority_->IssueServer(CertificateNames(config_), clock_.Now(),
                                            kServerCertificateLifetime);
    if (!identity.ok()) return identity.status();

    grpc::ServerBuilder api;
    SetKeepalive(api);
    api.AddListeningPort(config_.api_address, Tls(*identity, ""), &api_port_);
    api.SetMaxReceiveMessageSize(kApiMessageBytes);
    services_.Register(api);
    api_server_ = api.BuildAndStart();
    if (api_server_ == nullptr || api_port_ == 0) return NotListening(config_.api_address);

    grpc::ServerBuilder collectors;
    SetKeepalive(collectors);
    collectors.AddListeningPort(config_.collector_address, Tls(*identity, authority_->BundlePem()),
                                &collector_port_);
    collectors.SetMaxReceiveMessageSize(static_cast<int>(config_.gateway.max_message_bytes));
    collectors.RegisterService(&gateway_);
    collector_server_ = collectors.BuildAndStart();
    if (collector_server_ == nullptr || collector_port_ == 0)
      return NotListening(config_.collector_address);
    spdlog::info("serving collectors={} api={} baselines={} controller={}",
                 config_.collector_address, config_.api_address, baselines_.size(), id_);
    return absl::OkStatus();
  }

  void Run() override {
    StartTimers();
    reevaluator_.Start();
    book_.Start();
    stop_.WaitForNotification();
    spdlog::info("stopping sessions={}", sessions_.Count());
    scan_timer_.Stop();
    upkeep_.Stop();
    book_.Stop();
    reevaluator_.Stop();
    what_ifs_.Stop();
    services_.Drain();
    gateway_.Drain(kDrainTime);
    const auto deadline = absl::ToChronoTime(clock_.Now() + kDrainTime);
    collector_server_->Shutdown(deadline);
    api_server_->Shutdown(deadline);
    collector_server_.reset();
    api_server_.reset();
    life_.Stop();
    feed_.reset();
    workers_.reset();
    api_workers_.reset();
    Warn("day not kept", days_.Keep(true));
    Warn("end of sessions not stored", store_->controllers().Leave(id_, clock_.Now()));
  }

  void Stop() override {
    absl::MutexLock lock(&stop_mutex_);
    if (!stop_.HasBeenNotified()) stop_.Notify();
  }

 private:
  // Everything that must hold before the first collector or person is let in.
  absl::Status Prepare() {
    if (auto status = EnsureAdministrator(*store_, authenticator_, config_.data_dir); !status.ok())
      return status;
    const std::string name = config_.controller_name.empty() ? Hostname() : config_.controller_name;
    auto status = store_->controllers().Beat(id_, name, clock_.Now());
    // A private database has one controller: whoever else is in it has died.
    if (status.ok() && cluster_ != nullptr) status = store_->controllers().LeaveOthers(id_);
    if (status.ok()) status = store_->reports().PutBaselines(baselines_);
    book_.OnChanged([this] { reevaluator_.Wake(); });
    book_.OnDocuments([this](const auto& documents) { return TakeDocuments(documents); });
    if (status.ok()) status = book_.Reload();
    const absl::Time start = clock_.Now();
    if (status.ok()) status = index_.Load();
    if (!status.ok()) return status;
    spdlog::info("fleet loaded hosts={} took={}", index_.Read([](const fleet::Fleet& fleet) {
      return fleet.hosts().present().Count();
    }),
                 absl::FormatDuration(absl::Trunc(clock_.Now() - start, absl::Milliseconds(1))));
    feed_ = std::make_unique<store::ChangeFeed>(
        url_, store::ChangeFeed::Callbacks{
                  .hosts = [this](std::vector<std::string> ids) { index_.Changed(ids); },
                  .scan = [this](std::string id) { board_.OnScanChanged(id); },
                  .connected =
                      [this] {
                        index_.CatchUp();
                        book_.Changed();
                      },
                  .policy = [this] { book_.Changed(); }});
    return absl::OkStatus();
  }

  // Three threads: what keeps the controller alive never waits for what takes long.
  void StartTimers() {
    const absl::Duration beat = config_.controller_timeout / kBeatsPerTimeout;
    const std::string name = config_.controller_name.empty() ? Hostname() : config_.controller_name;
    life_.Add("beat", beat, [this, name] {
      Warn("sign of life not stored", store_->controllers().Beat(id_, name, clock_.Now()));
    });
    life_.Add("expire controllers", beat, [this] { ExpireControllers(); });
    life_.Add("sessions", absl::Seconds(1), [this] { gateway_.Tick(); });
    life_.Add("staleness", absl::Seconds(1), [this] {
      index_.Seen(sessions_.Heard(clock_.Now() - absl::Seconds(2)));
      index_.Tick();
    });
    life_.Start();
    scan_timer_.Add("scans", absl::Seconds(1), [this] { board_.Tick(); });
    scan_timer_.Add("schedules", absl::Seconds(1), [this] { scheduler_.Tick(); });
    scan_timer_.Start();
    upkeep_.Add("day", absl::Minutes(1), [this] { Warn("day not kept", days_.Keep()); });
    if (config_.remove_after > absl::ZeroDuration()) {
      upkeep_.Add(
          "remove unseen", absl::Minutes(10), [this] { RemoveUnseen(); }, true);
    }
    if (config_.keep_history > absl::ZeroDuration()) {
      upkeep_.Add(
          "retention", absl::Hours(6), [this] { Retain(); }, true);
    }
    upkeep_.Start();
  }

  void ExpireControllers() {
    auto ended = store_->controllers().ExpireDead(clock_.Now() - config_.controller_timeout);
    if (!ended.ok()) return Warn("dead controllers not ended", ended.status());
    if (!ended->empty()) spdlog::warn("sessions of dead controllers ended hosts={}", ended->size());
  }

  void RemoveUnseen() {
    const absl::Time now = clock_.Now();
    auto removed = store_->hosts().RemoveUnseen(
        now - config_.remove_after,
        absl::StrCat("not seen for ", absl::FormatDuration(config_.remove_after)), now);
    if (!removed.ok()) return Warn("unseen hosts not removed", removed.status());
    for (const std::string& id : *removed) spdlog::info("host removed host={} reason=unseen", id);
  }

  void Retain() {
    const absl::Time now = clock_.Now();
    auto retained = store_->controllers().Retain(now - config_.keep_history, now);
    if (!retained.ok()) return Warn("history not shortened", retained.status());
    for (const std::string& name : retained->dropped)
      spdlog::info("history dropped table={}", name);
  }

  // Revoked, removed or quarantined, here or on another controller. What it is the collector learns
  // when it connects again.
  void EndSession(const std::string& host_id) {
    sessions_.EndHost(host_id, absl::AbortedError("this host's standing has changed"));
  }

  // Other documents are about to be active: columns and the collectors' plan follow.
  absl::Status TakeDocuments(const std::vector<policy::Document>& documents) {
    std::vector<v1::Baseline> copies;
    for (const policy::Document& document : documents) copies.push_back(*document);
    if (auto status = store_->reports().PutBaselines(copies); !status.ok()) return status;
    if (auto status = index_.SetDocuments(copies); !status.ok()) return status;
    ingest_.SetBaselines(copies);
    return absl::OkStatus();
  }

  // A host that was judged under another policy, by another controller or while it changed.
  void CheckPolicy(const store::HostState& state) {
    if (state.removed || !state.host.has_observed_time()) return;
    const policy::Labels labels(state.host.labels().begin(), state.host.labels().end());
    if (book_.current()->For(state.host.id(), labels).key != fleet::PolicyKeyOf(state)) {
      reevaluator_.Wake();
    }
  }

  scans::HostResolver Resolver() {
    return [this](const v1::HostSelector& selector) {
      return index_.Read(
          [&selector](const fleet::Fleet& fleet) { return fleet.Resolve(selector); });
    };
  }

  static absl::Status NotListening(const std::string& address) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, "; is another program using it?"));
  }

  const Config config_;
  const std::string url_;
  const std::string id_ = NewControllerId();
  const support::Clock& clock_ = support::Clock::Real();
  std::unique_ptr<store::EmbeddedCluster> cluster_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<access::CertificateAuthority> authority_;
  const std::vector<v1::Baseline> baselines_;
  access::Revocations revocations_;
  access::Authenticator authenticator_;
  access::Enrollment enrollment_;
  gateway::GatewayStats stats_;
  gateway::SessionRegistry sessions_;
  scans::ScanBoard board_;
  policy::PolicyBook book_;
  // Before the index, whose thread wakes it.
  reevaluate::Reevaluator reevaluator_;
  fleet::FleetIndex index_;
  fleet::Days days_;
  scans::Scheduler scheduler_;
  std::unique_ptr<support::WorkerPool> workers_;
  std::unique_ptr<support::WorkerPool> api_workers_;
  gateway::Ingest ingest_;
  gateway::GatewayService gateway_;
  api::Hosts hosts_;
  api::Baselines baselines_api_;
  api::Findings findings_;
  api::Summaries summaries_;
  api::Scans scans_;
  api::Schedules schedules_;
  api::EnrollmentTokens enrollment_tokens_;
  api::Waivers waivers_;
  api::Tailorings tailorings_;
  reevaluate::WhatIfs what_ifs_;
  api::BaselineVersions baseline_versions_;
  api::WhatIfs what_ifs_api_;
  rpc::ApiServices services_;
  std::unique_ptr<store::ChangeFeed> feed_;
  int collector_port_ = 0;
  int api_port_ = 0;
  std::unique_ptr<grpc::Server> collector_server_;
  std::unique_ptr<grpc::Server> api_server_;
  support::Ticker life_;
  support::Ticker scan_timer_;
  support::Ticker upkeep_;
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
  auto store =
      store::Store::Open({.url = *url,
                          .pool_size = config.worker_threads + config.api_threads +
                                       config.gateway.committer_threads + kSpareConnections});
  if (!store.ok()) return store.status();
  const absl::Time now = support::Clock::Real().Now();
  auto authority = access::CertificateAuthority::LoadOrCreate(config.data_dir + "/pki", now);
  if (!authority.ok()) return authority.status();
  if (auto status = (*store)->enrollment().JoinAuthority((*authority)->BundlePem(), now,
                                                         config.replace_authority);
      !status.ok()) {
    return status;
  }
  auto server = std::make_unique<RealServer>(config, *url, std::move(cluster), *std::move(store),
                                             *std::move(authority), *std::move(baselines));
  if (auto status = server->Listen(); !status.ok()) return status;
  return server;
}

}  // namespace plimsoll::controller
