#include "controller/store/postgres/transitions.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/substitute.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

constexpr Statement kRead = {"verdicts_read",
                             "SELECT baseline_id, rule_id, status FROM verdict WHERE host_id = $1"};
constexpr Statement kDelete = {
    "verdicts_delete",
    "DELETE FROM verdict v USING unnest($2::text[], $3::text[]) AS gone(baseline_id, rule_id)"
    " WHERE v.host_id = $1 AND v.baseline_id = gone.baseline_id AND v.rule_id = gone.rule_id"};
constexpr Statement kUpsert = {
    "verdicts_upsert",
    "INSERT INTO verdict (host_id, baseline_id, rule_id, status, since)"
    " SELECT $1, *, $5 FROM unnest($2::text[], $3::text[], $4::smallint[])"
    " ON CONFLICT (host_id, baseline_id, rule_id) DO UPDATE SET status = excluded.status,"
    " since = excluded.since"};
// A from_status of -1 is the first verdict.
constexpr Statement kAppend = {
    "transitions_append",
    "INSERT INTO transition (host_id, recorded, sequence, observed, facts_digest, baseline_id,"
    " baseline_digest, rule_id, from_status, to_status, verdict)"
    " SELECT $1, $2::timestamptz, $3::bigint, $4::timestamptz, $5::bytea, baseline_id,"
    " baseline_digest, rule_id, NULLIF(from_status, -1), to_status, verdict"
    " FROM unnest($6::text[], $7::text[], $8::text[], $9::smallint[], $10::smallint[],"
    " $11::bytea[])"
    " AS t(baseline_id, baseline_digest, rule_id, from_status, to_status, verdict)"};
constexpr Statement kList = {
    "transitions_list",
    "SELECT baseline_id, baseline_digest, rule_id, from_status, to_status, micros(observed),"
    " micros(recorded), facts_digest FROM transition WHERE host_id = $1"
    " AND ($2 = '' OR baseline_id = $2) AND ($3 = '' OR rule_id = $3)"
    " ORDER BY recorded DESC, sequence DESC, baseline_id, rule_id LIMIT $4"};

constexpr Statement kMonthExists = {"transitions_month_exists",
                                    "SELECT to_regclass($1) IS NOT NULL"};
// Reads the catalogue itself: to_regclass may answer from a cache that does not know yet what
// another session committed while this one waited for the lock.
constexpr Statement kMonthAttached = {
    "transitions_month_attached",
    "SELECT EXISTS (SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
    " WHERE relname = $1 AND relnamespace = current_schema()::regnamespace)"};
constexpr Statement kLockMonths = {"transitions_lock_months",
                                   "SELECT pg_advisory_xact_lock(7245107782)"};
// $0: table, $1: suffix, $2: first instant, $3: the next month's. Attaching, unlike CREATE TABLE
// ... PARTITION OF, lets others go on reading and writing.
constexpr char kMakeMonth[] =
    "CREATE TABLE IF NOT EXISTS $0_$1 (LIKE $0 INCLUDING ALL);"
    "ALTER TABLE $0 ATTACH PARTITION $0_$1 FOR VALUES FROM ('$2') TO ('$3')";
constexpr const char* kMonthlyTables[] = {"transition", "facts_snapshot"};

using Key = std::pair<std::string, std::string>;

struct Current {
  const v1::Verdict* verdict;
  const std::string* baseline_digest;
  // -1: none before.
  int64_t from = -1;
};

std::map<Key, Current> VerdictsOf(const Evaluation& evaluation) {
  std::map<Key, Current> verdicts;
  for (const v1::HostReport& report : evaluation.reports) {
    for (const v1::Verdict& verdict : report.verdicts()) {
      verdicts[{report.baseline().id(), verdict.rule_id()}] = {&verdict,
                                                               &report.baseline().digest()};
    }
  }
  return verdicts;
}

absl::CivilMonth MonthOf(absl::Time recorded) {
  return absl::ToCivilMonth(recorded, absl::UTCTimeZone());
}

std::string Suffix(absl::CivilMonth month) {
  return absl::StrFormat("%04d_%02d", month.year(), month.month());
}

}  // namespace

void UpdateVerdicts(Transaction& tx, const Evaluation& evaluation) {
  std::map<Key, Current> changed = VerdictsOf(evaluation);
  std::vector<std::string> gone_baselines, gone_rules;
  for (const pqxx::row& row : tx.Exec(kRead, evaluation.host_id)) {
    const auto current = changed.find({TextOf(row[0]), TextOf(row[1])});
    if (current == changed.end()) {
      gone_baselines.push_back(TextOf(row[0]));
      gone_rules.push_back(TextOf(row[1]));
    } else if (current->second.verdict->status() == row[2].as<int>()) {
      changed.erase(current);
    } else {
      current->second.from = row[2].as<int>();
    }
  }
  if (!gone_rules.empty()) {
    tx.Exec(kDelete, evaluation.host_id, TextArray(gone_baselines), TextArray(gone_rules));
  }
  if (changed.empty()) return;
  std::vector<std::string> baselines, digests, rules, contents;
  std::vector<int64_t> from, to;
  for (const auto& [key, current] : changed) {
    baselines.push_back(key.first);
    rules.push_back(key.second);
    digests.push_back(*current.baseline_digest);
    from.push_back(current.from);
    to.push_back(current.verdict->status());
    contents.push_back(current.verdict->SerializeAsString());
  }
  tx.Exec(kUpsert, evaluation.host_id, TextArray(baselines), TextArray(rules), IntArray(to),
          Time(evaluation.observed));
  tx.Exec(kAppend, evaluation.host_id, Time(evaluation.recorded),
          static_cast<int64_t>(evaluation.sequence), Time(evaluation.observed),
          Bytes(evaluation.facts_digest), TextArray(baselines), TextArray(digests),
          TextArray(rules), IntArray(from), IntArray(to), BytesArray(contents));
}

bool MonthExists(Transaction& tx, absl::Time recorded) {
  // The table made last stands for all.
  return tx.Exec(kMonthExists, absl::StrCat("facts_snapshot_", Suffix(MonthOf(recorded))))[0][0]
      .as<bool>();
}

absl::Status EnsureMonth(ConnectionPool& pool, absl::Time recorded) {
  return pool.Transact("make room for a month of history", [recorded](Transaction& tx) {
    tx.Exec(kLockMonths);
    const absl::CivilMonth month = MonthOf(recorded);
    const std::string last = absl::StrCat(kMonthlyTables[1], "_", Suffix(month));
    if (tx.Exec(kMonthAttached, last)[0][0].as<bool>()) return absl::OkStatus();
    const auto start = [](absl::CivilMonth begin) {
      return Time(absl::FromCivil(begin, absl::UTCTimeZone()));
    };
    for (const char* table : kMonthlyTables) {
      tx.ExecScript(
          absl::Substitute(kMakeMonth, table, Suffix(month), start(month), start(month + 1)));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<Transition>> ReportStore::ListTransitions(const std::string& host_id,
                                                                     const std::string& baseline_id,
                                                                     const std::string& rule_id,
                                                                     int limit) {
  return pool_.Transact(
      "list transitions", [&](Transaction& tx) -> absl::StatusOr<std::vector<Transition>> {
        std::vector<Transition> transitions;
        for (const pqxx::row& row : tx.ExecPlanned(kList, Text(host_id), Text(baseline_id),
                                                   Text(rule_id), std::max(limit, 0))) {
          Transition& transition = transitions.emplace_back();
          transition.baseline_id = TextOf(row[0]);
          transition.baseline_digest = TextOf(row[1]);
          transition.rule_id = TextOf(row[2]);
          transition.first = row[3].is_null();
          transition.from = static_cast<v1::Verdict::Status>(row[3].as<int>(0));
          transition.to = static_cast<v1::Verdict::Status>(row[4].as<int>());
          transition.observed = TimeOf(row[5]);
          transition.recorded = TimeOf(row[6]);
          transition.facts_digest = BytesOf(row[7]);
        }
        return transitions;
      });
}

}  // namespace plimsoll::store
