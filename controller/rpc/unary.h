// One unary call, from metadata to answer.
#pragma once

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/rpc/services.h"
#include "proto/support/grpc_status.h"

namespace plimsoll::rpc {

// The `authorization` metadata of a call; empty when there is none.
inline std::string Authorization(const grpc::CallbackServerContext& context) {
  const auto it = context.client_metadata().find("authorization");
  return it == context.client_metadata().end() ? ""
                                               : std::string(it->second.data(), it->second.size());
}

// The address a call came from, without port, of gRPC's "ipv4:10.0.0.1:4711" and
// "ipv6:%5B::1%5D:4711"; empty: not an internet address.
inline std::string PeerAddress(const std::string& peer) {
  const size_t begin = peer.find(':') + 1;
  const size_t end = peer.rfind(':');
  if (peer.compare(0, 2, "ip") != 0 || end < begin) return "";
  std::string address = peer.substr(begin, end - begin);
  for (const absl::string_view bracket : {"%5B", "%5D", "[", "]"}) {
    const size_t at = address.find(bracket.data());
    if (at != std::string::npos) address.erase(at, bracket.size());
  }
  return address;
}

// A caller who is not known, with what the transport says.
inline api::Principal Nobody(const grpc::CallbackServerContext& context) {
  api::Principal nobody;
  nobody.kind = store::CallerKind::kNobody;
  nobody.peer = PeerAddress(context.peer());
  const auto agent = context.client_metadata().find("user-agent");
  if (agent != context.client_metadata().end()) {
    nobody.user_agent = std::string(agent->second.data(), agent->second.size());
  }
  return nobody;
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

// "UserService.CreateUser" of gRPC's "/plimsoll.v1.UserService/CreateUser".
inline std::string MethodName(const std::string& service_full_name, const char* method) {
  return absl::StrCat(service_full_name.substr(service_full_name.rfind('.') + 1), ".", method);
}

// Calls `handler(who, request)` and writes down what came of it.
template <class Request, class Response, class Handler>
absl::Status CallAndRecord(const ApiParts& parts, const api::Principal& who,
                           const std::string& method, const Request& request, Response& response,
                           const Handler& handler) {
  std::string before = parts.recorder.Before(method, request);
  absl::StatusOr<Response> result = handler(who, request);
  absl::Status status = parts.recorder.Ended(
      {who, method, request, result.ok() ? &*result : nullptr, result.status(), std::move(before)});
  if (!result.ok()) return result.status();
  if (status.ok()) response = *std::move(result);
  return status;
}

// Authenticates on the pool, calls `handler(principal, request)`, and finishes.
template <class Request, class Response, class Handler>
grpc::ServerUnaryReactor* Unary(const ApiParts& parts, grpc::CallbackServerContext* context,
                                std::string method, const Request* request, Response* response,
                                Handler handler) {
  auto* reactor = context->DefaultReactor();
  parts.workers.Add([&parts, context, method = std::move(method), request, response, reactor,
                     handler = std::move(handler)] {
    auto principal =
        parts.authenticator.Authenticate(Authorization(*context), PeerAddress(context->peer()));
    absl::Status status = principal.status();
    if (principal.ok()) {
      status = CallAndRecord(parts, *principal, method, *request, *response, handler);
    } else {
      parts.recorder.Refused(Nobody(*context), method, status);
    }
    reactor->Finish(Outcome(status, method, context->peer()));
  });
  return reactor;
}

// The same for the one method that anybody may call.
template <class Request, class Response, class Handler>
grpc::ServerUnaryReactor* OpenUnary(const ApiParts& parts, grpc::CallbackServerContext* context,
                                    std::string method, const Request* request, Response* response,
                                    Handler handler) {
  auto* reactor = context->DefaultReactor();
  parts.workers.Add([&parts, context, method = std::move(method), request, response, reactor,
                     handler = std::move(handler)] {
    const absl::Status status =
        CallAndRecord(parts, Nobody(*context), method, *request, *response, handler);
    reactor->Finish(Outcome(status, method, context->peer()));
  });
  return reactor;
}

}  // namespace plimsoll::rpc
