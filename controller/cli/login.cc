#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

absl::Status Login(Session& session) {
  if (session.server.empty() || session.ca_file.empty() || session.token_file.empty()) {
    return absl::InvalidArgumentError(
        "login needs --server HOST:PORT, --ca FILE and --token-file FILE");
  }
  if (!absl::StrContains(session.server, ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("--server \"", session.server, "\" has no port"));
  }
  auto credentials = LoadCredentials(session);
  if (!credentials.ok()) return credentials.status();
  // What is saved is known to work.
  Client client(*credentials);
  auto answer =
      client.Call(&v1::BaselineService::Stub::ListBaselines,
                  v1::BaselineService::NewStub(client.channel()), v1::ListBaselinesRequest());
  if (!answer.ok()) return answer.status();
  const std::string file = CredentialsFile(session);
  if (auto status = SaveCredentials(file, *credentials); !status.ok()) return status;
  *session.out << "Logged in to " << credentials->server << "; credentials in " << file << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddLogin(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand(
      "login", "Check a token against a controller and keep it for later commands");
  command->footer(
      "Needs --server, --ca and --token-file. The credentials file is for its owner only (0600).\n"
      "Example:\n  plimsoll login --server localhost:7444 --ca "
      "/var/lib/plimsoll-controller/pki/ca.pem \\\n"
      "    --token-file /var/lib/plimsoll-controller/admin.token");
  command->final_callback([&session] {
    if (auto status = Login(session); !status.ok()) session.Fail(status);
  });
}

}  // namespace plimsoll::cli
