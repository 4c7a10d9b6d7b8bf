// One unary call, from metadata to answer.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <utility>

#include "controller/rpc/caller.h"
#include "controller/rpc/services.h"
#include "proto/support/grpc_peer.h"

namespace plimsoll::rpc {

// Authenticates on the pool, calls the method through the table, and finishes.
template <class Response>
grpc::ServerUnaryReactor* Unary(const ApiParts& parts, grpc::CallbackServerContext* context,
                                const api::Method& method, const google::protobuf::Message* request,
                                Response* response) {
  auto* reactor = context->DefaultReactor();
  const std::string address = support::AddressOf(context->peer());
  // Each holds its request until a worker has time, and nobody knows yet who calls.
  if (parts.workers.waiting() >= parts.max_pending) {
    reactor->Finish(Outcome(*context, Busy(), method.spec.rpc, address));
    return reactor;
  }
  parts.workers.Add([&parts, &method, context, request, response, reactor, address] {
    const auto who =
        method.spec.open
            ? absl::StatusOr<store::Principal>(api::Nobody(address, UserAgent(*context)))
            : Authenticate(parts.authenticator, Authorization(*context), address);
    absl::Status status = who.status();
    if (who.ok()) {
      auto answer = parts.methods.Call(*who, method, *request);
      status = answer.status();
      if (answer.ok()) *response = std::move(static_cast<Response&>(**answer));
    } else {
      parts.methods.Refuse(method, nullptr, address, status);
    }
    reactor->Finish(Outcome(*context, status, method.spec.rpc, address));
  });
  return reactor;
}

}  // namespace plimsoll::rpc
