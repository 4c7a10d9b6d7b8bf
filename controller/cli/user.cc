#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/identity_view.h"
#include "plimsoll/v1/user_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct UserOptions {
  v1::CreateUserRequest create;
  v1::UpdateUserRequest update;
  std::string name;
  std::string out_file;
  int limit = 100;
};

std::unique_ptr<v1::UserService::Stub> Stub(Client& client) {
  return v1::UserService::NewStub(client.channel());
}

std::string State(const v1::User& user) {
  if (user.disabled()) return "disabled";
  if (!user.identity_provider().empty()) return "by identity provider";
  return user.must_change_password() ? "one-time password" : "";
}

void PrintUsers(const v1::ListUsersResponse& users, Session& session) {
  Table table({"NAME", "ROLE", "SEES", "STATE", "LAST SIGN-IN", "DESCRIPTION"});
  for (const v1::User& user : users.users()) {
    table.Row({Printable(user.name(), 64), RoleName(user.role()),
               user.scope().empty() ? "all hosts" : Printable(user.scope(), 200), State(user),
               FormatInstant(user.last_sign_in_time()), Printable(user.description(), 100)});
  }
  table.Print(session.terminal, *session.out);
}

// Users up to the limit; says when there are more.
absl::Status List(Client& client, const UserOptions& options, Session& session) {
  v1::ListUsersResponse all;
  const auto more = ReadPages(
      options.limit,
      [&](int size, const std::string& token) {
        v1::ListUsersRequest request;
        request.set_page_size(size);
        request.set_page_token(token);
        return client.Call(&v1::UserService::Stub::ListUsers, Stub(client), request);
      },
      [&all](v1::ListUsersResponse& page) { all.MergeFrom(page); },
      [&all] { return all.users_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
    return absl::OkStatus();
  }
  PrintUsers(all, session);
  SayMore(*more, session);
  return absl::OkStatus();
}

// `answer` has user and one_time_password.
template <class Answer>
absl::Status HandOverPassword(Answer answer, const UserOptions& options, Session& session) {
  if (!options.out_file.empty() || !session.json()) {
    if (auto status = HandOver(answer.one_time_password(), options.out_file, session);
        !status.ok()) {
      return status;
    }
    answer.clear_one_time_password();
  }
  if (session.json()) {
    session.PrintJson(answer);
  } else {
    *session.err << "One-time password of " << Printable(answer.user().name(), 64)
                 << ": it is shown only once and must be changed at the first sign-in.\n";
  }
  return absl::OkStatus();
}

absl::Status Create(Client& client, const UserOptions& options, Session& session) {
  auto answer = client.Call(&v1::UserService::Stub::CreateUser, Stub(client), options.create);
  if (!answer.ok()) return answer.status();
  return HandOverPassword(*std::move(answer), options, session);
}

absl::Status Reset(Client& client, const UserOptions& options, Session& session) {
  v1::ResetPasswordRequest request;
  request.set_user(options.name);
  auto answer = client.Call(&v1::UserService::Stub::ResetPassword, Stub(client), request);
  if (!answer.ok()) return answer.status();
  return HandOverPassword(*std::move(answer), options, session);
}

absl::Status Update(Client& client, const UserOptions& options, Session& session) {
  auto user = client.Call(&v1::UserService::Stub::UpdateUser, Stub(client), options.update);
  if (!user.ok()) return user.status();
  if (session.json()) {
    session.PrintJson(*user);
    return absl::OkStatus();
  }
  v1::ListUsersResponse one;
  *one.add_users() = *std::move(user);
  PrintUsers(one, session);
  return absl::OkStatus();
}

absl::Status Delete(Client& client, const UserOptions& options, Session& session) {
  v1::DeleteUserRequest request;
  request.set_user(options.name);
  auto gone = client.Call(&v1::UserService::Stub::DeleteUser, Stub(client), request);
  if (!gone.ok()) return gone.status();
  if (session.json()) {
    session.PrintJson(*gone);
  } else {
    *session.out << "Deleted " << Printable(options.name, 64)
                 << "; its sessions and API tokens have ended\n";
  }
  return absl::OkStatus();
}

void AddScopeOption(Command command, std::function<void(const std::string&)> set) {
  command
      .AddOptionCall("--scope", std::move(set),
                     "Sees only hosts whose labels fit, e.g. 'team=shop'; '' for all [all]")
      .TypeName("SELECTOR");
}

}  // namespace

void AddUser(Command app, Session& session) {
  auto options = std::make_shared<UserOptions>();
  Command user = app.AddSubcommand("user", "Users: create, list, update and more");
  user.RequireSubcommand(1, 1);
  const auto add = [&](const std::string& name, const std::string& help, auto action) {
    return AddAction(user, session, options, name, help, action);
  };
  const auto add_out = [&](Command command) {
    command
        .AddOption("--out", options->out_file,
                   "Write the one-time password to this file (0600) instead of printing it")
        .TypeName("FILE");
  };
  const auto add_name = [&](Command command) {
    command.AddOption("name", options->name, "Name or id").Required().TypeName("NAME");
  };
  Command create = add("create", "Make a user; prints a one-time password once", Create);
  create
      .AddOptionCall(
          "name", [options](const std::string& name) { options->create.set_name(name); },
          "To sign in with: a-z, 0-9, ., _ and -")
      .Required()
      .TypeName("NAME");
  AddRoleOption(create, "viewer, auditor, operator or admin", [options](v1::Role role) {
    options->create.set_role(role);
  }).Required();
  AddScopeOption(create, [options](const std::string& text) { options->create.set_scope(text); });
  create
      .AddOptionCall(
          "--description",
          [options](const std::string& text) { options->create.set_description(text); },
          "For the list")
      .TypeName("TEXT");
  add_out(create);
  create.Footer(
      "viewer sees; auditor also exports and reads the activity log; operator also scans, gives "
      "labels and\nproposes waivers; admin may do everything.\n\nExample:\n"
      "  plimsoll user create ann --role operator --scope 'team=shop' --out ann.password");
  AddLimitOption(add("list", "All users, by name", List), options->limit);
  Command update = add("update", "Change what is given, leave the rest", Update);
  update
      .AddOptionCall(
          "name", [options](const std::string& name) { options->update.set_user(name); },
          "Name or id")
      .Required()
      .TypeName("NAME");
  AddRoleOption(update, "viewer, auditor, operator or admin",
                [options](v1::Role role) { options->update.set_role(role); });
  AddScopeOption(update, [options](const std::string& text) { options->update.set_scope(text); });
  update
      .AddOptionCall(
          "--description",
          [options](const std::string& text) { options->update.set_description(text); },
          "For the list")
      .TypeName("TEXT");
  Option disable = update.AddFlagCall(
      "--disable", [options] { options->update.set_disabled(true); }, "No sign-in any more");
  update
      .AddFlagCall(
          "--enable", [options] { options->update.set_disabled(false); }, "Sign-in again")
      .Excludes(disable);
  update.Footer(
      "Another role or scope, and --disable, end the user's sessions and revoke the API tokens the "
      "user made.\n\nExample:\n  plimsoll user update ann --disable");
  Command reset = add("reset-password", "A new one-time password; ends the user's sessions", Reset);
  add_name(reset);
  add_out(reset);
  add_name(add("delete", "Remove a user, its sessions and its API tokens", Delete));
}

}  // namespace plimsoll::cli
