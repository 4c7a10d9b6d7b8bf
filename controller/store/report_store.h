// Facts, reports, findings and their history.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/finding_service.pb.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/report.pb.h"
#include "plimsoll/v1/summary_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// Everything one accepted delta leads to.
struct Evaluation {
  std::string host_id;
  // Of the collector's stream.
  uint64_t sequence = 0;
  // Complete facts after the delta, and their digest (32 raw bytes).
  const v1::HostFacts* facts = nullptr;
  std::string facts_digest;
  absl::Time observed;
  absl::Time recorded;
  // One for each active baseline.
  std::vector<v1::HostReport> reports;
  // Severity by (baseline id, rule id) is taken from the baselines, which the caller also passes.
  const std::vector<v1::Baseline>* baselines = nullptr;
  // Scans this answers.
  std::vector<std::string> scan_ids;
};

// What the store knows of a host's stream.
struct StreamState {
  uint64_t sequence = 0;
  // 32 raw bytes; empty: no facts yet.
  std::string facts_digest;
};

// Which findings, and where the page begins. Empty members select everything: no `statuses` means
// PASS evidence too. Findings of revoked hosts are left out unless `host_id` names one.
struct FindingQuery {
  std::string baseline;
  std::vector<std::string> rule_ids;
  std::vector<v1::Verdict::Status> statuses;
  v1::Severity minimum_severity = v1::SEVERITY_UNSPECIFIED;
  std::string host_id;
  std::map<std::string, std::string> labels;
  // Opaque keyset position from the previous page's `next`; empty: from the start.
  std::string after;
  int limit = 100;
};

struct FindingPage {
  std::vector<v1::FleetFinding> findings;
  // Empty: last page.
  std::string next;
};

// Verdict counts of one rule over the selected hosts.
struct RuleCounts {
  std::string rule_id;
  v1::StatusCounts counts;
};

struct SummaryCounts {
  int32_t host_count = 0;
  int32_t evaluated_host_count = 0;
  std::vector<RuleCounts> rules;
};

// A change of a verdict.
struct Transition {
  std::string baseline_id;
  std::string baseline_digest;
  std::string rule_id;
  v1::Verdict::Status from = v1::Verdict::UNKNOWN;
  v1::Verdict::Status to = v1::Verdict::UNKNOWN;
  // First verdict of this rule on this host: `from` means nothing.
  bool first = false;
  absl::Time observed;
  absl::Time recorded;
  std::string facts_digest;
};

// Thread-safe; errors as in store.h.
class ReportStore {
 public:
  explicit ReportStore(ConnectionPool& pool) : pool_(pool) {}

  // One transaction: facts (content-addressed, compressed), snapshot, current reports, transitions
  // of verdicts that changed, answered scans, last seen; or nothing. A sequence not above the
  // stored one changes nothing and is OK. Reports of baselines that `evaluation` does not name go,
  // as do verdicts of rules that a report does not name; both without a transition. A verdict FAIL,
  // UNKNOWN or MANUAL without findings becomes a finding on the host itself: empty object, observed
  // is the verdict's message. NOT_FOUND: no such host; PERMISSION_DENIED: revoked;
  // INVALID_ARGUMENT: no facts, a digest that is not 32 bytes, a sequence of 2^63 or more.
  absl::Status Put(const Evaluation& evaluation);
  // Like Put for a host whose facts did not change: answers the scans and moves last seen, nothing
  // else.
  absl::Status Confirm(const std::string& host_id, const std::vector<std::string>& scan_ids,
                       absl::Time time);
  absl::StatusOr<StreamState> GetStreamState(const std::string& host_id);
  // Newest facts. NOT_FOUND: none; DATA_LOSS: what is stored is damaged, here and below.
  absl::StatusOr<v1::HostFacts> GetFacts(const std::string& host_id);
  // Current report. NOT_FOUND.
  absl::StatusOr<v1::HostReport> GetReport(const std::string& host_id,
                                           const std::string& baseline_id);
  // By severity (worst first), rule, baseline, host, object. A page never repeats or skips a
  // finding that stays while others come and go. `limit` is held within 1 to 1000.
  // INVALID_ARGUMENT: `after` is not from a page.
  absl::StatusOr<FindingPage> ListFindings(const FindingQuery& query);
  // `host_id` empty: all hosts that carry `labels` and are not revoked. Every rule that has
  // verdicts is counted, in the order of ids; scores and aliases are the caller's business.
  absl::StatusOr<SummaryCounts> Summarize(const std::string& baseline_id,
                                          const std::string& host_id,
                                          const std::map<std::string, std::string>& labels);
  // Newest first. `baseline_id`, `rule_id` empty: all.
  absl::StatusOr<std::vector<Transition>> ListTransitions(const std::string& host_id,
                                                          const std::string& baseline_id,
                                                          const std::string& rule_id, int limit);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
