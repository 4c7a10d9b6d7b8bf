#include "controller/cli/baseline_versions.h"

#include <functional>
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "controller/cli/baseline_file.h"
#include "controller/cli/client.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/read_whole.h"
#include "controller/cli/what_if.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

using Service = v1::BaselineService::Stub;

struct VersionOptions {
  std::string file;
  std::string baseline;
  std::string version;
  std::string note;
  bool configured = false;
  int limit = 100;
};

std::unique_ptr<Service> Stub(Client& client) {
  return v1::BaselineService::NewStub(client.channel());
}

void AddRow(const v1::BaselineVersion& version, Session& session, Table& table) {
  table.Row({version.active() ? session.terminal.Paint("active", Style::kGreen) : "-",
             Printable(version.version(), 64), version.digest().substr(0, 12),
             FormatInstant(version.upload_time()), Printable(version.uploaded_by(), 64),
             Printable(version.note(), 200)});
}

absl::Status Upload(Client& client, VersionOptions& options, Session& session) {
  auto yaml = ReadWhole(options.file, kMostMebibytesOfBaseline);
  if (!yaml.ok()) return yaml.status();
  v1::UploadBaselineRequest request;
  request.set_yaml(*std::move(yaml));
  request.set_file_name(options.file.substr(options.file.rfind('/') + 1));
  request.set_note(options.note);
  auto version = client.Call(&Service::UploadBaseline, Stub(client), request);
  if (!version.ok()) return version.status();
  if (session.json()) {
    session.PrintJson(*version);
  } else {
    *session.out << "Uploaded " << Printable(version->baseline(), 64) << " "
                 << Printable(version->version(), 64) << ", digest " << version->digest()
                 << "\nHosts are judged as before until `plimsoll baseline activate "
                 << Printable(version->baseline(), 64) << " " << version->digest().substr(0, 12)
                 << "`\n";
  }
  return absl::OkStatus();
}

absl::Status Versions(Client& client, VersionOptions& options, Session& session) {
  v1::ListBaselineVersionsRequest request;
  request.set_baseline(options.baseline);
  auto all = client.Call(&Service::ListBaselineVersions, Stub(client), request);
  if (!all.ok()) return all.status();
  if (session.json()) {
    session.PrintJson(*all);
  } else if (all->versions().empty()) {
    *session.out << "No document of this baseline was uploaded.\n";
  } else {
    Table table({"STATE", "VERSION", "DIGEST", "UPLOADED", "BY", "NOTE"});
    for (const v1::BaselineVersion& version : all->versions()) AddRow(version, session, table);
    table.Print(session.terminal, *session.out);
  }
  return absl::OkStatus();
}

absl::Status PrintActive(const absl::StatusOr<v1::Baseline>& active, Session& session) {
  if (!active.ok()) return active.status();
  if (session.json()) {
    session.PrintJson(*active);
  } else if (active->digest().empty()) {
    *session.out << "Hosts are not judged by " << Printable(active->id(), 64) << " any more\n";
  } else {
    *session.out << "Active: " << Printable(active->id(), 64) << " "
                 << Printable(active->version(), 64) << ", digest " << active->digest()
                 << "; hosts are judged again in the background\n";
  }
  return absl::OkStatus();
}

absl::Status Activate(Client& client, VersionOptions& options, Session& session) {
  if (options.version.empty() == !options.configured) {
    return absl::InvalidArgumentError("give a version or digest, or --configured");
  }
  v1::ActivateBaselineRequest request;
  request.set_baseline(options.baseline);
  request.set_version(options.version);
  return PrintActive(
      client.Call(&Service::ActivateBaseline, Stub(client), request, absl::Minutes(5)), session);
}

absl::Status Rollback(Client& client, VersionOptions& options, Session& session) {
  v1::RollbackBaselineRequest request;
  request.set_baseline(options.baseline);
  return PrintActive(
      client.Call(&Service::RollbackBaseline, Stub(client), request, absl::Minutes(5)), session);
}

absl::Status WhatIf(Client& client, VersionOptions& options, Session& session) {
  auto yaml = ReadWhole(options.file, kMostMebibytesOfBaseline);
  if (!yaml.ok()) return yaml.status();
  v1::StartWhatIfRequest request;
  request.set_baseline_yaml(*std::move(yaml));
  return RunWhatIf(client, request, options.limit, session);
}

using Action = std::function<absl::Status(Client&, VersionOptions&, Session&)>;

}  // namespace

void AddBaselineVersions(Command baseline, Session& session) {
  auto options = std::make_shared<VersionOptions>();
  const auto add = [&](const std::string& name, const std::string& help, Action action) -> Command {
    return AddAction(baseline, session, options, name, help, std::move(action));
  };
  const auto add_id = [options](Command command) {
    command.AddOption("baseline", options->baseline, "Baseline id").Required().TypeName("ID");
  };
  Command upload = add("upload", "Have the controller keep a document; activate it later", Upload);
  upload.AddOption("file", options->file, "YAML file").Required().TypeName("FILE");
  upload.AddOption("--note", options->note, "For the list").TypeName("TEXT");
  add_id(add("versions", "Documents that were uploaded, newest first", Versions));
  Command activate = add("activate", "Judge the fleet by an uploaded document", Activate);
  add_id(activate);
  activate
      .AddOption("version", options->version,
                 "Its version, its digest, or the first digits of that")
      .TypeName("VERSION|DIGEST");
  activate.AddFlag("--configured", options->configured,
                   "The document that the controllers are configured with");
  add_id(add("rollback", "Go back to the document that was active before", Rollback));
  Command what_if =
      add("what-if", "What a document would change, were the fleet judged by it", WhatIf);
  what_if.AddOption("file", options->file, "YAML file").Required().TypeName("FILE");
  AddLimitOption(what_if, options->limit);
}

}  // namespace plimsoll::cli
