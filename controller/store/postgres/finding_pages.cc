#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {
namespace {

// $7 to $12 are the position after which the page begins; $7 NULL: from the start.
constexpr Statement kPage = {
    "findings_page",
    "WITH page AS ("
    "  SELECT f.*, h.hostname FROM finding f JOIN host h ON h.id = f.host_id"
    "  WHERE ($1 = '' OR f.baseline_id = $1)"
    "  AND (cardinality($2::text[]) = 0 OR f.rule_id = ANY($2::text[]))"
    "  AND (cardinality($3::smallint[]) = 0 OR f.status = ANY($3::smallint[]))"
    "  AND f.severity >= $4::smallint"
    "  AND (CASE WHEN $5 = '' THEN h.revoked IS NULL ELSE f.host_id = $5 END)"
    "  AND ($6::text[] = '{}' OR h.labels @> jsonb_object($6::text[], $14::text[]))"
    "  AND ($7 = '' OR (-f.severity, f.rule_id, f.baseline_id, f.host_id, f.object, f.occurrence)"
    "    > (NULLIF($7, '')::smallint, $8, $9, $10, $11, $12::integer))"
    "  ORDER BY -f.severity, f.rule_id, f.baseline_id, f.host_id, f.object, f.occurrence"
    "  LIMIT $13)"
    " SELECT p.severity, p.rule_id, p.baseline_id, p.host_id, p.object, p.occurrence, p.hostname,"
    " p.content, micros(r.observed), micros(v.since), b.title FROM page p"
    " LEFT JOIN host_report r ON r.host_id = p.host_id AND r.baseline_id = p.baseline_id"
    " LEFT JOIN verdict v ON v.host_id = p.host_id AND v.baseline_id = p.baseline_id"
    "   AND v.rule_id = p.rule_id"
    " LEFT JOIN baseline_rule b ON b.digest = r.baseline_digest AND b.rule_id = p.rule_id"
    " ORDER BY -p.severity, p.rule_id, p.baseline_id, p.host_id, p.object, p.occurrence"};

constexpr int kMaximumLimit = 1000;

// Where a page ended: the six columns of the order.
struct Position {
  std::string severity, rule, baseline, host, object;
  int32_t occurrence = 0;
};

std::string Encode(const pqxx::row& row) {
  // No text in the database holds NUL.
  return absl::WebSafeBase64Escape(
      absl::StrJoin({std::to_string(-row[0].as<int>()), TextOf(row[1]), TextOf(row[2]),
                     TextOf(row[3]), TextOf(row[4]), TextOf(row[5])},
                    std::string(1, '\0')));
}

absl::StatusOr<Position> Decode(const std::string& after) {
  Position position;
  if (after.empty()) return position;
  const absl::Status invalid = absl::InvalidArgumentError("page token is not one of ours");
  std::string plain;
  if (!absl::WebSafeBase64Unescape(after, &plain)) return invalid;
  const std::vector<std::string> parts = absl::StrSplit(plain, '\0');
  int severity = 0;
  if (parts.size() != 6 || !absl::SimpleAtoi(parts[0], &severity) || severity > 0 ||
      severity < -100 || !absl::SimpleAtoi(parts[5], &position.occurrence)) {
    return invalid;
  }
  position.severity = std::to_string(severity);
  position.rule = Text(parts[1]);
  position.baseline = Text(parts[2]);
  position.host = Text(parts[3]);
  position.object = Text(parts[4]);
  return position;
}

v1::FleetFinding FindingOf(const pqxx::row& row) {
  v1::FleetFinding found;
  found.set_severity(static_cast<v1::Severity>(row[0].as<int>()));
  found.set_rule_id(TextOf(row[1]));
  found.set_baseline_id(TextOf(row[2]));
  found.set_host_id(TextOf(row[3]));
  found.set_hostname(TextOf(row[6]));
  found.mutable_finding()->ParseFromString(BytesOf(row[7]));
  if (!row[8].is_null()) *found.mutable_observed_time() = TimestampOf(TimeOf(row[8]));
  if (!row[9].is_null()) *found.mutable_status_since_time() = TimestampOf(TimeOf(row[9]));
  found.set_rule_title(TextOf(row[10]));
  return found;
}

}  // namespace

absl::StatusOr<FindingPage> ReportStore::ListFindings(const FindingQuery& query) {
  const absl::StatusOr<Position> after = Decode(query.after);
  if (!after.ok()) return after.status();
  const int limit = std::clamp(query.limit, 1, kMaximumLimit);
  return pool_.Transact("list findings", [&](Transaction& tx) -> absl::StatusOr<FindingPage> {
    const pqxx::result rows = tx.ExecPlanned(
        kPage, Text(query.baseline), TextArray(query.rule_ids),
        IntArray({query.statuses.begin(), query.statuses.end()}),
        static_cast<int>(query.minimum_severity), Text(query.host_id), KeyArray(query.labels),
        after->severity, after->rule, after->baseline, after->host, after->object,
        after->occurrence, limit + 1, ValueArray(query.labels));
    FindingPage page;
    for (const pqxx::row& row : rows) {
      if (static_cast<int>(page.findings.size()) == limit) {
        page.next = Encode(rows[limit - 1]);
        break;
      }
      page.findings.push_back(FindingOf(row));
    }
    return page;
  });
}

}  // namespace plimsoll::store
