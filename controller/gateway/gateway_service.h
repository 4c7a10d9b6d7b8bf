// The collectors' side of the controller, as a gRPC service.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "controller/access/enrollment.h"
#include "controller/access/revocations.h"
#include "controller/gateway/byte_budget.h"
#include "controller/gateway/gateway_options.h"
#include "controller/gateway/gateway_stats.h"
#include "controller/gateway/ingest.h"
#include "controller/gateway/lane.h"
#include "controller/gateway/rate_limit.h"
#include "controller/gateway/session_registry.h"
#include "plimsoll/v1/collector_gateway.grpc.pb.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::gateway {

// What the gateway is built from. Borrows; all outlives the service and every session.
struct GatewayParts {
  store::Store& store;
  access::Enrollment& enrollment;
  Ingest& ingest;
  scans::ScanBoard& scans;
  SessionRegistry& sessions;
  // Not shared with work that may keep all threads for long.
  support::WorkerPool& workers;
  const support::Clock& clock;
  GatewayStats& stats;
  // Of ControllerStore::Beat: whose sessions these are.
  std::string controller_id;
  GatewayOptions options;
  // Hosts whose session just began or ended, as stored. May be empty. Called by workers; must not
  // block for long.
  std::function<void(std::vector<std::string> host_ids)> on_host_changed;
};

// A session that is over.
struct SessionEnd {
  std::string host_id;
  // Of its lease.
  int64_t epoch = 0;
  // When the host was last heard: one that is cut off for its silence is not seen by that.
  absl::Time last_heard;
};

// What sessions share beside the parts.
struct SessionContext {
  explicit SessionContext(GatewayParts given);

  // Stores the end of a session. Blocks; while the database is away the end is kept for Retry.
  void Store(SessionEnd end) ABSL_LOCKS_EXCLUDED(mutex);
  // Stores the ends that could not be stored before. Blocks.
  void Retry() ABSL_LOCKS_EXCLUDED(mutex);

  const GatewayParts parts;
  ByteBudget budget;
  // Beginnings and ends of sessions; answers to scans and renewals.
  Lane session_lane;
  Lane answer_lane;
  // For complaints about hosts.
  LogGate log_gate;
  absl::Mutex mutex;
  // At most one for each session that was open when the database went away.
  std::vector<SessionEnd> unstored ABSL_GUARDED_BY(mutex);
};

// All take bytes, so that their number is known, and room for them found, before they are decoded:
// Enroll answers anybody.
using GatewayMethods = v1::CollectorGateway::WithRawCallbackMethod_Enroll<
    v1::CollectorGateway::WithRawCallbackMethod_Renew<
        v1::CollectorGateway::WithRawCallbackMethod_Connect<v1::CollectorGateway::Service>>>;

// Thread-safe. Ends a host's session when `revocations` announces it.
class GatewayService : public GatewayMethods {
 public:
  GatewayService(GatewayParts parts, access::Revocations& revocations);
  ~GatewayService() override;

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const grpc::ByteBuffer* request,
                                  grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Connect(
      grpc::CallbackServerContext* context) override;

  // About once a second, from one thread, never blocking: ends silent sessions, tells slow ones to
  // pause, has last-seen times written now and then and sessions ended that lost their lease.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);

  // The controller stops: sessions finish what is being committed, for at most `patience`, and are
  // then ended with UNAVAILABLE, as is every later one. Nothing is committed after it. Blocks. The
  // server is shut down, and the workers joined, afterwards.
  void Drain(absl::Duration patience);

 private:
  // On a worker: last-seen times, leases that are lost, and ends of sessions that are late.
  void Flush(absl::Time since, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // False: the database does not take it. Ends sessions that lost their lease.
  bool StoreSeen(const std::map<std::string, store::SessionSeen>& heard);

  SessionContext context_;
  Lane enroll_lane_;
  access::Revocations& revocations_;
  int revocation_handle_ = 0;
  absl::Mutex mutex_;
  // Everything heard up to here is stored.
  absl::Time seen_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time next_flush_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool flushing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace plimsoll::gateway
