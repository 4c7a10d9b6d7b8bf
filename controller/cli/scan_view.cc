#include "controller/cli/scan_view.h"

#include <map>
#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/cli/format.h"
#include "controller/cli/report_view.h"
#include "controller/cli/scan_follow.h"
#include "controller/cli/selector_options.h"

namespace plimsoll::cli {
namespace {

// As many silent hosts as are named one by one.
constexpr int kMostNamed = 20;

std::string SeveritiesLine(const v1::SeverityCounts& failing) {
  const std::pair<int64_t, const char*> counts[] = {{failing.critical(), "critical"},
                                                    {failing.high(), "high"},
                                                    {failing.medium(), "medium"},
                                                    {failing.low(), "low"}};
  std::vector<std::string> parts;
  for (const auto& [count, name] : counts) {
    if (count > 0) parts.push_back(absl::StrCat(count, " ", name));
  }
  return parts.empty() ? "" : absl::StrCat(" (failing: ", absl::StrJoin(parts, ", "), ")");
}

// Failing verdicts at least this severe.
int64_t CountFailing(const v1::SeverityCounts& failing, v1::Severity least) {
  int64_t count = failing.critical();
  if (least <= v1::HIGH) count += failing.high();
  if (least <= v1::MEDIUM) count += failing.medium();
  if (least <= v1::LOW) count += failing.low();
  return count;
}

void PrintSilentHosts(const v1::Scan& scan, Session& session) {
  int silent = 0;
  for (const v1::ScanHost& host : scan.hosts()) {
    if (host.state() == v1::ScanHost::EVALUATED || ++silent > kMostNamed) continue;
    *session.out << "  " << Printable(host.hostname(), 100) << ": "
                 << (host.state() == v1::ScanHost::FAILED ? "failed" : "did not answer in time");
    if (!host.message().empty()) *session.out << ": " << Printable(host.message(), 400);
    *session.out << "\n";
  }
  if (silent > kMostNamed || scan.hosts_omitted()) {
    *session.out << "  `plimsoll scan --hosts " << Printable(scan.id(), 64)
                 << " --state missed --state failed` lists those without an answer\n";
  }
}

}  // namespace

void PrintScan(const v1::Scan& scan, Session& session) {
  std::ostream& out = *session.out;
  out << "Scan " << Printable(scan.id(), 64) << " "
      << absl::AsciiStrToLower(v1::Scan::State_Name(scan.state())) << ": "
      << ProgressLine(scan.progress()) << "\n";
  out << "  of " << Describe(scan.selector()) << ", begun " << FormatInstant(scan.create_time())
      << " by " << Printable(scan.created_by(), 100);
  if (!scan.reason().empty()) out << " (" << Printable(scan.reason(), 512) << ")";
  out << "\n";
  if (scan.state() == v1::Scan::RUNNING) {
    out << "  until " << FormatInstant(scan.deadline()) << " at the latest\n";
  } else {
    out << "  ended " << FormatInstant(scan.end_time()) << "\n";
  }
  const std::map<std::string, v1::StatusCounts> counts(scan.counts().begin(), scan.counts().end());
  for (const auto& [baseline, verdicts] : counts) {
    const auto failing = scan.failing().find(baseline);
    out << "  " << Printable(baseline, 100) << ": " << CountsLine(verdicts, session.terminal)
        << (failing == scan.failing().end() ? "" : SeveritiesLine(failing->second)) << "\n";
  }
  if (scan.state() != v1::Scan::RUNNING &&
      scan.progress().evaluated() < scan.progress().targeted()) {
    PrintSilentHosts(scan, session);
  }
}

void PrintScans(const std::vector<v1::Scan>& scans, Session& session) {
  if (scans.empty()) {
    *session.out << "No scans.\n";
    return;
  }
  Table table({"ID", "STATE", "BEGUN", "HOSTS", "EVALUATED", "SILENT", "BY", "WHY"});
  for (const v1::Scan& scan : scans) {
    const v1::ScanProgress& progress = scan.progress();
    table.Row({Printable(scan.id(), 64), absl::AsciiStrToLower(v1::Scan::State_Name(scan.state())),
               FormatInstant(scan.create_time()), absl::StrCat(progress.targeted()),
               absl::StrCat(progress.evaluated()),
               absl::StrCat(progress.failed() + progress.missed()),
               Printable(scan.created_by(), 60), Printable(scan.reason(), 100)});
  }
  table.Print(session.terminal, *session.out);
}

void PrintScanHosts(const std::vector<v1::ScanHost>& hosts, Session& session) {
  if (hosts.empty()) {
    *session.out << "No such hosts.\n";
    return;
  }
  Table table({"HOST", "ID", "STATE", "OBSERVED", "FAILING", "MESSAGE"});
  for (const v1::ScanHost& host : hosts) {
    std::vector<std::string> failing;
    const std::map<std::string, v1::StatusCounts> counts(host.counts().begin(),
                                                         host.counts().end());
    for (const auto& [baseline, verdicts] : counts) {
      failing.push_back(absl::StrCat(Printable(baseline, 60), " ", verdicts.fail()));
    }
    table.Row({Printable(host.hostname(), 100), host.host_id(),
               absl::AsciiStrToLower(v1::ScanHost::State_Name(host.state())),
               FormatInstant(host.observed_time()), absl::StrJoin(failing, ", "),
               Printable(host.message(), 200)});
  }
  table.Print(session.terminal, *session.out);
}

absl::Status Judge(const v1::Scan& scan, const JudgeOptions& options, Session& session) {
  const v1::ScanProgress& progress = scan.progress();
  if (!options.baseline.empty() && progress.evaluated() > 0 &&
      !scan.counts().contains(options.baseline)) {
    std::vector<std::string> known;
    for (const auto& [baseline, counts] : scan.counts()) known.push_back(baseline);
    std::sort(known.begin(), known.end());
    return absl::NotFoundError(absl::StrCat("no answer of scan ", scan.id(),
                                            " was judged by baseline \"", options.baseline,
                                            "\" but by ", absl::StrJoin(known, ", ")));
  }
  int64_t failures = 0;
  int64_t unknown = 0;
  for (const auto& [baseline, counts] : scan.counts()) {
    if (!options.baseline.empty() && baseline != options.baseline) continue;
    unknown += counts.unknown();
    // Counts by severity leave out the least of them.
    if (options.fail_on == v1::INFO) failures += counts.fail() - counts.waived();
  }
  for (const auto& [baseline, failing] : scan.failing()) {
    if (options.fail_on == v1::INFO) break;
    if (!options.baseline.empty() && baseline != options.baseline) continue;
    failures += CountFailing(failing, options.fail_on);
  }
  std::ostream& err = *session.err;
  if (failures > 0) {
    err << failures << " rule(s) of severity " << SeverityName(options.fail_on)
        << " or worse fail, counted over all hosts\n";
    session.exit_status = kNotCompliant;
  }
  if (unknown > 0) err << unknown << " verdict(s) are unknown: neither pass nor fail\n";
  const int silent = progress.targeted() - progress.evaluated();
  if (scan.state() == v1::Scan::CANCELLED) {
    err << "the scan was cancelled: no evidence is no pass\n";
    session.exit_status = kNotCompliant;
  } else if (progress.evaluated() == 0) {
    err << "no host answered: no evidence is no pass\n";
    session.exit_status = kNotCompliant;
  } else if (silent > 0 && options.allow_missed) {
    err << silent << " host(s) gave no answer, which --allow-missed allows\n";
  } else if (silent > 0) {
    err << silent << " host(s) gave no answer: no evidence is no pass (--allow-missed to accept)\n";
    session.exit_status = kNotCompliant;
  }
  return absl::OkStatus();
}

}  // namespace plimsoll::cli
