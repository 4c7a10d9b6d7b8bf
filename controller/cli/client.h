// The connection to a controller's API.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/cli/command.h"
#include "proto/support/grpc_status.h"

namespace plimsoll::cli {

// Where the controller is and who we are there.
struct Credentials {
  std::string server;
  std::string ca_pem;
  std::string token;
};

// ~/.config/plimsoll/credentials.yaml, or what --credentials says.
std::string CredentialsFile(const Session& session);
// Written whole, 0600.
absl::Status SaveCredentials(const std::string& file, const Credentials& credentials);
// Removes the file; no file is no error.
absl::Status RemoveCredentials(const std::string& file);
// As LoadCredentials, but who we are need not be known: `token` may be empty.
absl::StatusOr<Credentials> LoadConnection(const Session& session);
// What was saved, with the session's overrides. FAILED_PRECONDITION: not logged in; says what to
// run.
absl::StatusOr<Credentials> LoadCredentials(const Session& session);

// Blocking calls with the token attached. Not thread-safe.
class Client {
 public:
  explicit Client(Credentials credentials);

  // Calls `method` of `Stub` (e.g. &v1::HostService::Stub::GetHost). Errors are the API's;
  // UNAVAILABLE names the server and what may be wrong, unless the controller itself says it.
  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                std::unique_ptr<Stub> stub, const Request& request,
                                absl::Duration timeout = absl::Seconds(60)) {
    grpc::ClientContext context;
    Prepare(context, timeout);
    Response response;
    const absl::Status status =
        Explain(context, (stub.get()->*method)(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  std::shared_ptr<grpc::Channel> channel() const { return channel_; }
  // Token, if there is one, and deadline of one call.
  void Prepare(grpc::ClientContext& context, absl::Duration timeout) const;
  // How the call of `context` ended, once it is over. UNAVAILABLE that is not the controller's own
  // word says what may be wrong on the way there.
  absl::Status Explain(const grpc::ClientContext& context, const grpc::Status& status) const;

 private:
  const Credentials credentials_;
  std::shared_ptr<grpc::Channel> channel_;
};

// Loads the credentials, connects, runs `body`, and reports its error through `session`.
void WithClient(Session& session, const std::function<absl::Status(Client&)>& body);

// Adds a subcommand that takes -o, and that runs `action(client, options, session)`. `session`
// outlives the parse.
template <class Options, class Action>
Command AddAction(Command command, Session& session, std::shared_ptr<Options> options,
                  const std::string& name, const std::string& help, Action action) {
  Command added = command.AddSubcommand(name, help);
  AddOutputOption(added, session);
  added.OnRun([options, &session, action = std::move(action)] {
    WithClient(session, [&](Client& client) { return action(client, *options, session); });
  });
  return added;
}

}  // namespace plimsoll::cli
