// Current statuses of hosts and the history of their changes, as part of storing a batch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/store/fleet_store.h"
#include "controller/store/postgres/baseline_catalog.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/notable.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {

// A row of host_report, or what will be one.
struct ReportRow {
  std::string baseline_id;
  std::string baseline_digest;
  // As stored: one byte a rule, kWaivedMark beside the status. Empty: not judged since the schema
  // changed.
  std::string statuses;
  // v1.StatusTimes, serialised.
  std::string since;
  // v1.FailingContainers, serialised.
  std::string failing;
  std::string evaluator;
  v1::StatusCounts counts;
  uint64_t policy_key = 0;
};

// Counts of a row of host_report, from its six columns that begin at `first`: pass, fail, unknown,
// not applicable, manual, waived.
v1::StatusCounts CountsOf(const pqxx::row& row, int first);

// `since` of a row and the reverse; what is damaged reads as fewer times.
std::string PackTimes(const std::vector<int64_t>& micros);
std::vector<int64_t> UnpackTimes(absl::string_view packed);

// Of whom and from what the judgements of one host are.
struct JudgedFacts {
  std::string host_id;
  uint64_t sequence = 0;
  std::string facts_digest;
  absl::Time observed;
  absl::Time recorded;
  // Why a status is another than before, where it was not the first.
  // FACTS; otherwise the facts are the same, and what differs says.
  v1::Transition::Cause cause = v1::Transition::FACTS;
  uint64_t policy_key = 0;
  std::optional<absl::Time> gap_begin;
};

// Rows of the hosts of one batch: read, compared with new judgements, and written, in as many
// statements as there are kinds of change, not hosts. The hosts' rows are locked by the caller.
// Methods throw what libpqxx throws.
class ReportRows {
 public:
  ReportRows(Transaction& tx, BaselineCatalog& catalog) : tx_(tx), catalog_(catalog) {}

  void Read(const std::vector<std::string>& host_ids);
  // Current rows; as replaced by Judge.
  const std::vector<ReportRow>& Of(const std::string& host_id) { return rows_[host_id]; }

  // Makes `judgements` the host's current statuses. What changed is noted for Write: rows that
  // differ, a transition for each status that is another. Rows of baselines that `judgements` do
  // not name go, without a transition. True: something that is stored changes. INVALID_ARGUMENT:
  // verdicts are not those of the baseline's rules, in their order, or a baseline comes twice;
  // NOT_FOUND: the baseline's document was never put. Nothing is noted then.
  absl::StatusOr<bool> Judge(const JudgedFacts& facts, const std::vector<Judgement>& judgements);
  void Write();

 private:
  // Status (with its mark) and since of a rule before; absent: none.
  using Before = std::vector<std::optional<std::pair<int, int64_t>>>;
  // What one judgement makes of its row.
  struct Next {
    const v1::HostReport* report = nullptr;
    ReportRow row;
    // Of the catalogue, which keeps it.
    const v1::Baseline* document = nullptr;
    // Where `changed`: one entry a rule.
    Before before;
    // Places of rules that failed before and that containers of further settings fail now.
    std::vector<int32_t> failing_more;
    bool changed = false;
    // Of transitions.
    v1::Transition::Cause cause = v1::Transition::FACTS;
  };
  absl::StatusOr<Next> Compare(const JudgedFacts& facts, const Judgement& judgement);
  void NoteChange(const JudgedFacts& facts, Next& next);
  absl::StatusOr<Before> BeforeOf(const std::string& host_id, const ReportRow* row,
                                  const CatalogedBaseline& baseline);
  void ReadHistory(const std::vector<std::string>& host_ids);
  void NoteTransition(const JudgedFacts& facts, const Next& next, int place,
                      std::optional<int> from);
  absl::StatusOr<v1::Transition::Cause> CauseOf(const JudgedFacts& facts, const ReportRow& old,
                                                const CatalogedBaseline& baseline);
  void NoteRow(const std::string& host_id, const ReportRow& row);
  // What people are told of: `from` is the status before. A host's first verdicts are no news.
  void NoteNews(const JudgedFacts& facts, const Next& next, int place, int from);
  void NoteEvent(const JudgedFacts& facts, const v1::HostReport& report, const v1::Rule& rule,
                 int place, v1::NotificationEvent::Kind kind, bool was_unknown = false);
  void WriteTransitions();

  Transaction& tx_;
  BaselineCatalog& catalog_;
  absl::flat_hash_map<std::string, std::vector<ReportRow>> rows_;
  // Host id, NUL, baseline id, NUL, rule id -> newest transition, for rows without statuses.
  absl::flat_hash_map<std::string, std::pair<int, int64_t>> history_;

  // Columns of what will be written.
  std::vector<std::string> gone_hosts_, gone_baselines_;
  std::vector<std::string> hosts_, baselines_, digests_, evaluators_;
  std::vector<int64_t> pass_, fail_, unknown_, not_applicable_, manual_, waived_, keys_;
  BytesColumn statuses_, since_, failing_;
  std::vector<std::string> t_hosts_, t_baselines_, t_rules_, t_digests_, t_recorded_, t_observed_,
      t_gaps_;
  std::vector<int64_t> t_sequences_, t_from_, t_to_, t_causes_, t_from_waived_, t_to_waived_;
  BytesColumn t_facts_, t_verdicts_;
  NotableEvents events_;
};

}  // namespace plimsoll::store
