#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct SummaryOptions {
  std::string baseline = "azure-docker";
  std::string host;
  HostFilter filter;
  std::string label;
  int worst = 0;
};

std::string Cell(const Terminal& terminal, int64_t value, Style style) {
  return terminal.Paint(absl::StrCat(value), value > 0 ? style : Style::kDim);
}

template <class Message>
std::string Interval(const Message& message) {
  return message.has_compliance_lower()
             ? FormatInterval(message.compliance_lower(), message.compliance_upper())
             : "-";
}

// What the counts leave out, when there is anything.
void PrintCoverage(const v1::Summary& summary, std::ostream& out) {
  std::vector<std::string> apart;
  const auto add = [&apart](int32_t count, const char* what) {
    if (count > 0) apart.push_back(absl::StrCat(count, " ", what));
  };
  add(summary.stale_host_count(), "stale");
  add(summary.quarantined_host_count(), "quarantined");
  add(summary.unreported_host_count(), "without a report");
  if (apart.empty()) return;
  out << "not counted: " << absl::StrJoin(apart, ", ") << "; coverage "
      << absl::StrFormat("%.1f %%", summary.coverage() * 100) << "\n";
}

void PrintSummary(const v1::Summary& summary, Session& session) {
  const Terminal& terminal = session.terminal;
  *session.out << terminal.Paint(Printable(summary.baseline().title(), 200), Style::kBold) << " ("
               << Printable(summary.baseline().id(), 64) << " "
               << Printable(summary.baseline().version(), 64) << ")\n"
               << summary.evaluated_host_count() << " of " << summary.host_count()
               << " hosts evaluated";
  if (summary.has_compliance_lower()) *session.out << ", compliance " << Interval(summary);
  if (summary.container_count() > 0) {
    *session.out << ", " << summary.container_count() << " containers";
  }
  *session.out << "\n";
  PrintCoverage(summary, *session.out);
  if (summary.counts().waived() > 0) {
    *session.out << summary.counts().waived() << " of " << summary.counts().fail()
                 << " failing verdicts are waived; they count as failing\n";
  }
  *session.out << "\n";
  if (summary.rules().empty()) {
    *session.out << "Nothing evaluated yet.\n";
    return;
  }
  Table severities({"SEVERITY", "PASS", "FAIL", "UNKNOWN", "MANUAL", "N/A"});
  for (const v1::SeveritySummary& line : summary.severities()) {
    const v1::StatusCounts& counts = line.counts();
    severities.Row({PaintSeverity(terminal, line.severity()),
                    Cell(terminal, counts.pass(), Style::kGreen),
                    Cell(terminal, counts.fail(), Style::kRed),
                    Cell(terminal, counts.unknown(), Style::kYellow),
                    Cell(terminal, counts.manual(), Style::kCyan),
                    Cell(terminal, counts.not_applicable(), Style::kDim)});
  }
  severities.Print(terminal, *session.out);
  Table sections({"SECTION", "PASS", "FAIL", "UNKNOWN", "TITLE"});
  for (const v1::SectionSummary& line : summary.sections()) {
    sections.Row(
        {Printable(line.section(), 16), Cell(terminal, line.counts().pass(), Style::kGreen),
         Cell(terminal, line.counts().fail(), Style::kRed),
         Cell(terminal, line.counts().unknown(), Style::kYellow), Printable(line.title(), 45)});
  }
  if (!sections.empty()) {
    *session.out << "\n";
    sections.Print(terminal, *session.out);
  }
  Table rules({"RULE", "SEVERITY", "FAIL", "UNKNOWN", "PASS", "TITLE"});
  for (const v1::RuleSummary& line : summary.rules()) {
    if (line.counts().fail() + line.counts().unknown() == 0) continue;
    rules.Row({Printable(line.rule_id(), 16), PaintSeverity(terminal, line.severity()),
               Cell(terminal, line.counts().fail(), Style::kRed),
               Cell(terminal, line.counts().unknown(), Style::kYellow),
               Cell(terminal, line.counts().pass(), Style::kGreen), Printable(line.title(), 100)});
  }
  *session.out << "\n";
  if (rules.empty()) {
    *session.out << "No rule fails.\n";
  } else {
    rules.Print(terminal, *session.out);
  }
}

absl::Status ShowSummary(Client& client, const SummaryOptions& options, Session& session) {
  v1::GetSummaryRequest request;
  request.set_baseline(options.baseline);
  request.set_host(options.host);
  options.filter.ApplyTo(request);
  auto summary = client.Call(&v1::SummaryService::Stub::GetSummary,
                             v1::SummaryService::NewStub(client.channel()), request);
  if (!summary.ok()) return summary.status();
  if (session.json()) {
    session.PrintJson(*summary);
  } else {
    PrintSummary(*summary, session);
  }
  return absl::OkStatus();
}

absl::Status ShowLabels(Client& client, const SummaryOptions& options, Session& session) {
  v1::ListLabelSummariesRequest request;
  request.set_baseline(options.baseline);
  request.set_label(options.label);
  options.filter.ApplyTo(request);
  v1::ListLabelSummariesResponse all;
  const auto get = [&](int size, const std::string& token) {
    request.set_page_size(size);
    request.set_page_token(token);
    return client.Call(&v1::SummaryService::Stub::ListLabelSummaries,
                       v1::SummaryService::NewStub(client.channel()), request);
  };
  const auto more = ReadPages(
      0, get, [&all](const auto& page) { all.mutable_values()->MergeFrom(page.values()); },
      [&all] { return all.values_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
    return absl::OkStatus();
  }
  if (all.values().empty()) {
    *session.out << "No hosts match.\n";
    return absl::OkStatus();
  }
  const Terminal& terminal = session.terminal;
  Table table(
      {Printable(options.label, 40), "HOSTS", "COUNTED", "FAIL", "UNKNOWN", "PASS", "COMPLIANCE"});
  for (const v1::LabelSummary& line : all.values()) {
    table.Row(
        {line.absent() ? terminal.Paint("(without)", Style::kDim) : Printable(line.value(), 40),
         absl::StrCat(line.host_count()), absl::StrCat(line.evaluated_host_count()),
         Cell(terminal, line.counts().fail(), Style::kRed),
         Cell(terminal, line.counts().unknown(), Style::kYellow),
         Cell(terminal, line.counts().pass(), Style::kGreen), Interval(line)});
  }
  table.Print(terminal, *session.out);
  return absl::OkStatus();
}

absl::Status ShowWorst(Client& client, const SummaryOptions& options, Session& session) {
  v1::ListWorstHostsRequest request;
  request.set_baseline(options.baseline);
  request.set_limit(options.worst);
  options.filter.ApplyTo(request);
  auto worst = client.Call(&v1::SummaryService::Stub::ListWorstHosts,
                           v1::SummaryService::NewStub(client.channel()), request);
  if (!worst.ok()) return worst.status();
  if (session.json()) {
    session.PrintJson(*worst);
    return absl::OkStatus();
  }
  if (worst->hosts().empty()) {
    *session.out << "No host fails a rule.\n";
    return absl::OkStatus();
  }
  const v1::Severity severities[] = {v1::CRITICAL, v1::HIGH, v1::MEDIUM, v1::LOW, v1::INFO};
  Table table({"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO", "UNKNOWN", "HOST", "ID"});
  for (const v1::WorstHost& host : worst->hosts()) {
    std::vector<std::string> row;
    for (const v1::Severity severity : severities) {
      int32_t count = 0;
      for (const v1::SeveritySummary& line : host.failing()) {
        if (line.severity() == severity) count = line.counts().fail();
      }
      row.push_back(Cell(session.terminal, count, Style::kRed));
    }
    row.push_back(Cell(session.terminal, host.counts().unknown(), Style::kYellow));
    row.push_back(Printable(host.hostname(), 64));
    row.push_back(Printable(host.host_id(), 64));
    table.Row(std::move(row));
  }
  table.Print(session.terminal, *session.out);
  return absl::OkStatus();
}

}  // namespace

void AddSummary(Command app, Session& session) {
  auto options = std::make_shared<SummaryOptions>();
  Command command =
      app.AddSubcommand("summary", "How the fleet, or a part of it, stands against a baseline");
  AddOutputOption(command, session);
  command.AddOption("--baseline", options->baseline, "Baseline id").ShowDefault().TypeName("ID");
  command.AddOption("--host", options->host, "Only this host").TypeName("HOST");
  AddHostFilter(command, options->filter);
  command.AddOption("--by", options->label, "Split by the value of this label").TypeName("LABEL");
  command.AddOption("--worst", options->worst, "The hosts on which most fails, this many")
      .Between(1, 1000)
      .TypeName("COUNT");
  command.Footer(
      "Compliance is an interval: unknown verdicts count as failing below and as passing above. "
      "Stale and\nquarantined hosts are counted apart and are in no percentage.\n\n"
      "Examples:\n  plimsoll summary -l 'env=prod,tier!=db'\n  plimsoll summary --by team\n"
      "  plimsoll summary --worst 20 --baseline edge-docker");
  command.OnRun([options, &session] {
    if (!options->host.empty() + !options->label.empty() + (options->worst > 0) > 1) {
      session.Fail(absl::InvalidArgumentError("--host, --by and --worst: one of them at a time"));
      return;
    }
    WithClient(session, [&](Client& client) {
      if (!options->label.empty()) return ShowLabels(client, *options, session);
      if (options->worst > 0) return ShowWorst(client, *options, session);
      return ShowSummary(client, *options, session);
    });
  });
}

}  // namespace plimsoll::cli
