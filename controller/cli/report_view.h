// A host's report for people.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "controller/cli/command.h"
#include "controller/cli/terminal.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/report.pb.h"

namespace plimsoll::cli {

struct ReportViewOptions {
  // Statuses shown; empty: all.
  std::vector<v1::Verdict::Status> statuses;
  v1::Severity minimum_severity = v1::SEVERITY_UNSPECIFIED;
  // Print what to do under each failed rule.
  bool remediation = false;
  // Findings shown under a rule; the rest is counted.
  size_t most_findings = 10;
};

// Rules by section, findings indented under their rule, the count at the end. Texts of rules come
// from `baseline`.
void PrintReport(const v1::HostReport& report, const v1::Baseline& baseline,
                 const ReportViewOptions& options, const Terminal& terminal, std::ostream& out);

// "12 pass, 30 fail, 3 unknown, 5 manual, 20 not applicable", painted.
std::string CountsLine(const v1::StatusCounts& counts, const Terminal& terminal);

// Adds --status, --severity, --remediation and --all-findings to a command.
void AddReportOptions(Command command, ReportViewOptions& options);

// Does a rule of at least this severity fail, and no waiver accept it?
bool AnyFailure(const v1::HostReport& report, const v1::Baseline& baseline, v1::Severity minimum);

}  // namespace plimsoll::cli
