// What people and programs reach of the controller: the API over gRPC and HTTPS, and its numbers.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/access/authenticator.h"
#include "controller/access/authorities.h"
#include "controller/access/certificate_authority.h"
#include "controller/access/oidc_provider.h"
#include "controller/access/revocations.h"
#include "controller/access/secret_box.h"
#include "controller/api/api.h"
#include "controller/api/authorities.h"
#include "controller/api/events.h"
#include "controller/api/host_labels.h"
#include "controller/api/identity.h"
#include "controller/api/methods.h"
#include "controller/api/notifications.h"
#include "controller/api/oidc_sign_ins.h"
#include "controller/api/schedules.h"
#include "controller/api/selectors.h"
#include "controller/api/tailorings.h"
#include "controller/api/waivers.h"
#include "controller/api/what_ifs.h"
#include "controller/config.h"
#include "controller/fleet/change_log.h"
#include "controller/fleet/days.h"
#include "controller/fleet/index.h"
#include "controller/gateway/gateway_stats.h"
#include "controller/gateway/session_registry.h"
#include "controller/metrics/metrics.h"
#include "controller/notify/notifier.h"
#include "controller/policy/policy_book.h"
#include "controller/reevaluate/what_if.h"
#include "controller/rest/http_server.h"
#include "controller/rest/service.h"
#include "controller/rpc/services.h"
#include "controller/scans/scan_board.h"
#include "controller/scans/scheduler.h"
#include "controller/store/store.h"
#include "controller/tls.h"
#include "proto/support/clock.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::controller {

// What it stands on. Borrows; outlives it.
struct SurfaceParts {
  const Config& config;
  store::Store& store;
  fleet::FleetIndex& index;
  fleet::ChangeLog& changes;
  fleet::Days& days;
  policy::PolicyBook& book;
  access::Revocations& revocations;
  access::Authenticator& authenticator;
  access::ActivityLog& activity;
  access::Authorities& authorities;
  const access::SecretBox& secrets;
  // Without an issuer: none.
  const access::OidcOptions& oidc;
  scans::ScanBoard& board;
  notify::Notifier& notifier;
  scans::HostResolver resolve;
  // Hosts may have to be judged by another policy. Must not block.
  std::function<void()> judge_again;
  const gateway::GatewayStats& stats;
  const gateway::SessionRegistry& sessions;
  const support::WorkerPool& workers;
  // Of this start of this controller.
  std::string id;
  const support::Clock& clock;
};

// Handlers, the table of their methods, and the servers. Thread-compatible.
class Surface {
 public:
  explicit Surface(const SurfaceParts& parts);
  ~Surface();

  // Makes the users of a first start.
  api::Users& users() { return users_; }
  // Opens both ports. UNAVAILABLE names the address that cannot be listened on.
  absl::Status Listen(const access::ServerIdentity& identity);
  // What clients see from their next connection on. After Listen.
  void SetIdentity(const access::ServerIdentity& identity);
  // Ends streams, which would otherwise go on.
  void Drain();
  // Takes no more calls and lets those under way end, for at most `patience`.
  void Stop(absl::Duration patience);

 private:
  void AddMethods();
  rest::ServiceParts RestParts();
  std::vector<rest::PlainRoute> PlainRoutes();

  const SurfaceParts parts_;
  std::unique_ptr<support::WorkerPool> workers_;
  api::Hosts hosts_;
  api::HostLabels host_labels_;
  api::Baselines baselines_;
  api::Findings findings_;
  api::Summaries summaries_;
  api::Scans scans_;
  api::Schedules schedules_;
  api::EnrollmentTokens enrollment_tokens_;
  api::Authorities authorities_;
  api::Events events_;
  api::Notifications notifications_;
  api::Waivers waivers_;
  api::Tailorings tailorings_;
  api::Selectors selectors_;
  api::BaselineVersions baseline_versions_;
  reevaluate::WhatIfs what_if_runs_;
  api::WhatIfs what_ifs_;
  access::PasswordHasher hasher_;
  access::SignInThrottle throttle_;
  const api::IdentityParts identity_;
  api::Users users_;
  api::SignIns sign_ins_;
  // Null: none is set.
  const std::unique_ptr<access::OidcProvider> provider_;
  api::OidcSignIns oidc_sign_ins_;
  api::ApiTokens tokens_;
  api::Activities activities_;
  api::ActivityRecorder recorder_;
  api::MethodTable methods_;
  metrics::Metrics metrics_;
  std::unique_ptr<rpc::ApiServices> services_;
  std::unique_ptr<rest::RestService> rest_;
  ServerTls tls_;
  std::unique_ptr<grpc::Server> grpc_server_;
  std::unique_ptr<rest::HttpServer> http_server_;
  // Of http_server_, for those it serves before Listen knows it. Null: not yet.
  std::atomic<const rest::HttpCounters*> http_counters_ = nullptr;
};

}  // namespace plimsoll::controller
