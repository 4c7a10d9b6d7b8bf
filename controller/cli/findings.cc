#include <memory>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/finding_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct FindingsOptions {
  v1::ListFindingsRequest request;
  HostFilter filter;
  int limit = 50;
};

absl::Status ListFindings(Client& client, FindingsOptions& options, Session& session) {
  options.filter.ApplyTo(options.request);
  v1::ListFindingsResponse all;
  const auto get = [&](int size, const std::string& token) {
    options.request.set_page_size(size);
    options.request.set_page_token(token);
    return client.Call(&v1::FindingService::Stub::ListFindings,
                       v1::FindingService::NewStub(client.channel()), options.request);
  };
  const auto more = ReadPages(
      options.limit, get,
      [&all](const auto& page) {
        all.mutable_findings()->MergeFrom(page.findings());
        all.set_next_page_token(page.next_page_token());
      },
      [&all] { return all.findings_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
    return absl::OkStatus();
  }
  if (all.findings().empty()) {
    *session.out << "No findings match.\n";
    return absl::OkStatus();
  }
  Table table({"SEVERITY", "STATUS", "RULE", "HOST", "OBJECT", "OBSERVED"});
  for (const v1::FleetFinding& fleet : all.findings()) {
    const v1::Finding& finding = fleet.finding();
    std::string observed = Printable(finding.observed(), 100);
    if (!finding.reason().empty())
      absl::StrAppend(&observed, " [", Printable(finding.reason(), 64), "]");
    if (!finding.waiver_id().empty())
      absl::StrAppend(&observed, " (waived: ", Printable(finding.waiver_id(), 64), ")");
    table.Row({PaintSeverity(session.terminal, fleet.severity()),
               PaintStatus(session.terminal, finding.status()),
               absl::StrCat(fleet.baseline_id(), " ", fleet.rule_id()),
               Printable(fleet.hostname(), 40), Printable(finding.object(), 60), observed});
  }
  table.Print(session.terminal, *session.out);
  SayMore(!all.next_page_token().empty(), session);
  return absl::OkStatus();
}

}  // namespace

void AddFindings(Command app, Session& session) {
  auto options = std::make_shared<FindingsOptions>();
  Command command = app.AddSubcommand("findings", "List findings across the fleet, worst first");
  AddOutputOption(command, session);
  command
      .AddOptionCall(
          "--rule",
          [options](const std::vector<std::string>& rules) {
            options->request.mutable_rules()->Assign(rules.begin(), rules.end());
          },
          "Rule ids or slugs; may be repeated")
      .Delimiter(',')
      .TypeName("RULE");
  command
      .AddOptionCall(
          "--status",
          [options](const std::vector<std::string>& names) {
            for (const std::string& name : names) {
              v1::Verdict::Status status;
              if (!ParseStatus(name, status)) {
                RefuseOption(
                    "--status",
                    absl::StrCat("\"", name, "\": expected fail, unknown, manual or pass"));
              }
              options->request.add_statuses(status);
            }
          },
          "Statuses [fail,unknown]")
      .Delimiter(',')
      .TypeName("STATUS,...");
  AddSeverityOption(
      command, "--severity", "Only rules of at least this severity",
      [options](v1::Severity severity) { options->request.set_minimum_severity(severity); });
  command
      .AddOptionCall(
          "--host", [options](const std::string& host) { options->request.set_host(host); },
          "Only this host")
      .TypeName("HOST");
  command
      .AddOptionCall(
          "--baseline", [options](const std::string& id) { options->request.set_baseline(id); },
          "Only this baseline [all]")
      .TypeName("ID");
  command.AddFlagCall(
      "--waived", [options] { options->request.set_waived(true); }, "Only what a waiver accepts");
  command.AddFlagCall(
      "--not-waived", [options] { options->request.set_waived(false); },
      "Only what no waiver accepts");
  AddHostFilter(command, options->filter);
  AddLimitOption(command, options->limit);
  command.Footer("Example:\n  plimsoll findings --severity high -l env=prod");
  command.OnRun([options, &session] {
    WithClient(session, [&](Client& client) { return ListFindings(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
