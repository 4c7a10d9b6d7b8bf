// ReportStore: the history of verdicts.
#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {
namespace {

// $4 to $7 are the position after which the page begins; $4 empty: from the newest. Comparing the
// first two columns alone lets the index find it.
constexpr Statement kList = {
    "transitions_list",
    "SELECT baseline_id, baseline_digest, rule_id, from_status, to_status, cause, micros(observed),"
    " micros(recorded), facts_digest, verdict, micros(gap_begin), sequence, from_waived,"
    " to_waived FROM transition"
    " WHERE host_id = $1 AND ($2 = '' OR baseline_id = $2) AND ($3 = '' OR rule_id = $3)"
    " AND ($4 = '' OR ((recorded, sequence) <= (NULLIF($4, '')::timestamptz, $5::bigint)"
    "   AND ((recorded, sequence) < (NULLIF($4, '')::timestamptz, $5::bigint)"
    "     OR (baseline_id, rule_id) > ($6, $7))))"
    " ORDER BY recorded DESC, sequence DESC, baseline_id, rule_id LIMIT $8"};

constexpr int kMaximumLimit = 1000;

// Where a page ended: the four columns of the order.
struct Position {
  std::string recorded;
  int64_t sequence = 0;
  std::string baseline, rule;
};

std::string Encode(const pqxx::row& row) {
  // No text in the database holds NUL.
  return absl::WebSafeBase64Escape(absl::StrJoin(
      {TextOf(row[7]), TextOf(row[11]), TextOf(row[0]), TextOf(row[2])}, std::string(1, '\0')));
}

absl::StatusOr<Position> Decode(const std::string& after) {
  Position position;
  if (after.empty()) return position;
  const absl::Status invalid = absl::InvalidArgumentError("page token is not one of ours");
  std::string plain;
  if (!absl::WebSafeBase64Unescape(after, &plain)) return invalid;
  const std::vector<std::string> parts = absl::StrSplit(plain, '\0');
  int64_t micros = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &micros) ||
      !absl::SimpleAtoi(parts[1], &position.sequence)) {
    return invalid;
  }
  position.recorded = Time(absl::FromUnixMicros(micros));
  position.baseline = Text(parts[2]);
  position.rule = Text(parts[3]);
  return position;
}

v1::Transition TransitionOf(const std::string& host_id, const pqxx::row& row) {
  v1::Transition transition;
  transition.set_host_id(host_id);
  transition.set_baseline_id(TextOf(row[0]));
  transition.set_baseline_digest(TextOf(row[1]));
  transition.set_rule_id(TextOf(row[2]));
  transition.set_from(static_cast<v1::Verdict::Status>(row[3].as<int>(0)));
  transition.set_to(static_cast<v1::Verdict::Status>(row[4].as<int>()));
  // What an older program recorded tells the first verdict only.
  const int cause = row[5].as<int>();
  transition.set_cause(cause == 0 && row[3].is_null() ? v1::Transition::FIRST
                                                      : static_cast<v1::Transition::Cause>(cause));
  *transition.mutable_observed_time() = TimestampOf(TimeOf(row[6]));
  *transition.mutable_recorded_time() = TimestampOf(TimeOf(row[7]));
  transition.set_facts_digest(absl::BytesToHexString(BytesOf(row[8])));
  transition.mutable_verdict()->ParseFromString(BytesOf(row[9]));
  transition.set_from_waived(row[12].as<bool>());
  transition.set_to_waived(row[13].as<bool>());
  if (!row[10].is_null()) *transition.mutable_gap_begin_time() = TimestampOf(TimeOf(row[10]));
  return transition;
}

}  // namespace

absl::StatusOr<TransitionPage> ReportStore::ListTransitions(const TransitionQuery& query) {
  const absl::StatusOr<Position> after = Decode(query.after);
  if (!after.ok()) return after.status();
  const int limit = std::clamp(query.limit, 1, kMaximumLimit);
  return pool_.Transact("list transitions", [&](Transaction& tx) -> absl::StatusOr<TransitionPage> {
    const std::string host_id = Text(query.host_id);
    const pqxx::result rows =
        tx.ExecPlanned(kList, host_id, Text(query.baseline_id), Text(query.rule_id),
                       after->recorded, after->sequence, after->baseline, after->rule, limit + 1);
    TransitionPage page;
    for (const pqxx::row& row : rows) {
      if (static_cast<int>(page.transitions.size()) == limit) {
        page.next = Encode(rows[limit - 1]);
        break;
      }
      page.transitions.push_back(TransitionOf(host_id, row));
    }
    return page;
  });
}

}  // namespace plimsoll::store
