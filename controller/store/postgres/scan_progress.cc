#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "controller/store/postgres/announce.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/scan_rows.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/scan_store.h"

namespace plimsoll::store {
namespace {

constexpr Statement kRunning = {"scans_running",
                                "SELECT id FROM scan WHERE ended IS NULL ORDER BY created, id"};
constexpr Statement kScan = {
    "scans_open", "SELECT micros(deadline), targeted FROM scan WHERE id = $1 AND ended IS NULL"};
constexpr Statement kOpenHosts = {
    "scans_open_hosts",
    "SELECT host_id, state FROM scan_host WHERE scan_id = $1 AND state IN (1, 2)"};
constexpr Statement kPending = {
    "scans_pending",
    "WITH owed AS ("
    "  SELECT sh.scan_id, s.deadline, s.created FROM scan_host sh JOIN scan s ON s.id = sh.scan_id"
    "  WHERE sh.host_id = $1 AND sh.state IN (1, 2) AND s.ended IS NULL),"
    " marked AS ("
    "  UPDATE scan_host SET state = 2 FROM owed WHERE scan_host.host_id = $1"
    "  AND scan_host.scan_id = owed.scan_id AND scan_host.state = 1 RETURNING scan_host.scan_id)"
    " SELECT owed.scan_id, micros(owed.deadline), marked.scan_id IS NOT NULL"
    " FROM owed LEFT JOIN marked ON marked.scan_id = owed.scan_id ORDER BY owed.created, "
    "owed.scan_id"};
constexpr Statement kRequested = {
    "scans_requested",
    "UPDATE scan_host SET state = 2 WHERE scan_id = $1 AND host_id = ANY($2::text[])"
    " AND state = 1"};
constexpr Statement kFailed = {"scans_failed",
                               "UPDATE scan_host SET state = 4, message = $3"
                               " WHERE scan_id = $1 AND host_id = $2 AND state IN (1, 2)"};
constexpr Statement kAsks = {"scans_asks",
                             "SELECT FROM scan_host WHERE scan_id = $1 AND host_id = $2"};
// A row that is locked is being answered right now: it is settled the next time.
constexpr Statement kMiss = {
    "scans_miss",
    "WITH due AS ("
    "  SELECT sh.host_id, sh.scan_id FROM scan s JOIN scan_host sh ON sh.scan_id = s.id"
    "  WHERE s.ended IS NULL AND s.deadline <= $1::timestamptz AND sh.state IN (1, 2)"
    "  FOR UPDATE OF sh SKIP LOCKED),"
    " missed AS ("
    "  UPDATE scan_host SET state = 5 FROM due WHERE scan_host.host_id = due.host_id"
    "  AND scan_host.scan_id = due.scan_id RETURNING due.scan_id)"
    " SELECT DISTINCT scan_id FROM missed"};
constexpr Statement kFinish = {
    "scans_finish",
    "UPDATE scan SET state = 2, ended = $1 WHERE ended IS NULL AND NOT EXISTS ("
    "  SELECT FROM scan_host WHERE scan_id = scan.id AND state IN (1, 2))"
    " RETURNING id"};
constexpr Statement kFinishThese = {
    "scans_finish_these",
    "UPDATE scan SET state = 2, ended = $1 WHERE ended IS NULL AND id = ANY($2::text[])"
    " AND NOT EXISTS (SELECT FROM scan_host WHERE scan_id = scan.id AND state IN (1, 2))"
    " RETURNING id"};
constexpr Statement kCancel = {
    "scans_cancel",
    "UPDATE scan SET state = 3, ended = $2 WHERE id = $1 AND ended IS NULL RETURNING id"};
// Waits for answers that are being written; they count.
constexpr Statement kMissRest = {
    "scans_miss_rest",
    "UPDATE scan_host SET state = 5, message = 'the scan was cancelled'"
    " WHERE scan_id = $1 AND state IN (1, 2)"};

// A deadlock with hosts that answer several scans at once is nobody's fault.
constexpr int kAttempts = 5;

std::vector<std::string> IdsOf(const pqxx::result& rows) {
  std::vector<std::string> ids;
  for (const pqxx::row& row : rows) ids.push_back(TextOf(row[0]));
  return ids;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ScanStore::ListRunning() {
  return pool_.Transact("list running scans",
                        [](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
                          return IdsOf(tx.Exec(kRunning));
                        });
}

absl::StatusOr<OpenScan> ScanStore::GetOpen(const std::string& id) {
  return pool_.Transact("get a running scan", [&id](Transaction& tx) -> absl::StatusOr<OpenScan> {
    OpenScan open;
    const pqxx::result scan = tx.Exec(kScan, Text(id));
    if (scan.empty()) return open;
    open.running = true;
    open.deadline = TimeOf(scan[0][0]);
    open.targeted = scan[0][1].as<int>();
    for (const pqxx::row& row : tx.Exec(kOpenHosts, Text(id))) {
      const bool asked = row[1].as<int>() == v1::ScanHost::REQUESTED;
      (asked ? open.requested : open.offline).push_back(TextOf(row[0]));
    }
    return open;
  });
}

absl::StatusOr<std::vector<PendingScan>> ScanStore::TakePending(const std::string& host_id) {
  return pool_.Transact("list pending scans",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<PendingScan>> {
                          std::vector<PendingScan> pending;
                          std::vector<std::string> changed;
                          for (const pqxx::row& row : tx.Exec(kPending, host_id)) {
                            pending.push_back({TextOf(row[0]), TimeOf(row[1])});
                            if (row[2].as<bool>()) changed.push_back(pending.back().scan_id);
                          }
                          AnnounceScans(tx, changed);
                          return pending;
                        });
}

absl::Status ScanStore::MarkRequested(const std::string& scan_id,
                                      const std::vector<std::string>& host_ids) {
  if (host_ids.empty()) return absl::OkStatus();
  return pool_.Transact("mark a scan requested", [&](Transaction& tx) -> absl::Status {
    if (tx.ExecPlanned(kRequested, Text(scan_id), TextArray(host_ids)).affected_rows() > 0) {
      AnnounceScans(tx, {Text(scan_id)});
    }
    return absl::OkStatus();
  });
}

absl::Status ScanStore::MarkFailed(const std::string& scan_id, const std::string& host_id,
                                   const std::string& message) {
  return pool_.Transact("mark a scan failed", [&](Transaction& tx) -> absl::Status {
    const std::string id = Text(scan_id, 256);
    if (tx.Exec(kFailed, id, host_id, Text(message, 512)).affected_rows() > 0) {
      AnnounceScans(tx, {id});
    } else if (tx.Exec(kAsks, id, host_id).empty()) {
      return absl::NotFoundError(
          absl::StrCat("scan \"", id, "\" does not ask host \"", Text(host_id, 256), "\""));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> ScanStore::Finish(const std::vector<std::string>& ids,
                                                           absl::Time now) {
  if (ids.empty()) return std::vector<std::string>();
  return pool_.Transact("finish scans",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
                          const std::vector<std::string> ended =
                              IdsOf(tx.Exec(kFinishThese, Time(now), TextArray(ids)));
                          RecordOutcomes(tx, ended);
                          return ended;
                        });
}

absl::StatusOr<std::vector<std::string>> ScanStore::Settle(absl::Time now) {
  return pool_.Transact("settle scans",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
                          std::set<std::string> changed;
                          for (const std::string& id : IdsOf(tx.Exec(kMiss, Time(now)))) {
                            changed.insert(id);
                          }
                          const std::vector<std::string> ended = IdsOf(tx.Exec(kFinish, Time(now)));
                          RecordOutcomes(tx, ended);
                          changed.insert(ended.begin(), ended.end());
                          AnnounceScans(tx, {changed.begin(), changed.end()});
                          return std::vector<std::string>(changed.begin(), changed.end());
                        });
}

absl::StatusOr<v1::Scan> ScanStore::Cancel(const std::string& id, absl::Time now) {
  absl::StatusOr<v1::Scan> scan;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    scan = pool_.Transact("cancel a scan", [&](Transaction& tx) -> absl::StatusOr<v1::Scan> {
      if (!tx.Exec(kCancel, Text(id), Time(now)).empty()) {
        tx.Exec(kMissRest, Text(id));
        RecordOutcomes(tx, {Text(id)});
      }
      return LoadScan(tx, id);
    });
    if (!absl::IsAborted(scan.status())) break;
  }
  return scan;
}

}  // namespace plimsoll::store
