#include "controller/store/postgres/scan_rows.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/sql_values.h"

namespace plimsoll::store {
namespace {

constexpr Statement kInsert = {
    "scans_insert",
    "INSERT INTO scan (id, state, created_by, idempotency_key, request_digest, created, deadline,"
    " selector, reason, schedule_id) VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9)"};
// A host that owes an answer to a running scan joins the oldest of those.
constexpr Statement kInsertHosts = {
    "scans_insert_hosts",
    "INSERT INTO scan_host (host_id, scan_id, hostname, state, message, joined_scan_id)"
    " SELECT h.id, $1, h.hostname,"
    " CASE WHEN bad.reason IS NOT NULL THEN 4 WHEN h.connected THEN 2 ELSE 1 END,"
    " coalesce(bad.reason, ''),"
    " CASE WHEN bad.reason IS NULL THEN coalesce(owes.scan_id, '') ELSE '' END"
    " FROM unnest($2::text[]) AS wanted(id) JOIN host h ON h.id = wanted.id"
    " CROSS JOIN LATERAL (SELECT CASE WHEN h.revoked IS NOT NULL THEN 'the host is revoked'"
    "  WHEN h.removed IS NOT NULL THEN 'the host is removed'"
    "  WHEN h.quarantined IS NOT NULL THEN 'the host is quarantined' END AS reason) bad"
    " LEFT JOIN (SELECT DISTINCT ON (sh.host_id) sh.host_id, sh.scan_id FROM scan s"
    "  JOIN scan_host sh ON sh.scan_id = s.id AND sh.state IN (1, 2)"
    "  WHERE s.ended IS NULL ORDER BY sh.host_id, s.created, s.id) owes ON owes.host_id = h.id"};
constexpr Statement kTargeted = {"scans_targeted", "UPDATE scan SET targeted = $2 WHERE id = $1"};
constexpr Statement kGet = {"scans_get",
                            "SELECT " PLIMSOLL_SCAN_COLUMNS " FROM scan WHERE id = $1"};
constexpr Statement kProgress = {
    "scans_progress", "SELECT state, count(*) FROM scan_host WHERE scan_id = $1 GROUP BY state"};
constexpr Statement kCounts = {
    "scans_counts",
    "SELECT baseline_id, sum(pass_count), sum(fail_count), sum(unknown_count),"
    " sum(not_applicable_count), sum(manual_count), sum(fail_critical), sum(fail_high),"
    " sum(fail_medium), sum(fail_low), sum(waived_count) FROM scan_answer"
    " WHERE scan_id = $1 GROUP BY baseline_id"};
constexpr Statement kPartProgress = {
    "scans_part_progress",
    "SELECT scan_id, state, count(*) FROM scan_host WHERE scan_id = ANY($1::text[])"
    " AND host_id = ANY($2::text[]) GROUP BY scan_id, state"};
constexpr Statement kPartCounts = {
    "scans_part_counts",
    "SELECT scan_id, baseline_id, sum(pass_count), sum(fail_count), sum(unknown_count),"
    " sum(not_applicable_count), sum(manual_count), sum(fail_critical), sum(fail_high),"
    " sum(fail_medium), sum(fail_low), sum(waived_count) FROM scan_answer WHERE scan_id = "
    "ANY($1::text[])"
    " AND host_id = ANY($2::text[]) GROUP BY scan_id, baseline_id"};
constexpr Statement kHosts = {
    "scans_hosts",
    "SELECT host_id, hostname, state, message, joined_scan_id, micros(observed), facts_digest"
    " FROM scan_host WHERE scan_id = $1 AND (hostname, host_id) > ($2, $3)"
    " AND (cardinality($4::integer[]) = 0 OR state = ANY($4::integer[]))"
    " AND (NOT $5 OR host_id = ANY($6::text[])) ORDER BY hostname, host_id LIMIT $7"};
constexpr Statement kHostCounts = {
    "scans_host_counts",
    "SELECT host_id, baseline_id, pass_count, fail_count, unknown_count, not_applicable_count,"
    " manual_count, waived_count FROM scan_answer WHERE scan_id = $1 AND host_id = "
    "ANY($2::text[])"};
constexpr Statement kOutcome = {"scans_outcome", "UPDATE scan SET outcome = $2 WHERE id = $1"};

void SetCounts(const pqxx::row& row, int column, int waived, v1::StatusCounts& counts) {
  counts.set_pass(row[column].as<int32_t>());
  counts.set_fail(row[column + 1].as<int32_t>());
  counts.set_unknown(row[column + 2].as<int32_t>());
  counts.set_not_applicable(row[column + 3].as<int32_t>());
  counts.set_manual(row[column + 4].as<int32_t>());
  counts.set_waived(row[waived].as<int32_t>());
}

// Adds `count` hosts in a state.
void AddProgress(int state, int count, v1::ScanProgress& progress) {
  progress.set_targeted(progress.targeted() + count);
  switch (state) {
    case v1::ScanHost::OFFLINE:
      progress.set_offline(count);
      break;
    case v1::ScanHost::REQUESTED:
      progress.set_requested(count);
      break;
    case v1::ScanHost::EVALUATED:
      progress.set_evaluated(count);
      break;
    case v1::ScanHost::FAILED:
      progress.set_failed(count);
      break;
    case v1::ScanHost::MISSED:
      progress.set_missed(count);
      break;
  }
}

// Sets counts and failing of a baseline from ten sums that begin at `column`.
void SetSums(const pqxx::row& row, int column, const std::string& baseline, v1::Scan& scan) {
  SetCounts(row, column, column + 9, (*scan.mutable_counts())[baseline]);
  v1::SeverityCounts& failing = (*scan.mutable_failing())[baseline];
  failing.set_critical(row[column + 5].as<int64_t>());
  failing.set_high(row[column + 6].as<int64_t>());
  failing.set_medium(row[column + 7].as<int64_t>());
  failing.set_low(row[column + 8].as<int64_t>());
}

// Progress, counts and failing, from the rows of hosts and answers.
void CountScan(Transaction& tx, v1::Scan& scan) {
  for (const pqxx::row& row : tx.Exec(kProgress, scan.id())) {
    AddProgress(row[0].as<int>(), row[1].as<int>(), *scan.mutable_progress());
  }
  for (const pqxx::row& row : tx.Exec(kCounts, scan.id())) SetSums(row, 1, TextOf(row[0]), scan);
}

}  // namespace

absl::Status NoSuchScan(const std::string& id) {
  return absl::NotFoundError(absl::StrCat("no scan \"", Text(id, 256), "\""));
}

absl::Status InsertScan(Transaction& tx, const NewScan& scan, bool skip_missing) {
  const std::set<std::string> ids(scan.host_ids.begin(), scan.host_ids.end());
  tx.Exec(kInsert, scan.id, Text(scan.created_by), Text(scan.idempotency_key), scan.request_digest,
          Time(scan.create_time), Time(scan.deadline), Bytes(scan.selector.SerializeAsString()),
          Text(scan.reason), scan.schedule_id);
  // Planned for these very hosts: one of them, or a hundred thousand.
  const auto added =
      tx.ExecPlanned(kInsertHosts, scan.id, TextArray({ids.begin(), ids.end()})).affected_rows();
  if (added != ids.size() && !skip_missing) {
    return absl::NotFoundError(
        absl::StrCat(ids.size() - added, " of the hosts to scan do not exist"));
  }
  tx.Exec(kTargeted, scan.id, static_cast<int64_t>(added));
  AnnounceScans(tx, {scan.id});
  return absl::OkStatus();
}

std::vector<v1::Scan> ScansOf(Transaction& tx, const pqxx::result& rows) {
  std::vector<v1::Scan> scans;
  for (const pqxx::row& row : rows) {
    v1::Scan& scan = scans.emplace_back();
    // What it became, when that is known; all other members come from columns.
    const bool counted = !row[10].is_null() && scan.ParseFromString(BytesOf(row[10]));
    scan.set_id(TextOf(row[0]));
    scan.set_state(static_cast<v1::Scan::State>(row[1].as<int>()));
    *scan.mutable_create_time() = TimestampOf(TimeOf(row[2]));
    *scan.mutable_deadline() = TimestampOf(TimeOf(row[3]));
    if (!row[4].is_null()) *scan.mutable_end_time() = TimestampOf(TimeOf(row[4]));
    scan.set_created_by(TextOf(row[5]));
    scan.mutable_selector()->ParseFromString(BytesOf(row[6]));
    scan.set_reason(TextOf(row[7]));
    scan.set_schedule_id(TextOf(row[8]));
    scan.set_hosts_omitted(row[9].as<int>() > 0);
    if (!counted) CountScan(tx, scan);
  }
  return scans;
}

std::vector<v1::Scan> PartsOfScans(Transaction& tx, std::vector<v1::Scan> scans,
                                   const std::vector<std::string>& host_ids) {
  const absl::flat_hash_set<std::string> visible(host_ids.begin(), host_ids.end());
  std::map<std::string, v1::Scan*> by_id;
  std::vector<std::string> ids;
  for (v1::Scan& scan : scans) {
    by_id[scan.id()] = &scan;
    ids.push_back(scan.id());
    scan.clear_progress();
    scan.clear_counts();
    scan.clear_failing();
    auto& hosts = *scan.mutable_hosts();
    hosts.erase(std::remove_if(hosts.begin(), hosts.end(),
                               [&visible](const v1::ScanHost& host) {
                                 return !visible.contains(host.host_id());
                               }),
                hosts.end());
  }
  const std::string scan_array = TextArray(ids);
  const std::string host_array = TextArray(host_ids);
  for (const pqxx::row& row : tx.ExecPlanned(kPartProgress, scan_array, host_array)) {
    AddProgress(row[1].as<int>(), row[2].as<int>(), *by_id.at(TextOf(row[0]))->mutable_progress());
  }
  for (const pqxx::row& row : tx.ExecPlanned(kPartCounts, scan_array, host_array)) {
    SetSums(row, 2, TextOf(row[1]), *by_id.at(TextOf(row[0])));
  }
  scans.erase(std::remove_if(scans.begin(), scans.end(),
                             [](const v1::Scan& scan) { return scan.progress().targeted() == 0; }),
              scans.end());
  return scans;
}

std::vector<v1::ScanHost> LoadScanHosts(Transaction& tx, const ScanHostQuery& query) {
  std::vector<v1::ScanHost> hosts;
  std::vector<std::string> answered;
  const std::vector<int64_t> states(query.states.begin(), query.states.end());
  for (const pqxx::row& row :
       tx.ExecPlanned(kHosts, Text(query.scan_id), Text(query.after_hostname), Text(query.after_id),
                      IntArray(states), query.only.has_value(),
                      TextArray(query.only.value_or(std::vector<std::string>())), query.limit)) {
    v1::ScanHost& host = hosts.emplace_back();
    host.set_host_id(TextOf(row[0]));
    host.set_hostname(TextOf(row[1]));
    host.set_state(static_cast<v1::ScanHost::State>(row[2].as<int>()));
    host.set_message(TextOf(row[3]));
    host.set_joined_scan_id(TextOf(row[4]));
    if (host.state() != v1::ScanHost::EVALUATED) continue;
    if (!row[5].is_null()) *host.mutable_observed_time() = TimestampOf(TimeOf(row[5]));
    host.set_facts_digest(absl::BytesToHexString(BytesOf(row[6])));
    answered.push_back(host.host_id());
  }
  if (answered.empty()) return hosts;
  std::map<std::string, v1::ScanHost*> by_id;
  for (v1::ScanHost& host : hosts) by_id[host.host_id()] = &host;
  for (const pqxx::row& row :
       tx.ExecPlanned(kHostCounts, Text(query.scan_id), TextArray(answered))) {
    const auto host = by_id.find(TextOf(row[0]));
    if (host == by_id.end()) continue;
    SetCounts(row, 2, 7, (*host->second->mutable_counts())[TextOf(row[1])]);
  }
  return hosts;
}

absl::StatusOr<v1::Scan> LoadScan(Transaction& tx, const std::string& id) {
  const pqxx::result rows = tx.Exec(kGet, Text(id));
  if (rows.empty()) return NoSuchScan(id);
  v1::Scan scan = std::move(ScansOf(tx, rows)[0]);
  if (rows[0][9].as<int>() > kMostScanHosts) return scan;
  ScanHostQuery query;
  query.scan_id = scan.id();
  query.limit = kMostScanHosts;
  scan.set_hosts_omitted(false);
  for (v1::ScanHost& host : LoadScanHosts(tx, query)) *scan.add_hosts() = std::move(host);
  return scan;
}

void RecordOutcomes(Transaction& tx, const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    v1::Scan scan;
    scan.set_id(id);
    CountScan(tx, scan);
    scan.clear_id();
    tx.Exec(kOutcome, id, Bytes(scan.SerializeAsString()));
  }
  AnnounceScans(tx, ids);
}

}  // namespace plimsoll::store
