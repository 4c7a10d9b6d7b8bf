#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/scan_rows.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/scan_store.h"

namespace plimsoll::store {
namespace {

// Requests with one key queue up, so that the second sees the first's scan.
constexpr Statement kLockKey = {"scans_lock_key",
                                "SELECT pg_advisory_xact_lock(7245107, hashtext($1))"};
constexpr Statement kByKey = {
    "scans_by_key",
    "SELECT id, request_digest FROM scan WHERE idempotency_key = $1 AND idempotency_key <> ''"
    " AND created > $2::timestamptz - interval '24 hours' ORDER BY created DESC LIMIT 1"};
constexpr Statement kList = {
    "scans_list", "SELECT " PLIMSOLL_SCAN_COLUMNS
                  " FROM scan WHERE (created, id) < ($1::timestamptz, $2)"
                  " AND (cardinality($3::integer[]) = 0 OR state = ANY($3::integer[]))"
                  " AND ($4 = '' OR schedule_id = $4) ORDER BY created DESC, id DESC LIMIT $5"};
constexpr Statement kExists = {"scans_exists", "SELECT FROM scan WHERE id = $1"};
constexpr Statement kFindHost = {
    "scans_find_host",
    "SELECT host_id, state, sequence, facts_digest, micros(observed), message FROM scan_host"
    " WHERE scan_id = $1 AND host_id = $2"
    " UNION ALL SELECT host_id, state, sequence, facts_digest, micros(observed), message"
    " FROM scan_host WHERE scan_id = $1 AND hostname = $2 AND host_id <> $2"
    " AND NOT EXISTS (SELECT FROM scan_host WHERE scan_id = $1 AND host_id = $2)"
    " LIMIT 10"};
constexpr Statement kBaselines = {
    "scans_answer_baselines",
    "SELECT baseline_id, baseline_digest FROM scan_answer WHERE scan_id = $1 AND host_id = $2"
    " ORDER BY baseline_id"};
constexpr Statement kOld = {
    "scans_old",
    "SELECT id FROM scan WHERE ended < $1::timestamptz ORDER BY ended LIMIT $2"
    " FOR UPDATE SKIP LOCKED"};
constexpr Statement kRemoveAnswers = {"scans_remove_answers",
                                      "DELETE FROM scan_answer WHERE scan_id = ANY($1::text[])"};
constexpr Statement kRemoveHosts = {"scans_remove_hosts",
                                    "DELETE FROM scan_host WHERE scan_id = ANY($1::text[])"};
constexpr Statement kRemove = {"scans_remove", "DELETE FROM scan WHERE id = ANY($1::text[])"};

std::string PositionOf(const v1::Scan& scan) {
  return absl::StrCat(absl::ToUnixMicros(TimeOf(scan.create_time())), " ", scan.id());
}

constexpr Statement kCount = {
    "scan_count", "SELECT state, count(*) FROM scan WHERE created >= $1 GROUP BY state"};
// Hosts are counted one by one only while the scan runs.
constexpr Statement kCountHosts = {
    "scan_count_hosts",
    "SELECT sh.state, count(*) FROM scan s JOIN scan_host sh ON sh.scan_id = s.id"
    " WHERE s.created >= $1 AND s.ended IS NULL GROUP BY sh.state"};
constexpr Statement kOutcomes = {
    "scan_outcomes",
    "SELECT outcome FROM scan WHERE created >= $1 AND ended IS NOT NULL AND outcome IS NOT NULL"};

// Adds the hosts of a scan that has ended.
void AddOutcome(const std::string& outcome, std::map<v1::ScanHost::State, int64_t>& hosts) {
  v1::Scan scan;
  scan.ParseFromString(outcome);
  const v1::ScanProgress& progress = scan.progress();
  for (const auto& [state, count] : {std::pair{v1::ScanHost::EVALUATED, progress.evaluated()},
                                     {v1::ScanHost::FAILED, progress.failed()},
                                     {v1::ScanHost::MISSED, progress.missed()}}) {
    if (count > 0) hosts[state] += count;
  }
}

}  // namespace

absl::StatusOr<v1::Scan> ScanStore::Create(const NewScan& scan) {
  return pool_.Transact("create a scan", [&scan](Transaction& tx) -> absl::StatusOr<v1::Scan> {
    if (!scan.idempotency_key.empty()) {
      tx.Exec(kLockKey, Text(scan.idempotency_key));
      const pqxx::result known =
          tx.Exec(kByKey, Text(scan.idempotency_key), Time(scan.create_time));
      if (!known.empty()) {
        if (TextOf(known[0][1]) == scan.request_digest) return LoadScan(tx, TextOf(known[0][0]));
        return absl::AlreadyExistsError(
            absl::StrCat("idempotency key \"", Text(scan.idempotency_key, 128),
                         "\" was used for another request, scan ", TextOf(known[0][0])));
      }
    }
    if (auto status = InsertScan(tx, scan, false); !status.ok()) return status;
    return LoadScan(tx, scan.id);
  });
}

absl::StatusOr<v1::Scan> ScanStore::Get(const std::string& id) {
  return pool_.Transact("get a scan", [&id](Transaction& tx) { return LoadScan(tx, id); });
}

absl::StatusOr<ScanCounts> ScanStore::Count(absl::Time since) {
  return pool_.Transact("count scans", [since](Transaction& tx) -> absl::StatusOr<ScanCounts> {
    ScanCounts counts;
    for (const pqxx::row& row : tx.Exec(kCount, Time(since))) {
      counts.scans[static_cast<v1::Scan::State>(row[0].as<int>())] = row[1].as<int64_t>();
    }
    for (const pqxx::row& row : tx.Exec(kCountHosts, Time(since))) {
      counts.hosts[static_cast<v1::ScanHost::State>(row[0].as<int>())] = row[1].as<int64_t>();
    }
    for (const pqxx::row& row : tx.Exec(kOutcomes, Time(since))) {
      AddOutcome(BytesOf(row[0]), counts.hosts);
    }
    return counts;
  });
}

absl::StatusOr<ScanPage> ScanStore::List(const ScanQuery& query) {
  absl::Time before = absl::InfiniteFuture();
  std::string before_id;
  if (!query.after.empty()) {
    const std::pair<absl::string_view, absl::string_view> position =
        absl::StrSplit(query.after, absl::MaxSplits(' ', 1));
    int64_t micros = 0;
    if (!absl::SimpleAtoi(position.first, &micros) || position.second.empty()) {
      return absl::InvalidArgumentError("not a position in a list of scans");
    }
    before = absl::FromUnixMicros(micros);
    before_id = std::string(position.second);
  }
  return pool_.Transact("list scans", [&](Transaction& tx) -> absl::StatusOr<ScanPage> {
    const std::vector<int64_t> states(query.states.begin(), query.states.end());
    ScanPage page;
    // One more than asked tells whether there is a next page.
    page.scans = ScansOf(tx, tx.ExecPlanned(kList, Time(before), Text(before_id), IntArray(states),
                                            Text(query.schedule_id), query.limit + 1));
    if (page.scans.size() > static_cast<size_t>(query.limit)) {
      page.scans.pop_back();
      page.next = PositionOf(page.scans.back());
    }
    return page;
  });
}

absl::StatusOr<std::vector<v1::ScanHost>> ScanStore::ListHosts(const ScanHostQuery& query) {
  return pool_.Transact("list hosts of a scan",
                        [&query](Transaction& tx) -> absl::StatusOr<std::vector<v1::ScanHost>> {
                          if (tx.Exec(kExists, Text(query.scan_id)).empty())
                            return NoSuchScan(query.scan_id);
                          return LoadScanHosts(tx, query);
                        });
}

absl::StatusOr<std::vector<v1::Scan>> ScanStore::PartsOf(std::vector<v1::Scan> scans,
                                                         const std::vector<std::string>& host_ids) {
  return pool_.Transact("count hosts of scans",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::Scan>> {
                          return PartsOfScans(tx, scans, host_ids);
                        });
}

absl::StatusOr<ScanAnswer> ScanStore::GetAnswer(const std::string& scan_id, const std::string& host,
                                                const std::string& baseline_id) {
  return pool_.Transact("get an answer", [&](Transaction& tx) -> absl::StatusOr<ScanAnswer> {
    const std::string scan = Text(scan_id, 256);
    if (tx.Exec(kExists, scan).empty()) return NoSuchScan(scan_id);
    const pqxx::result hosts = tx.Exec(kFindHost, scan, Text(host, 256));
    if (hosts.empty()) {
      return absl::NotFoundError(
          absl::StrCat("scan ", scan, " does not ask a host \"", Text(host, 256), "\""));
    }
    if (hosts.size() > 1) {
      std::vector<std::string> ids;
      for (const pqxx::row& row : hosts) ids.push_back(TextOf(row[0]));
      return absl::FailedPreconditionError(absl::StrCat(
          "\"", Text(host, 256), "\" names several hosts: ", absl::StrJoin(ids, ", ")));
    }
    const pqxx::row row = hosts[0];
    if (row[1].as<int>() != v1::ScanHost::EVALUATED || row[2].is_null()) {
      return absl::NotFoundError(
          absl::StrCat("host \"", Text(host, 256), "\" gave no answer to scan ", scan));
    }
    ScanAnswer answer;
    answer.host_id = TextOf(row[0]);
    answer.sequence = row[2].as<uint64_t>();
    answer.facts_digest = BytesOf(row[3]);
    answer.observed = TimeOf(row[4]);
    std::vector<std::string> judged;
    for (const pqxx::row& line : tx.Exec(kBaselines, scan, answer.host_id)) {
      judged.push_back(TextOf(line[0]));
      if (judged.back() == baseline_id) answer.baseline_digest = TextOf(line[1]);
    }
    if (answer.baseline_digest.empty()) {
      return absl::NotFoundError(
          absl::StrCat("the answer was not judged by baseline \"", Text(baseline_id, 256),
                       "\" but by ", judged.empty() ? "none" : absl::StrJoin(judged, ", ")));
    }
    return answer;
  });
}

absl::StatusOr<int> ScanStore::Remove(absl::Time before, int limit) {
  return pool_.Transact("remove old scans", [&](Transaction& tx) -> absl::StatusOr<int> {
    std::vector<std::string> ids;
    for (const pqxx::row& row : tx.Exec(kOld, Time(before), limit)) ids.push_back(TextOf(row[0]));
    if (ids.empty()) return 0;
    for (const Statement* statement : {&kRemoveAnswers, &kRemoveHosts, &kRemove}) {
      tx.ExecPlanned(*statement, TextArray(ids));
    }
    return static_cast<int>(ids.size());
  });
}

}  // namespace plimsoll::store
