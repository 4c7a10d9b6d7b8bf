// Where those who ask for scans and those who answer them meet.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/store/scan_store.h"
#include "proto/support/clock.h"

namespace plimsoll::scans {

// Creates scans, tells sessions of them, tells watchers of progress. State is in the store; this
// holds only who wants to know. Thread-safe. Callbacks run without the lock held and must not
// block.
class ScanBoard {
 public:
  ScanBoard(store::ScanStore& store, const support::Clock& clock);

  // `request` with hosts already resolved to ids. Sessions of those hosts are told before this
  // returns.
  absl::StatusOr<v1::Scan> Create(const store::NewScan& scan);
  absl::StatusOr<v1::Scan> Get(const std::string& id);

  // A session of `host_id` began: `ask` is called for each new scan of that host, and now for
  // pending ones.
  using Ask = std::function<void(const store::PendingScan&)>;
  void AddSession(const std::string& host_id, uint64_t session_id, Ask ask);
  void RemoveSession(const std::string& host_id, uint64_t session_id);

  // Facts that answer these scans were committed, or could not be collected.
  void Answered(const std::vector<std::string>& scan_ids);
  void Failed(const std::string& scan_id, const std::string& host_id, const std::string& message);

  // `changed` is called whenever scan `id` may have changed. Returns a handle for Unwatch.
  uint64_t Watch(const std::string& id, std::function<void()> changed);
  void Unwatch(const std::string& id, uint64_t handle);

  // Settles deadlines; called about once a second by the controller's timer.
  void Tick();

 private:
  struct State;
  store::ScanStore& store_;
  const support::Clock& clock_;
  std::shared_ptr<State> state_;
};

}  // namespace plimsoll::scans
