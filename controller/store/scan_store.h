// Scans and their hosts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/scan_service.pb.h"
#include "plimsoll/v1/selector.pb.h"

namespace plimsoll::store {

class ConnectionPool;

struct NewScan {
  std::string id;
  std::string created_by;
  // Empty: none.
  std::string idempotency_key;
  // Digest of the request, to tell a repeated key with another request apart.
  std::string request_digest;
  absl::Time create_time;
  absl::Time deadline;
  std::vector<std::string> host_ids;
  // For later readers only: host_ids is what `selector` meant when the scan began.
  v1::HostSelector selector;
  std::string reason;
  // Empty: asked for by somebody.
  std::string schedule_id;
};

// A scan that a host owes an answer to.
struct PendingScan {
  std::string scan_id;
  absl::Time deadline;
};

// A scan and who still owes an answer to it.
struct OpenScan {
  // False: it has ended, or there is none; nothing else is set.
  bool running = false;
  absl::Time deadline;
  // Hosts selected when it began.
  int targeted = 0;
  // In OFFLINE: nobody has asked them yet.
  std::vector<std::string> offline;
  // In REQUESTED.
  std::vector<std::string> requested;
};

// Which scans, and where the page begins.
struct ScanQuery {
  // Empty: any.
  std::vector<v1::Scan::State> states;
  // Empty: any.
  std::string schedule_id;
  // Opaque position from the previous page's `next`; empty: from the newest.
  std::string after;
  int limit = 100;
};
struct ScanPage {
  // Newest first, without hosts.
  std::vector<v1::Scan> scans;
  // Empty: last page.
  std::string next;
};

// Which hosts of a scan, and where the page begins.
struct ScanHostQuery {
  std::string scan_id;
  // Empty: any.
  std::vector<v1::ScanHost::State> states;
  // Name and id of the last host of the previous page; both empty: from the first.
  std::string after_hostname;
  std::string after_id;
  // Only hosts with one of these ids; absent: any.
  std::optional<std::vector<std::string>> only = {};
  int limit = 100;
};

// What one host answered under one baseline; names the evidence.
struct ScanAnswer {
  std::string host_id;
  // Facts of the answer: ReportStore::GetFactsAt.
  uint64_t sequence = 0;
  // 32 raw bytes.
  std::string facts_digest;
  absl::Time observed;
  // Document it was judged by: ReportStore::GetBaseline.
  std::string baseline_digest;
};

// Scans and their hosts by state; states without any are left out.
struct ScanCounts {
  std::map<v1::Scan::State, int64_t> scans;
  std::map<v1::ScanHost::State, int64_t> hosts;
};

// Hosts of Get come along up to this many.
inline constexpr int kMostScanHosts = 1000;

// Thread-safe; errors as in store.h. Every change is announced to all controllers (change_feed.h)
// in the same transaction. EVALUATED is set by ReportStore in the transaction of the facts. No
// method runs more than a few statements, however many hosts a scan has.
class ScanStore {
 public:
  explicit ScanStore(ConnectionPool& pool) : pool_(pool) {}

  // Connected hosts start as REQUESTED, revoked, removed and quarantined ones as FAILED, others as
  // OFFLINE. Hosts that owe an answer to a running scan join it (ScanHost.joined_scan_id).
  // NOT_FOUND: one of the hosts does not exist. The same key (within 24 h) and request: the scan
  // that exists; the same key and another request: ALREADY_EXISTS.
  absl::StatusOr<v1::Scan> Create(const NewScan& scan);
  // NOT_FOUND. Hosts by name as it was when the scan began; none when they are more than
  // kMostScanHosts. Progress and counts of a scan that has ended are read, not counted.
  absl::StatusOr<v1::Scan> Get(const std::string& id);
  // INVALID_ARGUMENT: `after` is not from a page.
  absl::StatusOr<ScanPage> List(const ScanQuery& query);
  // By name, then id. NOT_FOUND: no such scan.
  absl::StatusOr<std::vector<v1::ScanHost>> ListHosts(const ScanHostQuery& query);
  // `scans` as somebody sees them who sees these hosts only: progress, counts, failing and hosts
  // are of those; a scan of none of them is left out. Two statements, however many scans.
  absl::StatusOr<std::vector<v1::Scan>> PartsOf(std::vector<v1::Scan> scans,
                                                const std::vector<std::string>& host_ids);
  // `host` is an id or the name the host had. NOT_FOUND says what there is not: the scan, the host,
  // an answer, or a baseline it was judged by. FAILED_PRECONDITION: a name that is not unique.
  absl::StatusOr<ScanAnswer> GetAnswer(const std::string& scan_id, const std::string& host,
                                       const std::string& baseline_id);

  // Of scans that began at `since` or later.
  absl::StatusOr<ScanCounts> Count(absl::Time since);
  // Ids of scans that have not ended.
  absl::StatusOr<std::vector<std::string>> ListRunning();
  absl::StatusOr<OpenScan> GetOpen(const std::string& id);
  // Running scans this host owes an answer to, oldest first. It is there to be asked: where it was
  // OFFLINE it is REQUESTED from now on.
  absl::StatusOr<std::vector<PendingScan>> TakePending(const std::string& host_id);
  // OFFLINE becomes REQUESTED; any other state stays, hosts the scan does not ask are passed over.
  absl::Status MarkRequested(const std::string& scan_id, const std::vector<std::string>& host_ids);
  // OFFLINE or REQUESTED becomes FAILED; any other state stays. NOT_FOUND: the scan does not ask
  // that host.
  absl::Status MarkFailed(const std::string& scan_id, const std::string& host_id,
                          const std::string& message);

  // Ends those of `ids` that nobody owes an answer to; returns them. Cheap.
  absl::StatusOr<std::vector<std::string>> Finish(const std::vector<std::string>& ids,
                                                  absl::Time now);
  // Hosts of scans past their deadline become MISSED; scans without open hosts become DONE. Returns
  // the ids of scans that changed. Safe to call on every controller at once.
  absl::StatusOr<std::vector<std::string>> Settle(absl::Time now);
  // As ScanService.CancelScan: open hosts become MISSED. NOT_FOUND.
  absl::StatusOr<v1::Scan> Cancel(const std::string& id, absl::Time now);
  // Removes scans that ended before `before`, at most `limit`, with all that belongs to them;
  // returns how many.
  absl::StatusOr<int> Remove(absl::Time before, int limit);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
