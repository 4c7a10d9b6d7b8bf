// What the controller counts, for Prometheus (GET /metrics).
//
// Names begin with plimsoll_, say their unit and, for counters, end in _total. A counter speaks of
// this controller since its start; what is told of hosts, verdicts and scans is the whole fleet's,
// the same on every controller of a database.
#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "controller/api/methods.h"
#include "controller/fleet/index.h"
#include "controller/gateway/gateway_stats.h"
#include "controller/gateway/session_registry.h"
#include "controller/rest/http_server.h"
#include "controller/store/store.h"
#include "proto/support/clock.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::metrics {

// Where numbers come from. Borrows; outlives it.
struct Sources {
  store::Store& store;
  const fleet::FleetIndex& index;
  const gateway::GatewayStats& stats;
  const gateway::SessionRegistry& sessions;
  // Threads of collectors and of the API.
  const support::WorkerPool& workers;
  const support::WorkerPool& api_workers;
  const support::Clock& clock;
};

// Thread-safe.
class Metrics {
 public:
  explicit Metrics(const Sources& sources);

  // Counts the calls of `table` from now on; before anything serves.
  void Watch(api::MethodTable& table);

  // All numbers in Prometheus' text format. Asks the database for scans, at most for as long as a
  // statement may take; without it those are left out and plimsoll_database_up is 0. `http` is null
  // where HTTP is not served; `answers`: by HTTP status.
  std::string Text(const rest::HttpCounters* http, const std::map<int, int64_t>& answers);

 private:
  const Sources sources_;
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Family<prometheus::Histogram>& call_seconds_;
};

}  // namespace plimsoll::metrics
