#include "controller/rpc/caller.h"

#include <spdlog/spdlog.h>

#include "proto/support/field_errors.h"
#include "proto/support/grpc_status.h"

namespace plimsoll::rpc {

std::string Authorization(const grpc::CallbackServerContext& context) {
  const auto it = context.client_metadata().find("authorization");
  return it == context.client_metadata().end() ? ""
                                               : std::string(it->second.data(), it->second.size());
}

std::string UserAgent(const grpc::CallbackServerContext& context) {
  const auto it = context.client_metadata().find("user-agent");
  return it == context.client_metadata().end() ? ""
                                               : std::string(it->second.data(), it->second.size());
}

absl::StatusOr<store::Principal> Authenticate(access::Authenticator& authenticator,
                                              const std::string& authorization,
                                              const std::string& address) {
  auto principal = authenticator.Authenticate(authorization, address);
  if (principal.ok()) principal->peer = address;
  return principal;
}

grpc::Status Outcome(const absl::Status& status, absl::string_view method,
                     const std::string& address) {
  if (absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status)) {
    spdlog::warn("refused method={} peer={} reason=\"{}\"", std::string(method), address,
                 std::string(status.message()));
  } else if (absl::IsInternal(status) || absl::IsUnknown(status)) {
    spdlog::error("failed method={} peer={} error=\"{}\"", std::string(method), address,
                  status.ToString());
  } else if (support::IsForCaller(status)) {
    return support::ToGrpc(status);
  } else if (absl::IsUnavailable(status) || absl::IsAborted(status)) {
    spdlog::error("failed method={} peer={} error=\"{}\"", std::string(method), address,
                  status.ToString());
    return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                        support::PublicMessage(status));
  }
  return support::ToGrpc(status);
}

}  // namespace plimsoll::rpc
