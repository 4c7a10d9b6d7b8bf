// Findings across the fleet, which are not stored: the index tells where there may be some, and the
// facts of those hosts are judged again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/fleet/index.h"
#include "controller/policy/policy_book.h"
#include "controller/store/report_store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/finding_service.pb.h"
#include "plimsoll/v1/verdict.pb.h"

namespace plimsoll::fleet {

// Which findings, and where the page begins. All conditions must hold.
struct FindingQuery {
  Selection selection;
  // Empty: every active baseline.
  std::string baseline_id;
  // Baseline id and rule id; empty: every rule.
  std::vector<std::pair<std::string, std::string>> rules;
  // Of the findings themselves. Others than FAIL, UNKNOWN, MANUAL and PASS select nothing.
  std::vector<v1::Verdict::Status> statuses;
  // By what the active document gives, as FleetFinding.severity.
  v1::Severity minimum_severity = v1::SEVERITY_UNSPECIFIED;
  // Accepted by a waiver, or not. Absent: both.
  std::optional<bool> waived;
  // Opaque position from `next` of the page before; empty: from the first.
  std::string after;
  size_t limit = 100;
};

struct FindingPage {
  std::vector<v1::FleetFinding> findings;
  // Empty: last page. The page may be short, or empty, and not be the last.
  std::string next;
};

// A rule's place among all findings, and a document of that rule alone.
struct RuleEntry {
  // Place of the rule in its document.
  size_t rule = 0;
  // Judging by it gives the verdict that the whole document gives for this rule.
  v1::Baseline alone;
};

// One host that may have findings of one rule.
struct FindingCandidate {
  const RuleEntry* entry = nullptr;
  std::string host_id;
  std::string hostname;
  policy::Labels labels;
  // Microseconds since 1970; 0 when not known.
  int64_t since = 0;
  // What the host is judged by.
  policy::HostPolicy policy = {};
};

struct FindingCandidates {
  std::vector<FindingCandidate> hosts;
  // The index has other documents than the policy that was asked with: there may be more.
  bool moved = false;
};

// Position in the order of findings: severity (worst first), rule id, baseline id, host id, object.
struct FindingPosition {
  int severity = 0;
  std::string rule_id;
  std::string baseline_id;
  // Empty: before the rule's first host.
  std::string host_id;
  // True: behind all findings of that host; object and occurrence mean nothing.
  bool host_done = false;
  // Cut to 1024 bytes; its findings are counted from 0.
  std::string object;
  int occurrence = 0;
};

// Findings are judged by what the policy has for each host, and ordered by the severity that the
// active documents give. Thread-safe. Borrows all.
class FindingPages {
 public:
  // Looks at the facts of at most `spare_hosts` hosts more than a page has room for findings.
  FindingPages(const FleetIndex& index, store::ReportStore& reports, const policy::PolicyBook& book,
               size_t spare_hosts = 256);

  // INVALID_ARGUMENT: `after` is not from a page. Errors as the store's.
  absl::StatusOr<FindingPage> List(const FindingQuery& query) const;

 private:
  // Every rule of every document of a policy, in the order of findings.
  struct Entries {
    std::shared_ptr<const policy::Policy> policy;
    std::vector<RuleEntry> rules;
  };
  std::shared_ptr<const Entries> CurrentEntries() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The next candidates behind `position`, at most `limit`; they borrow from `entries`.
  FindingCandidates Next(const Entries& entries, const FindingQuery& query,
                         const FindingPosition& position, size_t limit) const;

  const FleetIndex& index_;
  store::ReportStore& reports_;
  const size_t spare_hosts_;
  const policy::PolicyBook& book_;
  mutable absl::Mutex mutex_;
  mutable std::shared_ptr<const Entries> entries_ ABSL_GUARDED_BY(mutex_);
};

// Newest facts by host. A host without any is left out, as is one whose facts are damaged. Errors
// as the store's.
absl::StatusOr<absl::flat_hash_map<std::string, store::StoredFacts>> FactsOf(
    store::ReportStore& reports, const std::vector<std::string>& ids);

// A finding with its place in the fleet; status_since_time is not set. `rule` is of the active
// document.
v1::FleetFinding FleetFindingOf(const std::string& host_id, const std::string& hostname,
                                const std::string& baseline_id, const v1::Rule& rule,
                                v1::Finding finding, absl::Time observed);

// Statuses (bit 1 << status) a verdict may have when one of its findings has `finding`.
uint32_t VerdictsWith(v1::Verdict::Status finding);

// `baseline` with this rule only. Verdicts do not depend on other rules: an alias has a check of
// its own.
v1::Baseline Alone(const v1::Baseline& baseline, const v1::Rule& rule);

}  // namespace plimsoll::fleet
