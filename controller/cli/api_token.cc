#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/identity_view.h"
#include "controller/cli/selector_options.h"
#include "plimsoll/v1/token_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct ApiTokenOptions {
  v1::CreateApiTokenRequest create;
  absl::Duration lifetime = absl::InfiniteDuration();
  std::string out_file;
  std::string revoke;
  bool all = false;
  int limit = 100;
};

std::unique_ptr<v1::TokenService::Stub> Stub(Client& client) {
  return v1::TokenService::NewStub(client.channel());
}

absl::Status Create(Client& client, const ApiTokenOptions& options, Session& session) {
  v1::CreateApiTokenRequest request = options.create;
  if (options.lifetime != absl::InfiniteDuration()) {
    *request.mutable_lifetime() = ToProto(options.lifetime);
  }
  auto answer = client.Call(&v1::TokenService::Stub::CreateApiToken, Stub(client), request);
  if (!answer.ok()) return answer.status();
  if (!options.out_file.empty() || !session.json()) {
    if (auto status = HandOver(answer->secret(), options.out_file, session); !status.ok()) {
      return status;
    }
    answer->clear_secret();
  }
  if (session.json()) {
    session.PrintJson(*answer);
    return absl::OkStatus();
  }
  const v1::ApiToken& token = answer->token();
  *session.err << "API token " << Printable(token.name(), 128) << " (" << Printable(token.id(), 64)
               << "): " << RoleName(token.role()) << ", expires "
               << (token.has_expire_time() ? FormatInstant(token.expire_time()) : "never")
               << ". It is shown only once.\n";
  return absl::OkStatus();
}

absl::Status List(Client& client, const ApiTokenOptions& options, Session& session) {
  v1::ListApiTokensResponse all;
  const auto more = ReadPages(
      options.limit,
      [&](int size, const std::string& token) {
        v1::ListApiTokensRequest request;
        request.set_page_size(size);
        request.set_page_token(token);
        request.set_include_dead(options.all);
        return client.Call(&v1::TokenService::Stub::ListApiTokens, Stub(client), request);
      },
      [&all](v1::ListApiTokensResponse& page) { all.MergeFrom(page); },
      [&all] { return all.tokens_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
    return absl::OkStatus();
  }
  if (all.tokens().empty()) {
    *session.out << "No API tokens; `plimsoll api-token create --help` has examples.\n";
    return absl::OkStatus();
  }
  Table table(
      {"ID", "NAME", "ROLE", "SEES", "CREATED", "BY", "EXPIRES", "LAST USED", "FROM", "STATE"});
  for (const v1::ApiToken& token : all.tokens()) {
    table.Row({token.id(), Printable(token.name(), 128), RoleName(token.role()),
               token.scope().empty() ? "all hosts" : Printable(token.scope(), 200),
               FormatInstant(token.create_time()), Printable(token.created_by(), 64),
               token.has_expire_time() ? FormatInstant(token.expire_time()) : "never",
               FormatInstant(token.last_used_time()), Printable(token.last_peer(), 64),
               token.revoked() ? "revoked" : ""});
  }
  table.Print(session.terminal, *session.out);
  SayMore(*more, session);
  return absl::OkStatus();
}

absl::Status Revoke(Client& client, const ApiTokenOptions& options, Session& session) {
  v1::RevokeApiTokenRequest request;
  request.set_token(options.revoke);
  auto token = client.Call(&v1::TokenService::Stub::RevokeApiToken, Stub(client), request);
  if (!token.ok()) return token.status();
  if (session.json()) {
    session.PrintJson(*token);
  } else {
    *session.out << "Revoked " << Printable(token->name(), 128) << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddApiToken(Command app, Session& session) {
  auto options = std::make_shared<ApiTokenOptions>();
  Command token = app.AddSubcommand("api-token", "API tokens, for programs: create, list, revoke");
  token.RequireSubcommand(1, 1);
  const auto add = [&](const std::string& name, const std::string& help, auto action) {
    return AddAction(token, session, options, name, help, action);
  };
  Command create = add("create", "Make a token; prints its secret once", Create);
  create
      .AddOptionCall(
          "name", [options](const std::string& name) { options->create.set_name(name); },
          "For the list: letters, digits, ., _ and -")
      .Required()
      .TypeName("NAME");
  AddRoleOption(create, "viewer, auditor, operator or admin, at most your own [your own]",
                [options](v1::Role role) { options->create.set_role(role); });
  create
      .AddOptionCall(
          "--scope", [options](const std::string& text) { options->create.set_scope(text); },
          "Sees only hosts whose labels fit, of those you see, e.g. 'team=shop' [as you]")
      .TypeName("SELECTOR");
  AddDurationOption(create, "--lifetime", options->lifetime,
                    "How long it may be used; at most 5 years [for ever]");
  create
      .AddOptionCall(
          "--description",
          [options](const std::string& text) { options->create.set_description(text); },
          "For the list")
      .TypeName("TEXT");
  create
      .AddOption("--out", options->out_file,
                 "Write the secret to this file (0600) instead of printing it")
      .TypeName("FILE");
  create.Footer(
      "Tokens that enrol hosts are another thing: `plimsoll token`.\n\nExample:\n"
      "  plimsoll api-token create ci --role operator --scope env=staging --lifetime 2160h --out "
      "ci.token");
  Command list = add("list", "API tokens, newest first: your own, or all for administrators", List);
  list.AddFlag("--all", options->all, "Revoked and expired ones too");
  AddLimitOption(list, options->limit);
  add("revoke", "A token is refused from now on", Revoke)
      .AddOption("token", options->revoke, "Id or name")
      .Required()
      .TypeName("TOKEN");
}

}  // namespace plimsoll::cli
