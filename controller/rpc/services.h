// The API as gRPC services: decode, authenticate, call, encode.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>

#include "controller/access/authenticator.h"
#include "controller/api/methods.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::rpc {

// What the services share. Borrows; outlives the server.
struct ApiParts {
  access::Authenticator& authenticator;
  support::WorkerPool& workers;
  // Has every method of every service.
  const api::MethodTable& methods;
  // Calls that wait for a worker; more are answered RESOURCE_EXHAUSTED.
  size_t max_pending = 512;
};

// All services of the API. A call needs a bearer token in the `authorization` metadata,
// unless its method is open to anybody (api::MethodSpec::open).
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
