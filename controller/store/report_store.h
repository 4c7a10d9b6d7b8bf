// Facts, verdicts and their history.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/host_service.pb.h"
#include "plimsoll/v1/report.pb.h"
#include "plimsoll/v1/stored.pb.h"

namespace plimsoll::store {

class ConnectionPool;
struct ReportState;

// A host judged under one baseline.
struct Judgement {
  // Verdicts in the baseline's order.
  v1::HostReport report;
  v1::FailingContainers failing;
};

// Everything one accepted delta leads to.
struct Evaluation {
  std::string host_id;
  // Lease of the session that brought it. 0: none (tests).
  int64_t session_epoch = 0;
  // Of the collector's stream.
  uint64_t sequence = 0;
  // What is kept of the facts: zstd (facts_codec.h) of v1.HostFacts when `is_full`, else of the
  // v1.FactsDelta that leads to them from those stored.
  std::string content;
  bool is_full = true;
  // Digest of the complete facts (32 raw bytes).
  std::string facts_digest;
  absl::Time observed;
  absl::Time recorded;
  // For lists of hosts.
  std::string engine_version;
  std::string operating_system;
  int32_t container_count = 0;
  // One for each active baseline.
  std::vector<Judgement> judgements;
  // What they were judged under (host_report.policy_key). 0: not known.
  uint64_t policy_key = 0;
  // What the collector lost before this.
  std::optional<v1::ObservationGap> gap;
  // Scans this answers.
  std::vector<std::string> scan_ids;
};

// A host judged again on facts that are stored already.
struct Reevaluation {
  std::string host_id;
  // Of the facts judged; a host that has moved on is passed over.
  uint64_t sequence = 0;
  std::vector<Judgement> judgements;
  // As in Evaluation.
  uint64_t policy_key = 0;
};

// What the store knows of a host's stream.
struct StreamState {
  uint64_t sequence = 0;
  // 32 raw bytes; empty: no facts yet.
  std::string facts_digest;
  // Deltas stored after the newest full snapshot, and when that was recorded (InfinitePast: none).
  // A delta may be stored while there are fewer than kMaximumChain and its month is the same.
  int chain = 0;
  absl::Time full_recorded = absl::InfinitePast();
};
inline constexpr int kMaximumChain = 32;

// Complete facts of a host.
struct StoredFacts {
  std::string host_id;
  v1::HostFacts facts;
  uint64_t sequence = 0;
  // 32 raw bytes.
  std::string digest;
  absl::Time observed;
  absl::Time recorded;
};

// Which transitions, and where the page begins.
struct TransitionQuery {
  std::string host_id;
  // Empty: all.
  std::string baseline_id;
  std::string rule_id;
  // Opaque position from the previous page's `next`; empty: from the newest.
  std::string after;
  int limit = 100;
};
struct TransitionPage {
  // hostname is not set.
  std::vector<v1::Transition> transitions;
  // Empty: last page.
  std::string next;
};

// Thread-safe; errors as in store.h. Hosts that changed are announced to all controllers
// (change_feed.h) in the same transaction.
class ReportStore {
 public:
  explicit ReportStore(ConnectionPool& pool);
  ~ReportStore();

  // Keeps documents that hosts are judged by, for ever. Call before the first Put under them.
  absl::Status PutBaselines(const std::vector<v1::Baseline>& baselines);
  // NOT_FOUND.
  absl::StatusOr<v1::Baseline> GetBaseline(const std::string& digest);

  // One transaction for all of `batch` (hosts that differ): facts, current statuses, transitions of
  // statuses that changed, answered scans, last seen. Returned in the order of `batch`, what became
  // of each: OK (committed, or its sequence is not above the stored one: nothing to do, but its
  // scans are answered), NOT_FOUND (no such host, or a baseline that was never put),
  // PERMISSION_DENIED (revoked or removed), ABORTED (quarantined, or another session has the
  // lease), INVALID_ARGUMENT (a digest that is not 32 bytes, a sequence of 2^63 or more, verdicts
  // that are not those of the baseline's rules in their order, a second evaluation of one host),
  // FAILED_PRECONDITION (a delta where StreamState asks for a full snapshot), UNAVAILABLE (scans to
  // answer with facts that are not judged again since an upgrade yet). An error as a whole: nothing
  // is stored; INTERNAL may be one evaluation's fault, put them one by one then. Reports of
  // baselines that an evaluation does not name go, without a transition.
  absl::StatusOr<std::vector<absl::Status>> PutBatch(const std::vector<const Evaluation*>& batch);
  // A batch of one.
  absl::Status Put(const Evaluation& evaluation);
  // Like PutBatch for facts that are stored: statuses and transitions only. Their cause is
  // BASELINE, TAILORING or WAIVER, by what differs: document, tailoring or neither. False: the host
  // has moved on, or is gone; nothing is changed. `recorded` is the time of the transitions.
  absl::StatusOr<std::vector<bool>> PutReevaluations(const std::vector<Reevaluation>& batch,
                                                     absl::Time recorded);

  // For a host whose facts did not change: answers the scans with the stored facts. The session is
  // that of Evaluation::session_epoch, and `facts_digest` what the host says it has; empty: not
  // checked. NOT_FOUND: no such host; PERMISSION_DENIED: it is revoked or removed; ABORTED: it is
  // quarantined, or another session has the lease (conflicts as in store.h are tried again);
  // FAILED_PRECONDITION: the stored facts are others, or none; UNAVAILABLE as for PutBatch.
  absl::Status Confirm(const std::string& host_id, const std::vector<std::string>& scan_ids,
                       absl::Time time, int64_t session_epoch = 0,
                       const std::string& facts_digest = {});
  absl::StatusOr<StreamState> GetStreamState(const std::string& host_id);
  // Newest facts. NOT_FOUND: none; DATA_LOSS: what is stored is damaged, here and below.
  absl::StatusOr<StoredFacts> GetFacts(const std::string& host_id);
  // Newest facts of those of `host_ids` that have any, in any order.
  absl::StatusOr<std::vector<StoredFacts>> GetFactsOf(const std::vector<std::string>& host_ids);
  // Facts that held on the controller's clock at `recorded` or, when `sequence` is not 0, that this
  // sequence led to. NOT_FOUND: none then, or past retention.
  absl::StatusOr<StoredFacts> GetFactsAt(const std::string& host_id, absl::Time recorded,
                                         uint64_t sequence = 0);

  // Newest recorded first. INVALID_ARGUMENT: `after` is not from a page.
  absl::StatusOr<TransitionPage> ListTransitions(const TransitionQuery& query);

 private:
  ConnectionPool& pool_;
  // What is remembered of the database between calls.
  const std::unique_ptr<ReportState> state_;
};

}  // namespace plimsoll::store
