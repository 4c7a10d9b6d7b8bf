#include "controller/rpc/caller.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "proto/support/field_errors.h"
#include "proto/support/grpc_status.h"
#include "proto/support/logging.h"

namespace plimsoll::rpc {
namespace {

constexpr size_t kLongestField = 256;

void LogFailure(const absl::Status& status, absl::string_view method, const std::string& address) {
  spdlog::error("failed method={} peer={} error=\"{}\"", std::string(method), address,
                support::LogSafe(status.ToString()));
}

void AddDetails(const absl::Status& status, grpc::CallbackServerContext& context) {
  context.AddTrailingMetadata(support::kReasonKey, support::ReasonOf(status));
  for (const support::FieldError& error : support::FieldErrorsOf(status)) {
    // gRPC's own limits to a value.
    const bool plain = error.field.size() <= kLongestField &&
                       std::all_of(error.field.begin(), error.field.end(), [](char c) {
                         return absl::ascii_isprint(static_cast<unsigned char>(c));
                       });
    if (plain) context.AddTrailingMetadata(support::kFieldKey, error.field);
  }
}

}  // namespace

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

grpc::Status Outcome(grpc::CallbackServerContext& context, const absl::Status& status,
                     absl::string_view method, const std::string& address) {
  if (status.ok()) return grpc::Status::OK;
  AddDetails(status, context);
  const auto code = static_cast<grpc::StatusCode>(status.code());
  if (absl::IsInternal(status) || absl::IsUnknown(status) || absl::IsDataLoss(status)) {
    LogFailure(status, method, address);
    return grpc::Status(code, "internal error; see the controller's log");
  }
  if ((absl::IsUnavailable(status) || absl::IsAborted(status)) && !support::IsForCaller(status)) {
    LogFailure(status, method, address);
    return grpc::Status(code, support::PublicMessage(status));
  }
  if (absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status)) {
    spdlog::warn("refused method={} peer={} reason=\"{}\"", std::string(method), address,
                 support::LogSafe(status.message()));
  }
  return support::ToGrpc(status);
}

absl::Status Busy() {
  return absl::ResourceExhaustedError("the controller is busy; try again in a second");
}

}  // namespace plimsoll::rpc
