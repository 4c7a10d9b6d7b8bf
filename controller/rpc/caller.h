// Who calls over gRPC, and what a caller is told.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/access/authenticator.h"

namespace plimsoll::rpc {

// The `authorization` metadata of a call; empty when there is none.
std::string Authorization(const grpc::CallbackServerContext& context);

// The `user-agent` metadata of a call; empty when there is none. Hostile input.
std::string UserAgent(const grpc::CallbackServerContext& context);

// The principal behind `authorization`, with the address it calls from. Errors as Authenticate's.
absl::StatusOr<store::Principal> Authenticate(access::Authenticator& authenticator,
                                              const std::string& authorization,
                                              const std::string& address);

// A status for the caller; what broke inside goes to the log. What the database says may name
// machines and users, and is told before the caller is known: it stays inside too. The reason of an
// error and the fields it blames go into the trailing metadata of `context`; to be called before
// the call is finished, once.
grpc::Status Outcome(grpc::CallbackServerContext& context, const absl::Status& status,
                     absl::string_view method, const std::string& address);

// More calls wait than a controller takes: RESOURCE_EXHAUSTED.
absl::Status Busy();

}  // namespace plimsoll::rpc
