// Where those who ask for scans and those who answer them meet.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/store/scan_store.h"
#include "proto/support/clock.h"

namespace plimsoll::scans {

// Creates scans, tells the sessions of this controller of them, tells watchers of progress.
//
// State is in the store, so that any number of boards work on one database: a scan made on one
// controller is heard of on the others (OnScanChanged), which ask the hosts that are connected to
// them; whoever notices first settles deadlines. What a lost notification would have told, Tick
// finds out within a second. A host is asked once a session and scan.
//
// Thread-safe. Callbacks run without the lock held and must not block; all other methods but Watch,
// Unwatch and RemoveSession ask the database.
class ScanBoard {
 public:
  ScanBoard(store::ScanStore& store, const support::Clock& clock);

  // Hosts are resolved to ids already. Sessions here of those hosts are told before this returns.
  absl::StatusOr<v1::Scan> Create(const store::NewScan& scan);
  absl::StatusOr<v1::Scan> Get(const std::string& id);
  absl::StatusOr<v1::Scan> Cancel(const std::string& id);

  // A session of `host_id` began: `ask` is called for each new scan of that host, and now for
  // those it owes an answer to, whoever asked for them and whenever.
  using Ask = std::function<void(const store::PendingScan&)>;
  void AddSession(const std::string& host_id, uint64_t session_id, Ask ask);
  void RemoveSession(const std::string& host_id, uint64_t session_id);

  // Facts that answer these scans were committed, or could not be collected. May be called for many
  // answers at once; ends scans that this was the last answer of.
  void Answered(const std::vector<std::string>& scan_ids);
  void Failed(const std::string& scan_id, const std::string& host_id, const std::string& message);

  // A scan was made or changed, here or on another controller (store::ChangeFeed).
  void OnScanChanged(const std::string& id);

  // `changed` is called whenever scan `id` may have changed, changes that follow closely as one: at
  // most four times a second, once a second when the scan has more than kMostScanHosts hosts; at
  // once when it ends here. Returns a handle for Unwatch.
  uint64_t Watch(const std::string& id, std::function<void()> changed);
  void Unwatch(const std::string& id, uint64_t handle);
  // The scan as of the last call of its watchers, or newer: loaded once for all of them.
  absl::StatusOr<v1::Scan> Observe(const std::string& id);

  // Settles deadlines, asks for scans that nobody told of, tells watchers. Call about once a
  // second.
  void Tick();

 private:
  struct State;
  // Asks the sessions here that owe an answer, once; returns whether any was OFFLINE before.
  bool Learn(const std::string& id);
  // Asks a session for all that its host owes. False: the database did not say what that is.
  bool AskPending(const std::string& host_id, uint64_t session_id, const Ask& ask);
  // The sessions for which AskPending came to nothing.
  void AskAgain();
  void End(const std::vector<std::string>& ids);

  store::ScanStore& store_;
  const support::Clock& clock_;
  const std::shared_ptr<State> state_;
};

}  // namespace plimsoll::scans
