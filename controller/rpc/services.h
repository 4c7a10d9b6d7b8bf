// The API as gRPC services: decode, authenticate, call, encode.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>

#include "controller/access/authenticator.h"
#include "controller/api/activity.h"
#include "controller/api/api.h"
#include "controller/api/identity.h"
#include "controller/api/schedules.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::rpc {

// What the services share. Borrows; outlives the server.
struct ApiParts {
  access::Authenticator& authenticator;
  support::WorkerPool& workers;
  api::Hosts& hosts;
  api::Baselines& baselines;
  api::Findings& findings;
  api::Summaries& summaries;
  api::Scans& scans;
  api::Schedules& schedules;
  api::EnrollmentTokens& enrollment;
  api::Users& users;
  api::SignIns& sign_ins;
  api::ApiTokens& tokens;
  api::Activities& activities;
  api::ActivityRecorder& recorder;
};

// All services of the API. Every call but SignIn needs a bearer token in the `authorization`
// metadata.
// Handlers run on the worker pool, never on gRPC's threads.
class ApiServices {
 public:
  explicit ApiServices(const ApiParts& parts);
  ~ApiServices();
  void Register(grpc::ServerBuilder& builder);
  // Ends the streams that would otherwise go on: the controller stops.
  void Drain();

 private:
  struct Services;
  std::unique_ptr<Services> services_;
};

}  // namespace plimsoll::rpc
