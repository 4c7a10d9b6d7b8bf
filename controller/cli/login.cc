#include <openssl/rand.h>

#include <memory>
#include <ostream>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/identity_view.h"
#include "controller/cli/loopback.h"
#include "plimsoll/v1/session_service.grpc.pb.h"
#include "proto/support/digest.h"

namespace plimsoll::cli {
namespace {

constexpr absl::Duration kSignInPatience = absl::Minutes(10);

struct LoginOptions {
  std::string user;
  bool oidc = false;
  std::string password_file;
  std::string new_password_file;
};

std::unique_ptr<v1::SessionService::Stub> Stub(Client& client) {
  return v1::SessionService::NewStub(client.channel());
}

// Signs in as a person; `credentials` get the session's secret. A one-time password is changed.
absl::Status SignIn(const LoginOptions& options, Session& session, Credentials& credentials) {
  auto password = ReadPassword(options.password_file,
                               absl::StrCat("Password of ", Printable(options.user, 64), ": "),
                               "--password-file");
  if (!password.ok()) return password.status();
  v1::SignInRequest request;
  request.set_name(options.user);
  request.set_password(*password);
  Client nobody(credentials);
  auto answer = nobody.Call(&v1::SessionService::Stub::SignIn, Stub(nobody), request);
  if (!answer.ok()) return answer.status();
  credentials.token = answer->secret();
  if (!answer->user().must_change_password()) return absl::OkStatus();
  *session.err << "The one-time password must be changed now.\n";
  Client client(credentials);
  auto chosen = ReadNewPassword(options.new_password_file);
  absl::Status status = chosen.ok() ? ChangePassword(client, *password, *chosen) : chosen.status();
  // A session that opens nothing is of no use.
  if (!status.ok()) {
    client.Call(&v1::SessionService::Stub::SignOut, Stub(client), v1::SignOutRequest())
        .status()
        .IgnoreError();
  }
  return status;
}

// Has the person sign in at the identity provider, in a browser on this machine; `credentials` get
// the session's secret. Who sees the address cannot take the session: the verifier stays here.
absl::Status SignInElsewhere(Session& session, Credentials& credentials) {
  Client nobody(credentials);
  auto methods = nobody.Call(&v1::SessionService::Stub::GetSignInMethods, Stub(nobody),
                             v1::GetSignInMethodsRequest());
  if (!methods.ok()) return methods.status();
  if (methods->start_url().empty()) {
    return absl::FailedPreconditionError(
        "this controller has no identity provider; sign in with --user NAME");
  }
  auto listener = LoopbackListener::Open();
  if (!listener.ok()) return listener.status();
  unsigned char random[32];
  if (RAND_bytes(random, sizeof random) != 1) return absl::InternalError("no random numbers");
  v1::RedeemSignInCodeRequest request;
  request.set_verifier_secret(absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(random), sizeof random)));
  *session.err << "Open this address in a browser on this machine to sign in at "
               << Printable(methods->identity_provider(), 256) << ":\n"
               << Printable(methods->start_url(), 1024) << "?cli_port=" << listener->port()
               << "&cli_challenge="
               << absl::WebSafeBase64Escape(support::Sha256(request.verifier_secret())) << "\n"
               << std::flush;
  auto code = listener->AwaitCode(kSignInPatience);
  if (!code.ok()) return code.status();
  request.set_code_secret(*std::move(code));
  auto answer = nobody.Call(&v1::SessionService::Stub::RedeemSignInCode, Stub(nobody), request);
  if (!answer.ok()) return answer.status();
  credentials.token = answer->secret();
  return absl::OkStatus();
}

absl::Status Login(const LoginOptions& options, Session& session) {
  if (session.server.empty() || session.ca_file.empty() ||
      (options.user.empty() && !options.oidc && session.token_file.empty())) {
    return absl::InvalidArgumentError(
        "login needs --server HOST:PORT, --ca FILE, and --user NAME, --oidc or --token-file FILE");
  }
  if (!absl::StrContains(session.server, ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("--server \"", session.server, "\" has no port"));
  }
  auto credentials = LoadConnection(session);
  if (!credentials.ok()) return credentials.status();
  if (options.oidc) {
    credentials->token.clear();
    if (auto status = SignInElsewhere(session, *credentials); !status.ok()) return status;
  } else if (!options.user.empty()) {
    credentials->token.clear();
    if (auto status = SignIn(options, session, *credentials); !status.ok()) return status;
  }
  // What is saved is known to work.
  Client client(*credentials);
  auto self = client.Call(&v1::SessionService::Stub::GetSelf, Stub(client), v1::GetSelfRequest());
  if (!self.ok()) return self.status();
  const std::string file = CredentialsFile(session);
  if (auto status = SaveCredentials(file, *credentials); !status.ok()) return status;
  *session.out << "Logged in to " << credentials->server << " as " << Printable(self->name(), 128)
               << " (" << RoleName(self->role()) << "); credentials in " << file << "\n";
  return absl::OkStatus();
}

absl::Status Logout(Client& client, bool everywhere, Session& session) {
  int sessions = 1;
  if (everywhere) {
    auto answer = client.Call(&v1::SessionService::Stub::SignOutEverywhere, Stub(client),
                              v1::SignOutEverywhereRequest());
    if (!answer.ok()) return answer.status();
    sessions = answer->session_count();
  } else {
    auto answer =
        client.Call(&v1::SessionService::Stub::SignOut, Stub(client), v1::SignOutRequest());
    // A token has no session: it is forgotten here, and goes on.
    if (!answer.ok() && !absl::IsFailedPrecondition(answer.status()) &&
        !absl::IsUnauthenticated(answer.status())) {
      return answer.status();
    }
  }
  if (auto status = RemoveCredentials(CredentialsFile(session)); !status.ok()) return status;
  *session.out << (everywhere ? absl::StrCat("Ended ", sessions, " session(s)") : "Logged out")
               << "\n";
  return absl::OkStatus();
}

absl::Status WhoAmI(Client& client, bool with_sessions, Session& session) {
  if (with_sessions) {
    auto answer = client.Call(&v1::SessionService::Stub::ListSessions, Stub(client),
                              v1::ListSessionsRequest());
    if (!answer.ok()) return answer.status();
    if (session.json()) {
      session.PrintJson(*answer);
      return absl::OkStatus();
    }
    Table table({"SESSION", "SINCE", "LAST SEEN", "ENDS", "FROM", "WITH"});
    for (const v1::Session& each : answer->sessions()) {
      table.Row({each.id() + (each.current() ? " (this)" : ""), FormatInstant(each.create_time()),
                 FormatInstant(each.last_seen_time()), FormatInstant(each.expire_time()),
                 Printable(each.peer(), 64), Printable(each.user_agent(), 64)});
    }
    table.Print(session.terminal, *session.out);
    return absl::OkStatus();
  }
  auto self = client.Call(&v1::SessionService::Stub::GetSelf, Stub(client), v1::GetSelfRequest());
  if (!self.ok()) return self.status();
  if (session.json()) {
    session.PrintJson(*self);
    return absl::OkStatus();
  }
  *session.out << Printable(self->name(), 128) << " ("
               << (self->kind() == v1::Self::USER ? "user " : "API token ")
               << Printable(self->id(), 64) << ")\n"
               << "  role: " << RoleName(self->role()) << "\n  sees: "
               << (self->scope().empty() ? "all hosts"
                                         : absl::StrCat("hosts with ", Printable(self->scope())))
               << "\n  may: " << absl::StrJoin(self->permissions(), ", ") << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddLogin(Command app, Session& session) {
  auto options = std::make_shared<LoginOptions>();
  Command command = app.AddSubcommand(
      "login", "Sign in, or check a token, and keep the credentials for later commands");
  Option user =
      command.AddOption("--user", options->user, "Sign in as this user; asks for the password")
          .TypeName("NAME");
  command
      .AddFlag("--oidc", options->oidc,
               "Sign in at the identity provider, in a browser on this machine")
      .Excludes(user);
  command
      .AddOption("--password-file", options->password_file,
                 "Read the password from this file (0600) instead of asking")
      .TypeName("FILE");
  command
      .AddOption("--new-password-file", options->new_password_file,
                 "The password to have from now on, where a one-time password must be changed")
      .TypeName("FILE");
  command.Footer(
      "Needs --server, --ca, and --user, --oidc or --token-file. The credentials file is for its "
      "owner "
      "only (0600).\n"
      "Examples:\n  plimsoll login --server localhost:7444 --ca "
      "/var/lib/plimsoll-controller/pki/ca.pem --user admin\n"
      "  plimsoll login --server localhost:7444 --ca /var/lib/plimsoll-controller/pki/ca.pem \\\n"
      "    --token-file /var/lib/plimsoll-controller/admin.token");
  command.OnRun([options, &session] {
    if (auto status = Login(*options, session); !status.ok()) session.Fail(status);
  });
}

void AddLogout(Command app, Session& session) {
  auto everywhere = std::make_shared<bool>(false);
  Command command = app.AddSubcommand("logout", "End the session and forget the saved credentials");
  command.AddFlag("--everywhere", *everywhere, "End every session of yours, on any machine");
  command.OnRun([everywhere, &session] {
    WithClient(session, [&](Client& client) { return Logout(client, *everywhere, session); });
  });
}

void AddWhoAmI(Command app, Session& session) {
  auto sessions = std::make_shared<bool>(false);
  Command command = app.AddSubcommand("whoami", "Who you are there, and what you may do");
  AddOutputOption(command, session);
  command.AddFlag("--sessions", *sessions, "List your sessions");
  command.OnRun([sessions, &session] {
    WithClient(session, [&](Client& client) { return WhoAmI(client, *sessions, session); });
  });
}

void AddPassword(Command app, Session& session) {
  auto options = std::make_shared<LoginOptions>();
  Command command = app.AddSubcommand("password", "Change your password; ends your other sessions");
  command
      .AddOption("--password-file", options->password_file, "File with the password in use (0600)")
      .TypeName("FILE");
  command
      .AddOption("--new-password-file", options->new_password_file,
                 "File with the password to have from now on (0600)")
      .TypeName("FILE");
  command.OnRun([options, &session] {
    WithClient(session, [&](Client& client) -> absl::Status {
      auto password = ReadPassword(options->password_file, "Password in use: ", "--password-file");
      if (!password.ok()) return password.status();
      auto chosen = ReadNewPassword(options->new_password_file);
      if (!chosen.ok()) return chosen.status();
      if (auto status = ChangePassword(client, *password, *chosen); !status.ok()) return status;
      *session.out << "Password changed; your other sessions have ended\n";
      return absl::OkStatus();
    });
  });
}

}  // namespace plimsoll::cli
