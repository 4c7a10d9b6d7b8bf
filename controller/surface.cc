#include "controller/surface.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/api/scope.h"
#include "controller/rest/errors.h"
#include "controller/rest/oidc_routes.h"
#include "controller/setup.h"

namespace plimsoll::controller {
namespace {

constexpr int kMessageBytes = 4 << 20;

// Reflection and health are plugins that gRPC builds into every server made after this;
// ServeCollectors leaves them out.
void UsePlugins() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

}  // namespace

Surface::Surface(const SurfaceParts& parts)
    : parts_(parts),
      workers_(std::make_unique<support::WorkerPool>(parts.config.api_threads)),
      hosts_(parts.store, parts.index, parts.book, parts.revocations, parts.clock),
      host_labels_(parts.store, parts.index, parts.book, parts.judge_again),
      baselines_(parts.book),
      findings_(parts.store, parts.index, baselines_, parts.book),
      summaries_(parts.store, parts.index, parts.days, baselines_, parts.clock),
      scans_(parts.store, parts.board, parts.resolve, parts.clock),
      schedules_(parts.store, parts.resolve, parts.clock),
      enrollment_tokens_(parts.store, parts.authorities, parts.clock),
      authorities_(parts.authorities),
      events_(parts.index, parts.changes, parts.book, parts.clock),
      notifications_(parts.store, parts.notifier, parts.book, parts.clock),
      waivers_(
          parts.store, parts.index, parts.book, parts.clock,
          {.two_persons = parts.config.waiver_two_persons, .maximum = parts.config.waiver_maximum}),
      tailorings_(parts.store, parts.book, parts.clock),
      selectors_(parts.store, parts.index, parts.book, parts.clock),
      baseline_versions_(parts.store, parts.book, parts.clock),
      what_if_runs_(parts.store, parts.index, parts.clock),
      what_ifs_(parts.book, what_if_runs_, waivers_, tailorings_, parts.clock),
      identity_{parts.store, parts.authenticator, hasher_, throttle_, parts.clock},
      users_(identity_),
      sign_ins_(identity_),
      provider_(parts.oidc.issuer.empty()
                    ? nullptr
                    : std::make_unique<access::OidcProvider>(parts.oidc, parts.clock,
                                                             access::CurlFetch(parts.oidc.ca_pem))),
      oidc_sign_ins_(identity_, sign_ins_, provider_.get(), parts.secrets, parts.activity),
      tokens_(identity_),
      activities_(parts.store.activity()),
      recorder_(parts.store, parts.activity),
      methods_(parts.clock, &recorder_),
      metrics_({parts.store, parts.index, parts.stats, parts.sessions, parts.workers, *workers_,
                parts.clock}) {
  AddMethods();
  metrics_.Watch(methods_);
  services_ =
      std::make_unique<rpc::ApiServices>(rpc::ApiParts{parts_.authenticator, *workers_, methods_});
  if (parts_.config.rest_address.empty()) return;
  rest_ = std::make_unique<rest::RestService>(RestParts(), PlainRoutes());
}

Surface::~Surface() { Stop(absl::ZeroDuration()); }

void Surface::AddMethods() {
  api::AddHostMethods(methods_, hosts_);
  api::AddHostLabelMethods(methods_, host_labels_);
  api::AddBaselineMethods(methods_, baselines_);
  api::AddFindingMethods(methods_, findings_);
  api::AddSummaryMethods(methods_, summaries_);
  api::AddScanMethods(methods_, scans_);
  api::AddScheduleMethods(methods_, schedules_);
  api::AddEnrollmentMethods(methods_, enrollment_tokens_, hosts_);
  api::AddAuthorityMethods(methods_, authorities_);
  api::AddEventMethods(methods_, events_);
  api::AddUserMethods(methods_, users_);
  api::AddSessionMethods(methods_, sign_ins_);
  api::AddOidcMethods(methods_, oidc_sign_ins_);
  api::AddTokenMethods(methods_, tokens_);
  api::AddActivityMethods(methods_, activities_);
  api::AddWaiverMethods(methods_, waivers_);
  api::AddTailoringMethods(methods_, tailorings_);
  api::AddSelectorMethods(methods_, selectors_);
  api::AddBaselineVersionMethods(methods_, baseline_versions_);
  api::AddWhatIfMethods(methods_, what_ifs_);
  api::AddNotificationMethods(methods_, notifications_);
}

rest::ServiceParts Surface::RestParts() {
  return {.methods = methods_,
          .workers = *workers_,
          .authenticate =
              [this](const std::string& authorization, const std::string& peer) {
                return parts_.authenticator.Authenticate(authorization, peer);
              },
          .ready = [this] { return parts_.store.Ping(); },
          .fleet_version =
              [this] {
                const uint64_t version =
                    parts_.index.Read([](const fleet::Fleet& fleet) { return fleet.version(); });
                // Of the policy, too: a saved selector may mean other hosts of the same fleet.
                return absl::StrCat(parts_.id, "/", version, "/", parts_.book.current()->digest());
              }};
}

std::vector<rest::PlainRoute> Surface::PlainRoutes() {
  std::vector<rest::PlainRoute> routes;
  if (provider_ != nullptr) routes = rest::OidcRoutes(oidc_sign_ins_);
  routes.push_back({.verb = "GET",
                    .path = "/metrics",
                    .summary = "Numbers for Prometheus, in its text format.",
                    .content_type = "text/plain",
                    .answer =
                        [this](const rest::HttpRequest& request, const store::Principal* who) {
                          const absl::Status whole = api::RequireWholeFleet(*who, "metrics");
                          if (!whole.ok()) return rest::ErrorResponse(whole, request.id);
                          rest::HttpResponse response;
                          response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                          response.body = metrics_.Text(http_counters_.load(), rest_->answers());
                          return response;
                        },
                    .permission = access::Permission::kRead});
  return routes;
}

absl::Status Surface::Listen(const access::ServerIdentity& identity) {
  UsePlugins();
  grpc::ServerBuilder builder;
  SetKeepalive(builder);
  int port = 0;
  const std::string& address = parts_.config.api_address;
  tls_.Set(identity, "");
  builder.AddListeningPort(address, tls_.Credentials(false), &port);
  builder.SetMaxReceiveMessageSize(kMessageBytes);
  services_->Register(builder);
  grpc_server_ = builder.BuildAndStart();
  if (grpc_server_ == nullptr || port == 0) return NotListening(address);
  if (rest_ == nullptr) return absl::OkStatus();
  rest::HttpServerOptions options;
  options.address = parts_.config.rest_address;
  options.key_pem = identity.key_pem;
  options.certificate_pem = identity.certificate_pem;
  auto server = rest::HttpServer::Start(
      std::move(options),
      [this](rest::HttpRequest request, std::function<void(rest::HttpResponse)> respond) {
        rest_->Handle(std::move(request), std::move(respond));
      });
  if (!server.ok()) return server.status();
  http_server_ = *std::move(server);
  http_counters_ = &http_server_->counters();
  return absl::OkStatus();
}

void Surface::SetIdentity(const access::ServerIdentity& identity) {
  tls_.Set(identity, "");
  if (http_server_ == nullptr) return;
  const absl::Status status = http_server_->SetIdentity(identity.key_pem, identity.certificate_pem);
  if (!status.ok()) spdlog::error("certificate of HTTPS not changed: {}", status.ToString());
}

void Surface::Drain() {
  if (grpc_server_ != nullptr && grpc_server_->GetHealthCheckService() != nullptr) {
    grpc_server_->GetHealthCheckService()->SetServingStatus(false);
  }
  services_->Drain();
  what_if_runs_.Stop();
}

void Surface::Stop(absl::Duration patience) {
  if (http_server_ != nullptr) http_server_->Stop(patience);
  if (grpc_server_ != nullptr) {
    grpc_server_->Shutdown(absl::ToChronoTime(parts_.clock.Now() + patience));
  }
  // Work that is queued refers to the servers' calls.
  grpc_server_.reset();
  workers_.reset();
}

}  // namespace plimsoll::controller
