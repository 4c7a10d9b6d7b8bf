// Hosts of the fleet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/host_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// What a collector says of itself when it opens a session.
struct SessionStart {
  std::string host_id;
  std::string hostname;
  std::string collector_version;
  std::string engine_id;
  std::string boot_id;
  std::map<std::string, std::string> labels;
  absl::Duration clock_skew;
  absl::Time time;
};

// Which hosts, and where the page begins. Empty members select everything.
struct HostQuery {
  std::map<std::string, std::string> labels;
  std::string name_contains;
  // Keyset: only hosts after this (hostname, id).
  std::string after_hostname;
  std::string after_id;
  int limit = 100;
};

// Thread-safe; errors as in store.h.
class HostStore {
 public:
  explicit HostStore(ConnectionPool& pool) : pool_(pool) {}

  // Hosts by (hostname, id), with connection state and counts by baseline filled in.
  absl::StatusOr<std::vector<v1::Host>> List(const HostQuery& query);
  // By id, else by unique host name; a revoked host leaves its name to its successor. NOT_FOUND;
  // FAILED_PRECONDITION lists the ids when a name is not unique.
  absl::StatusOr<v1::Host> Get(const std::string& id_or_name);
  // A session began: state, labels and versions are taken over. NOT_FOUND: no such host;
  // PERMISSION_DENIED: revoked.
  absl::Status BeginSession(const SessionStart& start);
  absl::Status EndSession(const std::string& host_id, absl::Time time);
  // Marks every host disconnected: at start, when no session can exist.
  absl::Status EndAllSessions();
  // Last-seen times, in one statement.
  absl::Status Touch(const std::map<std::string, absl::Time>& last_seen);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
