#include "controller/cli/report_view.h"

#include <algorithm>
#include <ostream>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace plimsoll::cli {
namespace {

constexpr size_t kIdWidth = 8;
constexpr size_t kStatusWidth = 8;
constexpr size_t kSeverityWidth = 9;
constexpr char kIndent[] = "                  ";

bool Shown(const v1::Verdict& verdict, const v1::Rule& rule, const ReportViewOptions& options) {
  if (rule.severity() < options.minimum_severity) return false;
  return options.statuses.empty() || std::find(options.statuses.begin(), options.statuses.end(),
                                               verdict.status()) != options.statuses.end();
}

void PrintFinding(const v1::Finding& finding, const Terminal& terminal, std::ostream& out) {
  std::string line =
      absl::StrCat(Printable(finding.object(), 120), ": ", Printable(finding.observed(), 400));
  if (!finding.expected().empty() && finding.status() != v1::Verdict::PASS) {
    absl::StrAppend(&line, " (expected ", Printable(finding.expected(), 300), ")");
  }
  if (!finding.reason().empty()) absl::StrAppend(&line, " [", Printable(finding.reason(), 64), "]");
  if (!finding.waiver_id().empty()) {
    absl::StrAppend(&line, " (waived: ", Printable(finding.waiver_id(), 64), ")");
  } else if (!finding.lapsed_waiver_id().empty()) {
    absl::StrAppend(&line, " (waiver ", Printable(finding.lapsed_waiver_id(), 64), " lapsed)");
  }
  out << Wrap(line, terminal.width(), kIndent);
  for (const v1::Note& note : finding.notes()) {
    out << terminal.Paint(
        Wrap(absl::StrCat("note: ", Printable(note.text(), 400)), terminal.width(), kIndent),
        Style::kDim);
  }
}

void PrintVerdict(const v1::Verdict& verdict, const v1::Rule& rule,
                  const ReportViewOptions& options, const Terminal& terminal, std::ostream& out) {
  std::string id = rule.id();
  if (id.size() < kIdWidth) id.append(kIdWidth - id.size(), ' ');
  out << "  " << id << PaintStatus(terminal, verdict.status(), kStatusWidth)
      << PaintSeverity(terminal, rule.severity(), kSeverityWidth) << " "
      << Printable(rule.title(), 200);
  if (!rule.alias_of().empty())
    out << terminal.Paint(absl::StrCat(" (as ", rule.alias_of(), ")"), Style::kDim);
  if (verdict.waived()) out << terminal.Paint(" (waived)", Style::kDim);
  out << "\n";
  const bool speaks = verdict.status() != v1::Verdict::PASS;
  // With one finding, the message would say the same again.
  if (speaks && verdict.findings_size() != 1 && !verdict.message().empty()) {
    std::string message = Printable(verdict.message(), 600);
    if (!verdict.reason().empty())
      absl::StrAppend(&message, " [", Printable(verdict.reason(), 64), "]");
    out << terminal.Paint(Wrap(message, terminal.width(), kIndent), Style::kDim);
  }
  if (speaks) {
    size_t printed = 0;
    for (const v1::Finding& finding : verdict.findings()) {
      if (printed++ == options.most_findings) {
        out << kIndent << "… and " << verdict.findings_size() - options.most_findings
            << " more (--all-findings)\n";
        break;
      }
      PrintFinding(finding, terminal, out);
    }
    for (const v1::Note& note : verdict.notes()) {
      out << terminal.Paint(
          Wrap(absl::StrCat("note: ", Printable(note.text(), 400)), terminal.width(), kIndent),
          Style::kDim);
    }
  }
  if (options.remediation && verdict.status() == v1::Verdict::FAIL && !rule.remediation().empty()) {
    out << terminal.Paint(
        Wrap(absl::StrCat("fix: ",
                          Printable(absl::StrReplaceAll(rule.remediation(), {{"\n", " "}}), 2000)),
             terminal.width(), kIndent),
        Style::kCyan);
  }
}

}  // namespace

void PrintReport(const v1::HostReport& report, const v1::Baseline& baseline,
                 const ReportViewOptions& options, const Terminal& terminal, std::ostream& out) {
  absl::flat_hash_map<std::string, const v1::Rule*> rules;
  for (const v1::Rule& rule : baseline.rules()) rules[rule.id()] = &rule;
  absl::flat_hash_map<std::string, std::string> sections;
  for (const v1::Section& section : baseline.sections()) sections[section.id()] = section.title();

  out << terminal.Paint(Printable(report.host().hostname(), 255), Style::kBold);
  if (!report.host().engine_version().empty())
    out << ", Docker " << Printable(report.host().engine_version(), 64);
  out << ", " << baseline.id() << " " << Printable(baseline.version(), 64) << "\n";
  std::string current;
  for (const v1::Verdict& verdict : report.verdicts()) {
    const auto it = rules.find(verdict.rule_id());
    if (it == rules.end() || !Shown(verdict, *it->second, options)) continue;
    const std::string section = verdict.rule_id().substr(0, verdict.rule_id().find('.'));
    if (section != current) {
      current = section;
      out << "\n"
          << terminal.Paint(absl::StrCat(section, "  ", Printable(sections[section], 200)),
                            Style::kBold)
          << "\n";
    }
    PrintVerdict(verdict, *it->second, options, terminal, out);
  }
  out << "\n" << CountsLine(report.counts(), terminal) << "\n";
}

std::string CountsLine(const v1::StatusCounts& counts, const Terminal& terminal) {
  return absl::StrCat(terminal.Paint(absl::StrCat(counts.pass(), " pass"), Style::kGreen), ", ",
                      terminal.Paint(absl::StrCat(counts.fail(), " fail"), Style::kRed),
                      counts.waived() > 0 ? absl::StrCat(" (", counts.waived(), " waived)") : "",
                      ", ",
                      terminal.Paint(absl::StrCat(counts.unknown(), " unknown"), Style::kYellow),
                      ", ", terminal.Paint(absl::StrCat(counts.manual(), " manual"), Style::kCyan),
                      ", ", counts.not_applicable(), " not applicable");
}

void AddReportOptions(Command command, ReportViewOptions& options) {
  command
      .AddOptionCall(
          "--status",
          [&options](const std::vector<std::string>& names) {
            for (const std::string& name : names) {
              v1::Verdict::Status status;
              if (!ParseStatus(name, status)) {
                RefuseOption(
                    "--status",
                    absl::StrCat("\"", name,
                                 "\": expected pass, fail, unknown, manual or not-applicable"));
              }
              options.statuses.push_back(status);
            }
          },
          "Only rules with these statuses, e.g. fail,unknown")
      .Delimiter(',')
      .TypeName("STATUS,...");
  AddSeverityOption(command, "--severity", "Only rules of at least this severity",
                    [&options](v1::Severity severity) { options.minimum_severity = severity; });
  command.AddFlag("--remediation", options.remediation, "Say under each failed rule what to do");
  command.AddFlagCall(
      "--all-findings", [&options] { options.most_findings = SIZE_MAX; },
      "Show every finding, not ten a rule");
}

bool AnyFailure(const v1::HostReport& report, const v1::Baseline& baseline, v1::Severity minimum) {
  absl::flat_hash_map<std::string, v1::Severity> severities;
  for (const v1::Rule& rule : baseline.rules()) severities[rule.id()] = rule.severity();
  return std::any_of(report.verdicts().begin(), report.verdicts().end(),
                     [&](const v1::Verdict& verdict) {
                       return verdict.status() == v1::Verdict::FAIL && !verdict.waived() &&
                              severities[verdict.rule_id()] >= minimum;
                     });
}

}  // namespace plimsoll::cli
