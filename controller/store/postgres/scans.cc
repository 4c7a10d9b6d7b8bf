#include <google/protobuf/repeated_field.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/scan_store.h"

namespace plimsoll::store {
namespace {

// States are the numbers of v1::Scan::State and v1::ScanHost::State: 1 OFFLINE, 2 REQUESTED,
// 3 EVALUATED, 4 FAILED, 5 MISSED; a host is open in the first two.

// Requests with one key queue up, so that the second sees the first's scan.
constexpr Statement kLockKey = {"scans_lock_key",
                                "SELECT pg_advisory_xact_lock(7245107, hashtext($1))"};
constexpr Statement kByKey = {
    "scans_by_key",
    "SELECT id, request_digest FROM scan WHERE idempotency_key = $1 AND idempotency_key <> ''"
    " AND created > $2::timestamptz - interval '24 hours' ORDER BY created DESC LIMIT 1"};
constexpr Statement kCreate = {
    "scans_create",
    "INSERT INTO scan (id, state, created_by, idempotency_key, request_digest, created, deadline)"
    " VALUES ($1, 1, $2, $3, $4, $5, $6)"};
constexpr Statement kAddHosts = {
    "scans_add_hosts",
    "INSERT INTO scan_host (host_id, scan_id, state, message)"
    " SELECT id, $1, CASE WHEN revoked IS NOT NULL THEN 4 WHEN connected THEN 2 ELSE 1 END,"
    " CASE WHEN revoked IS NOT NULL THEN 'the host is revoked' ELSE '' END"
    " FROM host WHERE id = ANY($2::text[])"};
constexpr Statement kGet = {
    "scans_get",
    "SELECT id, state, micros(created), micros(deadline), micros(ended), created_by FROM scan"
    " WHERE id = $1"};
constexpr Statement kHosts = {
    "scans_hosts",
    "SELECT s.host_id, h.hostname, s.state, s.message FROM scan_host s"
    " JOIN host h ON h.id = s.host_id WHERE s.scan_id = $1 ORDER BY h.hostname, h.id"};
constexpr Statement kPending = {
    "scans_pending",
    "SELECT s.id, micros(s.deadline) FROM scan_host sh JOIN scan s ON s.id = sh.scan_id"
    " WHERE sh.host_id = $1 AND sh.state IN (1, 2) AND s.ended IS NULL ORDER BY s.created, s.id"};
constexpr Statement kRequested = {
    "scans_requested",
    "UPDATE scan_host SET state = CASE WHEN state = 1 THEN 2 ELSE state END"
    " WHERE scan_id = $1 AND host_id = $2"};
constexpr Statement kFailed = {
    "scans_failed",
    "UPDATE scan_host SET state = CASE WHEN state IN (1, 2) THEN 4 ELSE state END,"
    " message = CASE WHEN state IN (1, 2) THEN $3 ELSE message END"
    " WHERE scan_id = $1 AND host_id = $2"};
// A row that is locked is being answered right now: it is settled the next time.
constexpr Statement kMiss = {
    "scans_miss",
    "WITH due AS ("
    "  SELECT sh.host_id, sh.scan_id FROM scan_host sh JOIN scan s ON s.id = sh.scan_id"
    "  WHERE s.ended IS NULL AND s.deadline <= $1::timestamptz AND sh.state IN (1, 2)"
    "  FOR UPDATE OF sh SKIP LOCKED)"
    " UPDATE scan_host SET state = 5 FROM due"
    " WHERE scan_host.host_id = due.host_id AND scan_host.scan_id = due.scan_id"
    " RETURNING due.scan_id"};
constexpr Statement kFinish = {
    "scans_finish",
    "UPDATE scan SET state = 2, ended = $1 WHERE ended IS NULL AND NOT EXISTS ("
    "  SELECT FROM scan_host WHERE scan_id = scan.id AND state IN (1, 2))"
    " RETURNING id"};

absl::Status NoSuchScan(const std::string& id) {
  return absl::NotFoundError(absl::StrCat("no scan \"", Text(id, 256), "\""));
}

void Count(v1::ScanHost::State state, v1::ScanProgress& progress) {
  progress.set_targeted(progress.targeted() + 1);
  switch (state) {
    case v1::ScanHost::OFFLINE:
      return progress.set_offline(progress.offline() + 1);
    case v1::ScanHost::REQUESTED:
      return progress.set_requested(progress.requested() + 1);
    case v1::ScanHost::EVALUATED:
      return progress.set_evaluated(progress.evaluated() + 1);
    case v1::ScanHost::FAILED:
      return progress.set_failed(progress.failed() + 1);
    case v1::ScanHost::MISSED:
      return progress.set_missed(progress.missed() + 1);
    default:
      return;
  }
}

absl::StatusOr<v1::Scan> Load(Transaction& tx, const std::string& id) {
  const pqxx::result rows = tx.Exec(kGet, Text(id));
  if (rows.empty()) return NoSuchScan(id);
  const pqxx::row row = rows[0];
  v1::Scan scan;
  scan.set_id(TextOf(row[0]));
  scan.set_state(static_cast<v1::Scan::State>(row[1].as<int>()));
  *scan.mutable_create_time() = TimestampOf(TimeOf(row[2]));
  *scan.mutable_deadline() = TimestampOf(TimeOf(row[3]));
  if (!row[4].is_null()) *scan.mutable_end_time() = TimestampOf(TimeOf(row[4]));
  scan.set_created_by(TextOf(row[5]));
  scan.mutable_progress();
  for (const pqxx::row& line : tx.Exec(kHosts, scan.id())) {
    v1::ScanHost& host = *scan.add_hosts();
    host.set_host_id(TextOf(line[0]));
    host.set_hostname(TextOf(line[1]));
    host.set_state(static_cast<v1::ScanHost::State>(line[2].as<int>()));
    host.set_message(TextOf(line[3]));
    Count(host.state(), *scan.mutable_progress());
  }
  return scan;
}

}  // namespace

absl::StatusOr<v1::Scan> ScanStore::Create(const NewScan& scan) {
  return pool_.Transact("create a scan", [&scan](Transaction& tx) -> absl::StatusOr<v1::Scan> {
    if (!scan.idempotency_key.empty()) {
      tx.Exec(kLockKey, Text(scan.idempotency_key));
      const pqxx::result known =
          tx.Exec(kByKey, Text(scan.idempotency_key), Time(scan.create_time));
      if (!known.empty()) {
        if (TextOf(known[0][1]) == scan.request_digest) return Load(tx, TextOf(known[0][0]));
        return absl::AlreadyExistsError(
            absl::StrCat("idempotency key \"", Text(scan.idempotency_key, 128),
                         "\" was used for another request, scan ", TextOf(known[0][0])));
      }
    }
    const std::set<std::string> ids(scan.host_ids.begin(), scan.host_ids.end());
    tx.Exec(kCreate, scan.id, Text(scan.created_by), Text(scan.idempotency_key),
            scan.request_digest, Time(scan.create_time), Time(scan.deadline));
    const pqxx::result added = tx.Exec(kAddHosts, scan.id, TextArray({ids.begin(), ids.end()}));
    if (added.affected_rows() != ids.size()) {
      return absl::NotFoundError(
          absl::StrCat(ids.size() - added.affected_rows(), " of the hosts to scan do not exist"));
    }
    return Load(tx, scan.id);
  });
}

absl::StatusOr<v1::Scan> ScanStore::Get(const std::string& id) {
  return pool_.Transact("get a scan", [&id](Transaction& tx) { return Load(tx, id); });
}

absl::StatusOr<std::vector<PendingScan>> ScanStore::PendingForHost(const std::string& host_id) {
  return pool_.Transact("list pending scans",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<PendingScan>> {
                          std::vector<PendingScan> pending;
                          for (const pqxx::row& row : tx.Exec(kPending, host_id)) {
                            pending.push_back({TextOf(row[0]), TimeOf(row[1])});
                          }
                          return pending;
                        });
}

absl::Status ScanStore::MarkRequested(const std::string& scan_id, const std::string& host_id) {
  return pool_.Transact("mark a scan requested", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kRequested, Text(scan_id), host_id).affected_rows() == 0) {
      return NoSuchScan(scan_id);
    }
    return absl::OkStatus();
  });
}

absl::Status ScanStore::MarkFailed(const std::string& scan_id, const std::string& host_id,
                                   const std::string& message) {
  return pool_.Transact("mark a scan failed", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kFailed, Text(scan_id), host_id, Text(message, 512)).affected_rows() == 0) {
      return NoSuchScan(scan_id);
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> ScanStore::Settle(absl::Time now) {
  return pool_.Transact("settle scans",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
                          std::set<std::string> changed;
                          for (const Statement* statement : {&kMiss, &kFinish}) {
                            for (const pqxx::row& row : tx.Exec(*statement, Time(now))) {
                              changed.insert(TextOf(row[0]));
                            }
                          }
                          return std::vector<std::string>(changed.begin(), changed.end());
                        });
}

}  // namespace plimsoll::store
