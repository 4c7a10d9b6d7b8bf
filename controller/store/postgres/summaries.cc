#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {
namespace {

#define PLIMSOLL_SELECTED                                                                 \
  "WITH selected AS ("                                                                    \
  "  SELECT id FROM host WHERE (CASE WHEN $2 = '' THEN revoked IS NULL ELSE id = $2 END)" \
  "  AND labels @> jsonb_object($3::text[], $4::text[])) "

constexpr Statement kHosts = {
    "summaries_hosts", PLIMSOLL_SELECTED
    "SELECT count(*), count(r.host_id) FROM selected s"
    " LEFT JOIN host_report r ON r.host_id = s.id AND r.baseline_id = $1"};
constexpr Statement kRules = {
    "summaries_rules", PLIMSOLL_SELECTED
    "SELECT v.rule_id, v.status, count(*) FROM verdict v JOIN selected s ON s.id = v.host_id"
    " WHERE v.baseline_id = $1 GROUP BY v.rule_id, v.status ORDER BY v.rule_id"};
#undef PLIMSOLL_SELECTED

void SetCount(v1::Verdict::Status status, int32_t count, v1::StatusCounts& counts) {
  switch (status) {
    case v1::Verdict::PASS:
      return counts.set_pass(count);
    case v1::Verdict::FAIL:
      return counts.set_fail(count);
    case v1::Verdict::NOT_APPLICABLE:
      return counts.set_not_applicable(count);
    case v1::Verdict::MANUAL:
      return counts.set_manual(count);
    default:
      // What this program does not know is no pass.
      return counts.set_unknown(counts.unknown() + count);
  }
}

}  // namespace

absl::StatusOr<SummaryCounts> ReportStore::Summarize(
    const std::string& baseline_id, const std::string& host_id,
    const std::map<std::string, std::string>& labels) {
  return pool_.Transact("summarize", [&](Transaction& tx) -> absl::StatusOr<SummaryCounts> {
    const std::string keys = KeyArray(labels);
    const std::string values = ValueArray(labels);
    SummaryCounts summary;
    const pqxx::row hosts =
        tx.ExecPlanned(kHosts, Text(baseline_id), Text(host_id), keys, values)[0];
    summary.host_count = hosts[0].as<int32_t>();
    summary.evaluated_host_count = hosts[1].as<int32_t>();
    for (const pqxx::row& row :
         tx.ExecPlanned(kRules, Text(baseline_id), Text(host_id), keys, values)) {
      const std::string rule_id = TextOf(row[0]);
      if (summary.rules.empty() || summary.rules.back().rule_id != rule_id) {
        summary.rules.emplace_back().rule_id = rule_id;
      }
      SetCount(static_cast<v1::Verdict::Status>(row[1].as<int>()), row[2].as<int32_t>(),
               summary.rules.back().counts);
    }
    return summary;
  });
}

}  // namespace plimsoll::store
