// Scans for people, and their judgement for scripts.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/scan_service.pb.h"

namespace plimsoll::cli {

// What makes a scan "not compliant".
struct JudgeOptions {
  // SEVERITY_UNSPECIFIED: nothing is judged.
  v1::Severity fail_on = v1::SEVERITY_UNSPECIFIED;
  // Empty: all baselines.
  std::string baseline;
  // Hosts without an answer are no failure, as long as one answered.
  bool allow_missed = false;
};

// A scan as a whole: what was asked, how far it is, verdicts by baseline, and the hosts that gave
// no answer.
void PrintScan(const v1::Scan& scan, Session& session);
// One line a scan.
void PrintScans(const std::vector<v1::Scan>& scans, Session& session);
// One line a host.
void PrintScanHosts(const std::vector<v1::ScanHost>& hosts, Session& session);

// Judges a scan that has ended by its own answers: sets the exit status and says why. NOT_FOUND: no
// answer was judged by the baseline asked for.
absl::Status Judge(const v1::Scan& scan, const JudgeOptions& options, Session& session);

}  // namespace plimsoll::cli
