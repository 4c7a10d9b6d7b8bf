// One unary call, from metadata to answer.
#pragma once

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "controller/rpc/services.h"
#include "proto/support/grpc_status.h"

namespace plimsoll::rpc {

// The `authorization` metadata of a call; empty when there is none.
inline std::string Authorization(const grpc::CallbackServerContext& context) {
  const auto it = context.client_metadata().find("authorization");
  return it == context.client_metadata().end() ? ""
                                               : std::string(it->second.data(), it->second.size());
}

// A status for the caller; what broke inside goes to the log. What the database says may name
// machines and users, and is told before the caller is known: it stays inside too.
inline grpc::Status Outcome(const absl::Status& status, absl::string_view method,
                            const std::string& peer) {
  if (absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status)) {
    spdlog::warn("refused method={} peer={} reason=\"{}\"", std::string(method), peer,
                 std::string(status.message()));
  } else if (absl::IsInternal(status) || absl::IsUnknown(status)) {
    spdlog::error("failed method={} peer={} error=\"{}\"", std::string(method), peer,
                  status.ToString());
  } else if (absl::IsUnavailable(status) || absl::IsAborted(status)) {
    spdlog::error("failed method={} peer={} error=\"{}\"", std::string(method), peer,
                  status.ToString());
    return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                        "the controller's database does not answer; try again");
  }
  return support::ToGrpc(status);
}

// Authenticates on the pool, calls `handler(principal, request)`, and finishes.
template <class Request, class Response, class Handler>
grpc::ServerUnaryReactor* Unary(const ApiParts& parts, grpc::CallbackServerContext* context,
                                const char* method, const Request* request, Response* response,
                                Handler handler) {
  auto* reactor = context->DefaultReactor();
  parts.workers.Add(
      [&parts, context, method, request, response, reactor, handler = std::move(handler)] {
        auto principal = parts.authenticator.Authenticate(Authorization(*context));
        absl::Status status = principal.status();
        if (principal.ok()) {
          absl::StatusOr<Response> result = handler(*principal, *request);
          status = result.status();
          if (result.ok()) *response = *std::move(result);
        }
        reactor->Finish(Outcome(status, method, context->peer()));
      });
  return reactor;
}

}  // namespace plimsoll::rpc
