// Hosts of the fleet.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/store/enrollment_store.h"
#include "controller/store/report_store.h"
#include "plimsoll/v1/host_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// What a collector says of itself when it opens a session.
struct SessionStart {
  std::string host_id;
  // The controller that has the session (ControllerStore::Beat), and its name for people.
  std::string controller_id;
  std::string hostname;
  std::string collector_version;
  std::string engine_id;
  std::string boot_id;
  std::map<std::string, std::string> labels;
  absl::Duration clock_skew;
  // Of the certificate presented. No serial: not known, in tests.
  absl::Time certificate_not_before;
  std::string certificate_serial;
  absl::Time time;
};

// A session that began.
struct SessionLease {
  // Named by every write of the session; see Evaluation::session_epoch.
  int64_t epoch = 0;
  StreamState stream;
  // Who signed the certificate presented, and the bundle that came with it.
  CertificateTrust trust;
};

// When the host of a session was last heard of.
struct SessionSeen {
  // Of the session's lease.
  int64_t epoch = 0;
  absl::Time time;
};

// What becomes of the central labels of some hosts.
struct LabelChange {
  std::map<std::string, std::string> set;
  std::vector<std::string> remove;
  // Of what is set; empty: nobody's.
  std::string managed_by;
  // Nothing is changed.
  bool validate_only = false;
};

// A host whose central labels change.
struct LabeledHost {
  v1::Host before;
  // The same with labels, central labels and their managers as they become.
  v1::Host after;
};

// Thread-safe; errors as in store.h. Changes are announced to all controllers (change_feed.h) in
// the same transaction.
class HostStore {
 public:
  explicit HostStore(ConnectionPool& pool) : pool_(pool) {}

  // By id, else by unique host name, with connection state and counts by baseline filled in; a
  // revoked host leaves its name to its successor, a removed one is found by id only. NOT_FOUND;
  // FAILED_PRECONDITION lists the ids when a name is not unique.
  absl::StatusOr<v1::Host> Get(const std::string& id_or_name);

  // A session begins: state, labels and versions are taken over, an earlier session is fenced off.
  // Two machines with one identity are quarantined here: the host comes back with a boot id it had
  // before its current one, or with a certificate older than one it has used (a cloned or restored
  // disk). NOT_FOUND: no such host; PERMISSION_DENIED: revoked or removed; FAILED_PRECONDITION:
  // quarantined, now or before, with the reason.
  absl::StatusOr<SessionLease> BeginSession(const SessionStart& start);
  // `last_heard` moves the last-seen time, never back. Does nothing when a later session has the
  // lease. NOT_FOUND.
  absl::Status EndSession(const std::string& host_id, int64_t epoch, absl::Time last_heard);
  // Last-seen times of hosts, by id, in one statement; never moves one back. Returns the hosts
  // whose session does not have the lease any more: theirs stay. One that is being written at this
  // moment is passed over, lease or not.
  absl::StatusOr<std::vector<std::string>> Touch(const std::map<std::string, SessionSeen>& seen);

  // As HostService.RemoveHost. NOT_FOUND. Idempotent.
  absl::Status Remove(const std::string& host_id, const std::string& reason, absl::Time now);
  // Removes every host without a session last seen (or, never seen, enrolled) before `before`;
  // returns their ids.
  absl::StatusOr<std::vector<std::string>> RemoveUnseen(absl::Time before,
                                                        const std::string& reason, absl::Time now);
  // Ends a quarantine and forgets the evidence. NOT_FOUND; FAILED_PRECONDITION: not quarantined.
  absl::Status Release(const std::string& host_id);

  // Changes central labels of these hosts, and returns those that change, by id; ids that there are
  // not are passed over. `check` is called with each of the hosts, changed or not, under their
  // locks; its error is returned and changes nothing.
  absl::StatusOr<std::vector<LabeledHost>> SetLabels(
      const std::vector<std::string>& host_ids, const LabelChange& change,
      const std::function<absl::Status(const LabeledHost&)>& check);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
