// The API as gRPC services: decode, authenticate, call, encode.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>

#include "controller/access/authenticator.h"
#include "controller/api/api.h"
#include "controller/api/baseline_versions.h"
#include "controller/api/schedules.h"
#include "controller/api/tailorings.h"
#include "controller/api/waivers.h"
#include "controller/api/what_ifs.h"
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
  api::Waivers& waivers;
  api::Tailorings& tailorings;
  api::WhatIfs& what_ifs;
  api::BaselineVersions& baseline_versions;
};

// All services of the API. Every call needs a bearer token in the `authorization` metadata.
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
