// The fleet's index of one controller: loaded at the start, kept current, shared by all readers.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/fleet/fleet.h"
#include "controller/store/fleet_store.h"
#include "controller/store/report_store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::fleet {

// Whatever changes a host, here or on another controller, comes in as its id; one thread of the
// index reads those hosts again from the database, many at a time. So there is one path, its order
// does not matter, and a change announced twice does no harm.
//
// Thread-safe. Readers share a lock that writers hold for a few hosts at a time, well under a
// millisecond.
class FleetIndex {
 public:
  struct Options {
    // See Fleet.
    absl::Duration stale_after = absl::Minutes(15);
    // Called on the index's thread when a host that changed turns out to be removed, revoked or
    // quarantined, whichever controller did that: its session here must end. Idempotent; null:
    // nobody wants to know.
    std::function<void(const std::string& host_id)> unwelcome = {};
    // Called when these hosts can be read as they have become, on the thread that made them so.
    // Must not block; null: nobody wants to know.
    std::function<void(const std::vector<std::string>& host_ids)> shown = {};
  };
  // Borrows all; `baselines` are the active documents.
  FleetIndex(store::FleetStore& fleet, store::ReportStore& reports,
             const std::vector<v1::Baseline>& baselines, const support::Clock& clock,
             Options options);
  // Stops the thread.
  ~FleetIndex();
  FleetIndex(const FleetIndex&) = delete;

  // Reads every host, and starts to follow changes; blocks for seconds with 100,000 hosts. Once,
  // before anything reads. Changes since are not missed: CatchUp finds them. Errors as the store's.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mutex_, queue_mutex_);

  // These hosts changed. Never blocks for long.
  void Changed(const std::vector<std::string>& host_ids) ABSL_LOCKS_EXCLUDED(queue_mutex_);
  // Changes may have been missed: looks for hosts that changed since the last time.
  void CatchUp() ABSL_LOCKS_EXCLUDED(queue_mutex_);
  // When hosts of this controller's own sessions were last heard of, ahead of the database.
  void Seen(const std::map<std::string, absl::Time>& last_seen) ABSL_LOCKS_EXCLUDED(mutex_);
  // Judges who is stale. Call about once a second.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_, queue_mutex_);

  // Waits until all that was announced before the call can be read, at most `timeout`. False: not
  // yet.
  bool Await(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(queue_mutex_);

  // Calls `read(const Fleet&)` and returns what it returns, which must not borrow from the fleet.
  // `read` must not wait for anything.
  template <class Reader>
  auto Read(Reader read) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    return read(static_cast<const Fleet&>(fleet_));
  }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_, queue_mutex_);
  absl::Status LookForChanges() ABSL_LOCKS_EXCLUDED(queue_mutex_);
  absl::Status ReadAgain(const std::vector<std::string>& ids) ABSL_LOCKS_EXCLUDED(mutex_);
  // Fetches documents that `state` was judged under and the fleet does not know; one that is not
  // stored leaves the host without a report.
  absl::Status LearnDocuments(const store::HostState& state) ABSL_LOCKS_EXCLUDED(mutex_);

  store::FleetStore& store_;
  store::ReportStore& reports_;
  const support::Clock& clock_;
  const Options options_;

  mutable absl::Mutex mutex_;
  Fleet fleet_ ABSL_GUARDED_BY(mutex_);

  // Of the thread, and of Load before it.
  store::Moment moment_;
  absl::flat_hash_set<std::string> lost_documents_;

  absl::Mutex queue_mutex_;
  // Hosts to read again: at once, and when there is time.
  absl::flat_hash_set<std::string> changed_ ABSL_GUARDED_BY(queue_mutex_);
  absl::flat_hash_set<std::string> silent_ ABSL_GUARDED_BY(queue_mutex_);
  bool behind_ ABSL_GUARDED_BY(queue_mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(queue_mutex_) = false;
  // Announcements, and how many of them are read for certain.
  uint64_t announced_ ABSL_GUARDED_BY(queue_mutex_) = 0;
  uint64_t settled_ ABSL_GUARDED_BY(queue_mutex_) = 0;
  std::thread thread_;
};

}  // namespace plimsoll::fleet
