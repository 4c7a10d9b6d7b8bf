#include "controller/server.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "controller/access/authenticator.h"
#include "controller/access/authorities.h"
#include "controller/access/enrollment.h"
#include "controller/access/revocations.h"
#include "controller/fleet/change_log.h"
#include "controller/fleet/days.h"
#include "controller/fleet/index.h"
#include "controller/gateway/gateway_service.h"
#include "controller/gateway/ingest.h"
#include "controller/gateway/session_registry.h"
#include "controller/notify/notifier.h"
#include "controller/notify/sender.h"
#include "controller/policy/policy_book.h"
#include "controller/reevaluate/reevaluator.h"
#include "controller/scans/scan_board.h"
#include "controller/scans/scheduler.h"
#include "controller/setup.h"
#include "controller/store/change_feed.h"
#include "controller/store/embedded_cluster.h"
#include "controller/store/store.h"
#include "controller/surface.h"
#include "controller/tls.h"
#include "controller/upkeep/upkeep.h"
#include "proto/support/clock.h"
#include "proto/support/key_files.h"
#include "proto/support/logging.h"
#include "proto/support/ticker.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::controller {
namespace {

using support::WarnUnlessOk;
// Commits under way when the controller stops have this long, calls that are open as long again.
constexpr absl::Duration kDrainTime = absl::Seconds(10);
// A controller says this often within --controller-timeout that it lives.
constexpr int kBeatsPerTimeout = 5;
// The least time between two passes over the fleet because of what others judged.
constexpr absl::Duration kWakeForOthers = absl::Seconds(30);
// Connections beside those of workers and committers: timers, re-evaluation, the index,
// notifications, the activity log, what-if.
constexpr int kSpareConnections = 16;

// Everything, in the order it is built; destroyed the other way round.
class RealServer : public Server {
 public:
  RealServer(const Config& config, std::string url, std::unique_ptr<store::EmbeddedCluster> cluster,
             std::unique_ptr<store::Store> store, std::unique_ptr<access::Authorities> authorities,
             access::SecretBox secrets, access::OidcOptions oidc,
             std::vector<v1::Baseline> baselines)
      : config_(config),
        url_(std::move(url)),
        cluster_(std::move(cluster)),
        store_(std::move(store)),
        authorities_(std::move(authorities)),
        secrets_(std::move(secrets)),
        oidc_(std::move(oidc)),
        baselines_(std::move(baselines)),
        authenticator_(store_->tokens(), store_->users(), clock_, config.sessions,
                       [this](const store::Principal& who) { NoteNewPeer(who); }),
        enrollment_(store_->enrollment(), *authorities_, clock_,
                    {.certificate_lifetime = config.certificate_lifetime,
                     .enrolled = [this](v1::Activity entry) { activity_.Note(std::move(entry)); },
                     .began_anew = [this](const std::string& id) { EndSession(id); }}),
        board_(store_->scans(), clock_),
        book_(*store_, clock_, baselines_),
        reevaluator_(*store_, book_, index_, clock_),
        index_(store_->fleet(), store_->reports(), baselines_, clock_,
               {.stale_after = config.stale_after,
                .unwelcome = [this](const std::string& id) { EndSession(id); },
                .shown = [this](const std::vector<std::string>& ids) { changes_.Add(ids); },
                .read_again = [this](const store::HostState& state) { CheckPolicy(state); }}),
        days_(index_, store_->fleet(), clock_),
        scheduler_(store_->schedules(), board_, Resolver(), clock_),
        workers_(std::make_unique<support::WorkerPool>(config.worker_threads)),
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
        sender_(clock_, Hostname()),
        notifier_(
            store_->notifications(), sender_, secrets_,
            [this] { return book_.current()->selectors(); }, clock_, config.stale_after),
        surface_({config_,   *store_,       index_,       changes_,
                  days_,     book_,         revocations_, authenticator_,
                  activity_, *authorities_, secrets_,     oidc_,
                  board_,    notifier_,     Resolver(),   [this] { reevaluator_.Wake(); },
                  stats_,    sessions_,     *workers_,    id_,
                  clock_}),
        life_(clock_),
        scan_timer_(clock_),
        notify_timer_(clock_),
        upkeep_timer_(clock_) {}

  absl::Status Listen() {
    if (auto status = Prepare(); !status.ok()) return status;
    authorities_->CheckNext([this](const access::CertificateAuthority& next) {
      return MakeIdentities(config_, next, clock_.Now()).status();
    });
    authorities_->OnChanged([this] { FollowAuthorities(); });
    auto identities = MakeIdentities(config_, *authorities_, clock_.Now());
    if (!identities.ok()) return identities.status();
    if (auto status = surface_.Listen(identities->shown); !status.ok()) return status;
    tls_.Set(std::move(identities->own), authorities_->BundlePem());
    auto collectors = ServeCollectors(config_, gateway_, tls_);
    if (!collectors.ok()) return collectors.status();
    collector_server_ = *std::move(collectors);
    listening_ = true;
    FollowAuthorities();
    FollowFeed();
    spdlog::info("serving collectors={} api={} rest={} baselines={} controller={}",
                 config_.collector_address, config_.api_address, config_.rest_address,
                 baselines_.size(), id_);
    return absl::OkStatus();
  }

  void Run() override {
    StartTimers();
    reevaluator_.Start();
    book_.Start();
    stop_.WaitForNotification();
    spdlog::info("stopping sessions={}", sessions_.Count());
    scan_timer_.Stop();
    notify_timer_.Stop();
    upkeep_timer_.Stop();
    book_.Stop();
    reevaluator_.Stop();
    surface_.Drain();
    gateway_.Drain(kDrainTime);
    collector_server_->Shutdown(absl::ToChronoTime(clock_.Now() + kDrainTime));
    surface_.Stop(kDrainTime);
    collector_server_.reset();
    life_.Stop();
    feed_.reset();
    workers_.reset();
    WarnUnlessOk("last uses not noted", authenticator_.FlushUses());
    WarnUnlessOk("day not kept", days_.Keep(true));
    WarnUnlessOk("end of sessions not stored", store_->controllers().Leave(id_));
  }

  void Stop() override {
    absl::MutexLock lock(&stop_mutex_);
    if (!stop_.HasBeenNotified()) stop_.Notify();
  }

 private:
  // Everything that must hold before the first collector or person is let in.
  absl::Status Prepare() {
    if (auto status =
            EnsureAdministrator(*store_, authenticator_, surface_.users(), config_.data_dir);
        !status.ok()) {
      return status;
    }
    const std::string name = config_.controller_name.empty() ? Hostname() : config_.controller_name;
    auto status = store_->controllers().Beat(id_, name, clock_.Now());
    // A private database has one controller: whoever else is in it has died.
    if (status.ok() && cluster_ != nullptr) status = store_->controllers().LeaveOthers(id_);
    if (status.ok()) status = store_->reports().PutBaselines(baselines_);
    book_.OnChanged([this] {
      ingest_.SetBaselines(book_.current()->PlanDocuments());
      reevaluator_.Wake();
    });
    book_.OnDocuments([this](const auto& documents) { return TakeDocuments(documents); });
    if (status.ok()) status = book_.Reload();
    const absl::Time start = clock_.Now();
    if (status.ok()) status = index_.Load();
    if (!status.ok()) return status;
    spdlog::info("fleet loaded hosts={} took={}", index_.Read([](const fleet::Fleet& fleet) {
      return fleet.hosts().present().Count();
    }),
                 absl::FormatDuration(absl::Trunc(clock_.Now() - start, absl::Milliseconds(1))));
    return absl::OkStatus();
  }

  // After Listen: what it tells changes what is served.
  void FollowFeed() {
    feed_ = std::make_unique<store::ChangeFeed>(
        url_, store::ChangeFeed::Callbacks{
                  .hosts = [this](std::vector<std::string> ids) { index_.Changed(ids); },
                  .scan = [this](std::string id) { board_.OnScanChanged(id); },
                  .access = [this](std::vector<std::string> ids) { authenticator_.Forget(ids); },
                  .connected =
                      [this] {
                        index_.CatchUp();
                        authenticator_.ForgetAll();
                        book_.Changed();
                        WarnUnlessOk("authorities not read", authorities_->Reload());
                      },
                  .policy = [this] { book_.Changed(); },
                  .authority = [this] { ReloadAuthorities(); }});
  }

  // Four threads: what keeps the controller alive never waits for what takes long.
  void StartTimers() {
    const absl::Duration beat = config_.controller_timeout / kBeatsPerTimeout;
    const std::string name = config_.controller_name.empty() ? Hostname() : config_.controller_name;
    // At once: reading the fleet took its time.
    life_.Add(
        "beat", beat, [this, name] { upkeep_.Beat(name); }, true);
    life_.Add("sessions", absl::Seconds(1), [this] { gateway_.Tick(); });
    life_.Add("staleness", absl::Seconds(1), [this] {
      index_.Seen(sessions_.Heard(clock_.Now() - absl::Seconds(2)));
      index_.Tick();
      WakeForOthers();
    });
    life_.Add("events", absl::Seconds(1), [this] { changes_.Tick(); });
    life_.Start();
    scan_timer_.Add("scans", absl::Seconds(1), [this] { board_.Tick(); });
    scan_timer_.Add("schedules", absl::Seconds(1), [this] { scheduler_.Tick(); });
    scan_timer_.Start();
    notify_timer_.Add("collect notifications", absl::Seconds(1), [this] { notifier_.Collect(); });
    notify_timer_.Add("deliver notifications", absl::Seconds(1), [this] { notifier_.Deliver(); });
    notify_timer_.Add("what time brings", absl::Seconds(10), [this] { notifier_.Upkeep(); });
    notify_timer_.Start();
    upkeep_timer_.Add("day", absl::Minutes(1),
                      [this] { WarnUnlessOk("day not kept", days_.Keep()); });
    upkeep_timer_.Add("last uses", absl::Minutes(1),
                      [this] { WarnUnlessOk("last uses not noted", authenticator_.FlushUses()); });
    upkeep_timer_.Add("authorities", absl::Minutes(1), [this] { ReloadAuthorities(); });
    upkeep_.AddTo(upkeep_timer_);
    upkeep_timer_.Start();
  }

  void NoteNewPeer(const store::Principal& who) {
    activity_.Note(
        access::ActivityBy(who, "TokenNewAddress", absl::StrCat("api-tokens/", who.token_id)));
  }

  // Revoked, removed or quarantined, here or on another controller. What it is the collector learns
  // when it connects again.
  void EndSession(const std::string& host_id) {
    sessions_.EndHost(host_id, absl::AbortedError("this host's standing has changed"));
  }

  // Other documents are about to be active: columns follow.
  absl::Status TakeDocuments(const std::vector<policy::Document>& documents) {
    std::vector<v1::Baseline> copies;
    for (const policy::Document& document : documents) copies.push_back(*document);
    if (auto status = store_->reports().PutBaselines(copies); !status.ok()) return status;
    return index_.SetDocuments(std::move(copies));
  }

  // A host that was judged under another policy, by another controller or while it changed.
  void CheckPolicy(const store::HostState& state) {
    if (state.removed || !state.host.has_observed_time()) return;
    const policy::Labels labels(state.host.labels().begin(), state.host.labels().end());
    if (book_.current()->For(state.host.id(), labels).key != fleet::PolicyKeyOf(state)) {
      judged_elsewhere_ = true;
    }
  }

  // Not at every host: a controller of another version, or with other baselines, would see it the
  // other way round, and the two would judge the same hosts again and again.
  void WakeForOthers() {
    const absl::Time now = clock_.Now();
    if (!judged_elsewhere_ || now < next_wake_) return;
    judged_elsewhere_ = false;
    next_wake_ = now + kWakeForOthers;
    reevaluator_.Wake();
  }

  // Another authority issues, or is trusted. Sessions look by themselves (Session::TellTrust).
  void FollowAuthorities() {
    if (!listening_) return;
    auto identities = MakeIdentities(config_, *authorities_, clock_.Now());
    WarnUnlessOk("no certificate of the new authority", identities.status());
    follow_again_ = !identities.ok();
    if (!identities.ok()) return;
    tls_.Set(std::move(identities->own), authorities_->BundlePem());
    surface_.SetIdentity(identities->shown);
  }

  void ReloadAuthorities() {
    WarnUnlessOk("authorities not read", authorities_->Reload());
    if (follow_again_) FollowAuthorities();
  }

  scans::HostResolver Resolver() {
    return [this](const v1::HostSelector& selector) {
      const auto policy = book_.current();
      return index_.Read(
          [&](const fleet::Fleet& fleet) { return fleet.Resolve(selector, policy->selectors()); });
    };
  }

  const Config config_;
  const std::string url_;
  const std::string id_ = NewControllerId();
  const support::Clock& clock_ = support::Clock::Real();
  std::unique_ptr<store::EmbeddedCluster> cluster_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<access::Authorities> authorities_;
  const access::SecretBox secrets_;
  const access::OidcOptions oidc_;
  const std::vector<v1::Baseline> baselines_;
  access::ActivityLog activity_{store_->activity(), clock_};
  upkeep::Upkeep upkeep_{*store_, activity_, clock_, ControllerAsActor(id_),
                         UpkeepOptionsOf(config_)};
  access::Revocations revocations_;
  access::Authenticator authenticator_;
  access::Enrollment enrollment_;
  gateway::GatewayStats stats_;
  gateway::SessionRegistry sessions_;
  scans::ScanBoard board_;
  fleet::ChangeLog changes_{id_};
  policy::PolicyBook book_;
  // Hosts were read that are judged under another policy than this controller's.
  std::atomic<bool> judged_elsewhere_{false};
  absl::Time next_wake_ = absl::InfinitePast();
  std::atomic<bool> follow_again_{false};
  // Before the index, whose thread wakes it.
  reevaluate::Reevaluator reevaluator_;
  fleet::FleetIndex index_;
  fleet::Days days_;
  scans::Scheduler scheduler_;
  std::unique_ptr<support::WorkerPool> workers_;
  gateway::Ingest ingest_;
  gateway::GatewayService gateway_;
  notify::NetworkSender sender_;
  notify::Notifier notifier_;
  Surface surface_;
  std::unique_ptr<store::ChangeFeed> feed_;
  std::atomic<bool> listening_{false};
  ServerTls tls_;
  std::unique_ptr<grpc::Server> collector_server_;
  support::Ticker life_;
  support::Ticker scan_timer_;
  support::Ticker notify_timer_;
  support::Ticker upkeep_timer_;
  absl::Mutex stop_mutex_;
  absl::Notification stop_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Config& config) {
  auto baselines = LoadBaselines(config);
  if (!baselines.ok()) return baselines.status();
  auto oidc = LoadOidc(config);
  if (!oidc.ok()) return oidc.status();
  const std::string pki = config.data_dir + "/pki";
  for (const std::string& dir : {config.data_dir, pki}) {
    if (auto status = support::MakePrivateDirectory(dir); !status.ok()) return status;
  }
  auto url = DatabaseUrl(config);
  if (!url.ok()) return url.status();
  std::unique_ptr<store::EmbeddedCluster> cluster;
  if (url->empty()) {
    auto started = store::EmbeddedCluster::Start({.data_dir = config.data_dir});
    if (!started.ok()) return started.status();
    cluster = *std::move(started);
    *url = cluster->url();
  }
  auto store =
      store::Store::Open({.url = *url,
                          .pool_size = config.worker_threads + config.api_threads +
                                       config.gateway.committer_threads + kSpareConnections});
  if (!store.ok()) return store.status();
  auto secrets = access::SecretBox::LoadOrCreate(pki + "/secrets.key");
  if (!secrets.ok()) return secrets.status();
  auto authorities = access::Authorities::Open((*store)->authorities(), *secrets, pki,
                                               support::Clock::Real(), config.replace_authority);
  if (!authorities.ok()) return authorities.status();
  auto server = std::make_unique<RealServer>(config, *url, std::move(cluster), *std::move(store),
                                             *std::move(authorities), *std::move(secrets),
                                             *std::move(oidc), *std::move(baselines));
  if (auto status = server->Listen(); !status.ok()) return status;
  return server;
}

}  // namespace plimsoll::controller
