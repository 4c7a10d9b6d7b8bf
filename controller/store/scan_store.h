// Scans and their hosts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/scan_service.pb.h"

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
};

// A host that owes an answer.
struct PendingScan {
  std::string scan_id;
  absl::Time deadline;
};

// Thread-safe; errors as in store.h. EVALUATED is set by ReportStore in the transaction of the
// facts.
class ScanStore {
 public:
  explicit ScanStore(ConnectionPool& pool) : pool_(pool) {}

  // Connected hosts start as REQUESTED, revoked ones as FAILED, others as OFFLINE. NOT_FOUND: one
  // of the hosts does not exist. The same key (within 24 h) and request: the scan that exists; the
  // same key and another request: ALREADY_EXISTS.
  absl::StatusOr<v1::Scan> Create(const NewScan& scan);
  // NOT_FOUND. Progress is counted, hosts are by name.
  absl::StatusOr<v1::Scan> Get(const std::string& id);
  // Running scans this host has not answered.
  absl::StatusOr<std::vector<PendingScan>> PendingForHost(const std::string& host_id);
  // Host came online: OFFLINE becomes REQUESTED; any other state stays. NOT_FOUND: the scan does
  // not ask that host.
  absl::Status MarkRequested(const std::string& scan_id, const std::string& host_id);
  // OFFLINE or REQUESTED becomes FAILED; any other state stays. NOT_FOUND as above.
  absl::Status MarkFailed(const std::string& scan_id, const std::string& host_id,
                          const std::string& message);
  // Hosts of scans past their deadline become MISSED; scans without open hosts become DONE. Returns
  // the ids of scans that changed.
  absl::StatusOr<std::vector<std::string>> Settle(absl::Time now);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
