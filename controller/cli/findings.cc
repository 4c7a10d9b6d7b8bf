#include <memory>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "plimsoll/v1/finding_service.grpc.pb.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct FindingsOptions {
  v1::ListFindingsRequest request;
  std::map<std::string, std::string> labels;
  int limit = 50;
};

absl::Status ListFindings(Client& client, FindingsOptions& options, Session& session) {
  options.request.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  v1::ListFindingsResponse all;
  while (true) {
    const int left = options.limit - all.findings_size();
    options.request.set_page_size(options.limit == 0 ? 1000 : std::min(1000, left));
    auto page = client.Call(&v1::FindingService::Stub::ListFindings,
                            v1::FindingService::NewStub(client.channel()), options.request);
    if (!page.ok()) return page.status();
    all.mutable_findings()->MergeFrom(page->findings());
    all.set_next_page_token(page->next_page_token());
    const bool enough = options.limit != 0 && all.findings_size() >= options.limit;
    if (page->next_page_token().empty() || enough) break;
    options.request.set_page_token(page->next_page_token());
  }
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
    table.Row({PaintSeverity(session.terminal, fleet.severity()),
               PaintStatus(session.terminal, finding.status()),
               absl::StrCat(fleet.baseline_id(), " ", fleet.rule_id()),
               Printable(fleet.hostname(), 40), Printable(finding.object(), 60), observed});
  }
  table.Print(session.terminal, *session.out);
  if (!all.next_page_token().empty()) *session.out << "… more; --limit 0 lists all\n";
  return absl::OkStatus();
}

struct SummaryOptions {
  v1::GetSummaryRequest request;
  std::string baseline = "azure-docker";
  std::map<std::string, std::string> labels;
};

void PrintSummary(const v1::Summary& summary, Session& session) {
  const Terminal& terminal = session.terminal;
  *session.out << terminal.Paint(Printable(summary.baseline().title(), 200), Style::kBold) << " ("
               << summary.baseline().id() << " " << summary.baseline().version() << ")\n"
               << summary.evaluated_host_count() << " of " << summary.host_count()
               << " hosts evaluated";
  if (summary.has_compliance_lower()) {
    *session.out << ", compliance "
                 << FormatInterval(summary.compliance_lower(), summary.compliance_upper());
  }
  *session.out << "\n\n";
  if (summary.rules().empty()) {
    *session.out << "Nothing evaluated yet.\n";
    return;
  }
  const auto cell = [&](int32_t value, Style style) {
    return terminal.Paint(absl::StrCat(value), value > 0 ? style : Style::kDim);
  };
  Table severities({"SEVERITY", "PASS", "FAIL", "UNKNOWN", "MANUAL", "N/A"});
  for (const v1::SeveritySummary& line : summary.severities()) {
    const v1::StatusCounts& counts = line.counts();
    severities.Row({PaintSeverity(terminal, line.severity()), cell(counts.pass(), Style::kGreen),
                    cell(counts.fail(), Style::kRed), cell(counts.unknown(), Style::kYellow),
                    cell(counts.manual(), Style::kCyan),
                    cell(counts.not_applicable(), Style::kDim)});
  }
  severities.Print(terminal, *session.out);
  Table rules({"RULE", "SEVERITY", "FAIL", "UNKNOWN", "PASS", "TITLE"});
  for (const v1::RuleSummary& line : summary.rules()) {
    if (line.counts().fail() + line.counts().unknown() == 0) continue;
    rules.Row({line.rule_id(), PaintSeverity(terminal, line.severity()),
               cell(line.counts().fail(), Style::kRed),
               cell(line.counts().unknown(), Style::kYellow),
               cell(line.counts().pass(), Style::kGreen), Printable(line.title(), 100)});
  }
  *session.out << "\n";
  if (rules.empty()) {
    *session.out << "No rule fails.\n";
  } else {
    rules.Print(terminal, *session.out);
  }
}

}  // namespace

void AddFindings(CLI::App& app, Session& session) {
  auto options = std::make_shared<FindingsOptions>();
  CLI::App* command = app.add_subcommand("findings", "List findings across the fleet, worst first");
  AddOutputOption(*command, session);
  command
      ->add_option_function<std::vector<std::string>>(
          "--rule",
          [options](const std::vector<std::string>& rules) {
            options->request.mutable_rules()->Assign(rules.begin(), rules.end());
          },
          "Rule ids or slugs; may be repeated")
      ->delimiter(',')
      ->type_name("RULE");
  command
      ->add_option_function<std::vector<std::string>>(
          "--status",
          [options](const std::vector<std::string>& names) {
            for (const std::string& name : names) {
              v1::Verdict::Status status;
              if (!ParseStatus(name, status)) {
                throw CLI::ValidationError(
                    "--status",
                    absl::StrCat("\"", name, "\": expected fail, unknown, manual or pass"));
              }
              options->request.add_statuses(status);
            }
          },
          "Statuses [fail,unknown]")
      ->delimiter(',')
      ->type_name("STATUS,...");
  command
      ->add_option_function<std::string>(
          "--severity",
          [options](const std::string& name) {
            v1::Severity severity;
            if (!ParseSeverity(name, severity)) {
              throw CLI::ValidationError("--severity",
                                         "expected info, low, medium, high or critical");
            }
            options->request.set_minimum_severity(severity);
          },
          "Only rules of at least this severity")
      ->type_name("SEVERITY");
  command
      ->add_option_function<std::string>(
          "--host", [options](const std::string& host) { options->request.set_host(host); },
          "Only this host")
      ->type_name("HOST");
  command
      ->add_option_function<std::string>(
          "--baseline", [options](const std::string& id) { options->request.set_baseline(id); },
          "Only this baseline [all]")
      ->type_name("ID");
  AddLabelOption(*command, options->labels, "Only hosts with this label; may be repeated");
  command->add_option("--limit", options->limit, "At most this many; 0 for all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("COUNT");
  command->footer("Example:\n  plimsoll findings --severity high --label env=prod");
  command->final_callback([options, &session] {
    WithClient(session, [&](Client& client) { return ListFindings(client, *options, session); });
  });
}

void AddSummary(CLI::App& app, Session& session) {
  auto options = std::make_shared<SummaryOptions>();
  CLI::App* command =
      app.add_subcommand("summary", "How the fleet, or a part of it, stands against a baseline");
  AddOutputOption(*command, session);
  command->add_option("--baseline", options->baseline, "Baseline id")
      ->capture_default_str()
      ->type_name("ID");
  command
      ->add_option_function<std::string>(
          "--host", [options](const std::string& host) { options->request.set_host(host); },
          "Only this host")
      ->type_name("HOST");
  AddLabelOption(*command, options->labels, "Only hosts with this label; may be repeated");
  command->footer(
      "Compliance is an interval: unknown verdicts count as failing below and as passing above.");
  command->final_callback([options, &session] {
    WithClient(session, [&](Client& client) -> absl::Status {
      options->request.set_baseline(options->baseline);
      options->request.mutable_labels()->insert(options->labels.begin(), options->labels.end());
      auto summary = client.Call(&v1::SummaryService::Stub::GetSummary,
                                 v1::SummaryService::NewStub(client.channel()), options->request);
      if (!summary.ok()) return summary.status();
      if (session.json()) {
        session.PrintJson(*summary);
      } else {
        PrintSummary(*summary, session);
      }
      return absl::OkStatus();
    });
  });
}

}  // namespace plimsoll::cli
