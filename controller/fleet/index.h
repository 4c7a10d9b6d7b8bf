// The fleet's index of one controller: loaded at the start, kept current, shared by all readers.
#pragma once

#include <functional>
#include <map>
#include <memory>
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
#include "controller/policy/policy.h"
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
    // Called on the index's thread with every host that was read again: whoever knows the policy
    // can tell whether it is judged under it (PolicyKeyOf). No lock is held: it may ask the
    // database now and then, as Policy::For does, but must not wait for the index. Null: nobody
    // wants to know.
    std::function<void(const store::HostState& state)> read_again = {};
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

  // From now on these are the active documents: columns are made anew from the database, and take
  // the place of the old ones when they are complete. Blocks, for seconds with 100,000 hosts; one
  // call at a time. Before Load it only takes them over. Documents of ids that are not among them
  // stay: whoever asks for one finds it. Errors as the store's; all stays as it was.
  absl::Status SetDocuments(std::vector<v1::Baseline> documents)
      ABSL_LOCKS_EXCLUDED(mutex_, queue_mutex_);

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

  // Hosts with facts that are judged under another policy than `policy` has for them: ids,
  // ascending and after `after_id`, at most `limit`, and how many there are. Readers and writers
  // are let in every few hundred hosts; may ask the database, as Policy::For does.
  std::vector<std::string> ListOutdated(const policy::Policy& policy, const std::string& after_id,
                                        size_t limit) const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t CountOutdated(const policy::Policy& policy) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Labels of a host; none when it is not known.
  policy::Labels LabelsOf(const std::string& host_id) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `read(const Fleet&)` and returns what it returns, which must not borrow from the fleet.
  // `read` must not wait for anything.
  template <class Reader>
  auto Read(Reader read) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::ReaderMutexLock lock(&mutex_);
    return read(static_cast<const Fleet&>(content_->fleet));
  }

 private:
  // A fleet and the documents it borrows.
  struct Content {
    Content(std::vector<v1::Baseline> given, absl::Duration stale_after)
        : documents(std::move(given)), fleet(documents, stale_after) {}
    const std::vector<v1::Baseline> documents;
    Fleet fleet;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_, queue_mutex_);
  // Calls `visit(id)` for those hosts, without the lock, until it returns false.
  template <class Visit>
  void VisitOutdated(const policy::Policy& policy, std::string after_id, Visit visit) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LookForChanges() ABSL_LOCKS_EXCLUDED(queue_mutex_);
  absl::Status ReadAgain(const std::vector<std::string>& ids) ABSL_LOCKS_EXCLUDED(mutex_);
  // Documents of these digests; one that is not stored is left out, and noted in `lost`.
  absl::StatusOr<std::vector<v1::Baseline>> Fetch(const std::vector<std::string>& digests,
                                                  absl::flat_hash_set<std::string>& lost);
  // Fetches documents that `state` was judged under and the fleet does not know; one that is not
  // stored leaves the host without a report.
  absl::Status LearnDocuments(const store::HostState& state) ABSL_LOCKS_EXCLUDED(mutex_);

  store::FleetStore& store_;
  store::ReportStore& reports_;
  const support::Clock& clock_;
  const Options options_;

  mutable absl::Mutex mutex_;
  std::unique_ptr<Content> content_ ABSL_GUARDED_BY(mutex_);
  // Load is done.
  bool loaded_ ABSL_GUARDED_BY(mutex_) = false;

  // Of the thread, and of Load before it.
  store::Moment moment_;
  absl::flat_hash_set<std::string> lost_documents_;

  absl::Mutex queue_mutex_;
  // Hosts to read again: at once, and when there is time.
  absl::flat_hash_set<std::string> changed_ ABSL_GUARDED_BY(queue_mutex_);
  absl::flat_hash_set<std::string> silent_ ABSL_GUARDED_BY(queue_mutex_);
  bool behind_ ABSL_GUARDED_BY(queue_mutex_) = false;
  // Of columns that were loaded beside the thread: it looks for changes from there on.
  store::Moment loaded_at_ ABSL_GUARDED_BY(queue_mutex_) = store::kNever;
  bool stopped_ ABSL_GUARDED_BY(queue_mutex_) = false;
  // Announcements, and how many of them are read for certain.
  uint64_t announced_ ABSL_GUARDED_BY(queue_mutex_) = 0;
  uint64_t settled_ ABSL_GUARDED_BY(queue_mutex_) = 0;
  std::thread thread_;
};

}  // namespace plimsoll::fleet
