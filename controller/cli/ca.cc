#include <memory>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "plimsoll/v1/authority_service.grpc.pb.h"
#include "proto/support/key_files.h"

namespace plimsoll::cli {
namespace {

using Stub = v1::AuthorityService::Stub;

struct CaOptions {
  std::string out_file;
  std::string certificate_file;
  std::string key_file;
  bool issue = false;
  bool finish = false;
  bool cancel = false;
  bool force = false;
};

const char* StateName(v1::Authority::State state) {
  switch (state) {
    case v1::Authority::CURRENT:
      return "current";
    case v1::Authority::NEXT:
      return "next";
    case v1::Authority::PREVIOUS:
      return "previous";
    default:
      return "unknown";
  }
}

// What is to be done next, for people.
std::string NextStep(const v1::AuthorityStatus& status) {
  if (status.authorities_size() < 2) return "";
  if (status.authorities(1).state() == v1::Authority::NEXT) {
    return "A rotation has begun. Give people and programs the new ca.pem (`plimsoll ca show --out "
           "ca.pem`), then\n`plimsoll ca rotate --switch` has the next root issue; `--cancel` "
           "takes "
           "it back.\n";
  }
  return "The rotation is switched. When no host has a certificate of the previous root, `plimsoll "
         "ca "
         "rotate --finish`\nends the trust in it.\n";
}

absl::Status Print(const absl::StatusOr<v1::AuthorityStatus>& answer, const CaOptions& options,
                   Session& session) {
  if (!answer.ok()) return answer.status();
  if (!options.out_file.empty()) {
    if (auto status = support::WritePrivateFile(options.out_file, answer->ca_bundle_pem(), 0644);
        !status.ok()) {
      return status;
    }
  }
  if (session.json()) {
    session.PrintJson(*answer);
    return absl::OkStatus();
  }
  Table table({"ROOT", "STATE", "HOSTS", "EXPIRES", "SHA-256"});
  for (const v1::Authority& each : answer->authorities()) {
    table.Row({Printable(each.subject(), 60), StateName(each.state()),
               absl::StrCat(each.host_count()), FormatInstant(each.expire_time()),
               Printable(each.fingerprint(), 95)});
  }
  table.Print(session.terminal, *session.out);
  if (answer->outdated_host_count() > 0) {
    *session.out
        << answer->outdated_host_count()
        << " host(s) do not know of all these roots yet; they do once they are connected.\n";
  }
  *session.out << NextStep(*answer);
  return absl::OkStatus();
}

absl::StatusOr<v1::AuthorityStatus> Begin(Client& client, const CaOptions& options) {
  v1::BeginRotationRequest request;
  if (!options.certificate_file.empty()) {
    auto certificate = support::ReadKeyFile(options.certificate_file, false);
    if (!certificate.ok()) return certificate.status();
    auto key = support::ReadKeyFile(options.key_file, true);
    if (!key.ok()) return key.status();
    request.set_ca_chain_pem(*certificate);
    request.set_secret_key_pem(*key);
  }
  return client.Call(&Stub::BeginRotation, v1::AuthorityService::NewStub(client.channel()),
                     request);
}

// CLI11 could say so too, but lists what excludes what in another order each time.
absl::Status CheckStep(const CaOptions& options) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError("--certificate and --key belong together");
  }
  const int steps = (options.certificate_file.empty() ? 0 : 1) + (options.issue ? 1 : 0) +
                    (options.finish ? 1 : 0) + (options.cancel ? 1 : 0);
  if (steps <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError("give one of --certificate, --switch, --finish and --cancel");
}

absl::StatusOr<v1::AuthorityStatus> Step(Client& client, const CaOptions& options) {
  if (auto status = CheckStep(options); !status.ok()) return status;
  if (options.issue) {
    v1::SwitchAuthorityRequest request;
    request.set_force(options.force);
    return client.Call(&Stub::SwitchAuthority, v1::AuthorityService::NewStub(client.channel()),
                       request);
  }
  if (options.finish) {
    v1::FinishRotationRequest request;
    request.set_force(options.force);
    return client.Call(&Stub::FinishRotation, v1::AuthorityService::NewStub(client.channel()),
                       request);
  }
  if (options.cancel) {
    return client.Call(&Stub::CancelRotation, v1::AuthorityService::NewStub(client.channel()),
                       v1::CancelRotationRequest());
  }
  return Begin(client, options);
}

}  // namespace

void AddCa(Command app, Session& session) {
  auto options = std::make_shared<CaOptions>();
  Command ca = app.AddSubcommand("ca", "The certificate authority that hosts trust: show, rotate");
  ca.RequireSubcommand(1, 1);
  Command show =
      ca.AddSubcommand("show", "Trusted roots, and how many hosts have certificates of each");
  AddOutputOption(show, session);
  show.AddOption("--out", options->out_file, "Write all trusted roots (PEM, for --ca) to this file")
      .TypeName("FILE");
  show.OnRun([options, &session] {
    WithClient(session, [&](Client& client) {
      return Print(
          client.Call(&Stub::GetAuthorities, v1::AuthorityService::NewStub(client.channel()),
                      v1::GetAuthoritiesRequest()),
          *options, session);
    });
  });
  Command rotate = ca.AddSubcommand(
      "rotate",
      "Replace the root in three steps, both trusted meanwhile; without an option: begin");
  AddOutputOption(rotate, session);
  rotate
      .AddOption("--certificate", options->certificate_file,
                 "Begin with an authority of your own: its certificate, then those up to its "
                 "root (PEM)")
      .TypeName("FILE");
  rotate.AddOption("--key", options->key_file, "Its key (PEM, 0600)").TypeName("FILE");
  rotate.AddFlag("--switch", options->issue, "Second step: the next root issues from now on");
  rotate.AddFlag("--finish", options->finish,
                 "Third step: nobody trusts the previous root any more");
  rotate.AddFlag("--cancel", options->cancel, "Take the first step back");
  rotate.AddFlag("--force", options->force,
                 "Although hosts would be lost until they enrol again; a refusal says how many");
  rotate
      .AddOption("--out", options->out_file, "Write all trusted roots (PEM, for --ca) to this file")
      .TypeName("FILE");
  rotate.Footer(
      "Example:\n  plimsoll ca rotate --out ca.pem    # give ca.pem to people and programs\n"
      "  plimsoll ca rotate --switch\n  plimsoll ca rotate --finish --out ca.pem");
  rotate.OnRun([options, &session] {
    WithClient(session,
               [&](Client& client) { return Print(Step(client, *options), *options, session); });
  });
}

}  // namespace plimsoll::cli
