#include <memory>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/identity_view.h"
#include "controller/cli/selector_options.h"
#include "plimsoll/v1/enrollment_service.grpc.pb.h"
#include "proto/support/key_files.h"

namespace plimsoll::cli {
namespace {

struct TokenOptions {
  v1::CreateEnrollmentTokenRequest create;
  absl::Duration lifetime = absl::Hours(1);
  int uses = 1;
  std::string description;
  std::map<std::string, std::string> labels;
  bool require_approval = false;
  std::string host;
  std::string out_file;
  std::string ca_out_file;
  std::string revoke;
};

absl::Status Create(Client& client, TokenOptions& options, Session& session) {
  options.create.set_max_uses(options.uses);
  options.create.set_description(options.description);
  options.create.set_requires_approval(options.require_approval);
  options.create.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  options.create.set_host(options.host);
  *options.create.mutable_lifetime() = ToProto(options.lifetime);
  auto answer = client.Call(&v1::EnrollmentService::Stub::CreateEnrollmentToken,
                            v1::EnrollmentService::NewStub(client.channel()), options.create);
  if (!answer.ok()) return answer.status();
  // First the secret, alone on standard output unless there is a file: it cannot be had again.
  if (!options.out_file.empty() || !session.json()) {
    if (auto status = HandOver(answer->secret(), options.out_file, session); !status.ok()) {
      return status;
    }
    answer->clear_secret();
  }
  absl::Status written;
  if (!options.ca_out_file.empty()) {
    written = support::WritePrivateFile(options.ca_out_file, answer->ca_bundle_pem(), 0644);
  }
  if (session.json()) {
    session.PrintJson(*answer);
    return written;
  }
  *session.err << "Token " << answer->token().id() << ": " << answer->token().max_uses()
               << " use(s), until " << FormatInstant(answer->token().expire_time())
               << ". It is shown only once.\n"
               << "On the host: plimsoll-collector --controller HOST:7443 --ca ca.pem "
                  "--enroll-token-file FILE"
               << (answer->token().host_id().empty() ? "" : " --enroll-again") << "\n";
  return written;
}

absl::Status List(Client& client, const TokenOptions&, Session& session) {
  auto answer = client.Call(&v1::EnrollmentService::Stub::ListEnrollmentTokens,
                            v1::EnrollmentService::NewStub(client.channel()),
                            v1::ListEnrollmentTokensRequest());
  if (!answer.ok()) return answer.status();
  if (session.json()) {
    session.PrintJson(*answer);
    return absl::OkStatus();
  }
  if (answer->tokens().empty()) {
    *session.out << "No enrolment tokens.\n";
    return absl::OkStatus();
  }
  Table table({"ID", "USES", "CREATED", "EXPIRES", "STATE", "FOR", "LABELS", "DESCRIPTION"});
  for (const v1::EnrollmentToken& token : answer->tokens()) {
    table.Row({token.id(), absl::StrCat(token.use_count(), "/", token.max_uses()),
               FormatInstant(token.create_time()), FormatInstant(token.expire_time()),
               token.revoked()             ? "revoked"
               : token.requires_approval() ? "needs approval"
                                           : "",
               token.host_id().empty() ? "new hosts" : Printable(token.host_id(), 64),
               FormatLabels(token.labels()), Printable(token.description(), 100)});
  }
  table.Print(session.terminal, *session.out);
  return absl::OkStatus();
}

absl::Status Revoke(Client& client, const TokenOptions& options, Session& session) {
  v1::RevokeEnrollmentTokenRequest request;
  request.set_id(options.revoke);
  auto answer = client.Call(&v1::EnrollmentService::Stub::RevokeEnrollmentToken,
                            v1::EnrollmentService::NewStub(client.channel()), request);
  if (!answer.ok()) return answer.status();
  if (session.json()) {
    session.PrintJson(*answer);
  } else {
    *session.out << "Revoked " << Printable(answer->id()) << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddToken(Command app, Session& session) {
  auto options = std::make_shared<TokenOptions>();
  Command token = app.AddSubcommand("token", "Enrolment tokens: create, list, revoke");
  token.RequireSubcommand(1, 1);
  Command create = AddAction(token, session, options, "create",
                             "Make a token that enrols hosts; prints its secret once", Create);
  create.AddOption("--uses", options->uses, "How many hosts it may enrol")
      .ShowDefault()
      .TypeName("COUNT");
  AddDurationOption(create, "--lifetime", options->lifetime, "How long it may be used [1h]");
  AddLabelOption(create, options->labels,
                 "Label of the hosts that enrol with it, over what their collectors say; may be "
                 "repeated");
  create.AddFlag("--require-approval", options->require_approval,
                 "Hosts wait until `plimsoll enrollment approve`");
  create
      .AddOption("--host", options->host,
                 "For this host, which enrols again and keeps its id and history; its "
                 "certificates\nso far are refused then, a revocation or quarantine is lifted")
      .TypeName("HOST");
  create.AddOption("--description", options->description, "For the list").TypeName("TEXT");
  create
      .AddOption("--out", options->out_file,
                 "Write the secret to this file (0600) instead of printing it")
      .TypeName("FILE");
  create
      .AddOption("--ca-out", options->ca_out_file, "Write the CA certificate for --ca to this file")
      .TypeName("FILE");
  create.Footer(
      "Example:\n  plimsoll token create --uses 20 --lifetime 2h --out enrol.token --ca-out "
      "ca.pem\n  plimsoll token create --uses 50 --require-approval --label env=prod --out "
      "enrol.token\n"
      "  plimsoll token create --host web-1 --out again.token");
  AddAction(token, session, options, "list", "All tokens, newest first", List);
  AddAction(token, session, options, "revoke", "A token enrols nobody from now on", Revoke)
      .AddOption("id", options->revoke, "Token id")
      .Required()
      .TypeName("ID");
}

}  // namespace plimsoll::cli
