// The collectors' side of the controller, as a gRPC service.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "controller/access/enrollment.h"
#include "controller/access/revocations.h"
#include "controller/gateway/ingest.h"
#include "controller/gateway/session_registry.h"
#include "plimsoll/v1/collector_gateway.grpc.pb.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::gateway {

// Who a peer is, by its client certificate.
struct PeerIdentity {
  std::string host_id;
  // Lower-case hex.
  std::string serial;
};

// The peer's identity. UNAUTHENTICATED: no certificate, or one that names no host.
absl::StatusOr<PeerIdentity> IdentifyPeer(const grpc::CallbackServerContext& context);

// What sessions share. Borrows; outlives every session.
struct GatewayParts {
  store::Store& store;
  access::Enrollment& enrollment;
  Ingest& ingest;
  scans::ScanBoard& scans;
  SessionRegistry& sessions;
  support::WorkerPool& workers;
  const support::Clock& clock;
  v1::Limits limits;
  absl::Duration heartbeat_interval = absl::Seconds(30);
};

// Thread-safe. Ends a host's session when `revocations` announces it.
class GatewayService : public v1::CollectorGateway::CallbackService {
 public:
  GatewayService(GatewayParts parts, access::Revocations& revocations);
  ~GatewayService() override;

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const v1::EnrollRequest* request,
                                   v1::EnrollResponse* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const v1::RenewRequest* request,
                                  v1::RenewResponse* response) override;
  grpc::ServerBidiReactor<v1::FromCollector, v1::ToCollector>* Connect(
      grpc::CallbackServerContext* context) override;

 private:
  GatewayParts parts_;
  access::Revocations& revocations_;
  int revocation_handle_ = 0;
};

}  // namespace plimsoll::gateway
