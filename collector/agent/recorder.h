// Observing the host, whether or not a controller listens.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "collector/agent/pace.h"
#include "collector/agent/sight.h"
#include "collector/spool/spool.h"
#include "collector/tracker/tracker.h"
#include "plimsoll/v1/plan.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::agent {

// Collects when the host changed, when the interval is over, when a scan asks and when the plan
// changed, and puts what differs into the spool. A thread of its own, asleep unless one of these is
// due. All methods may be called from any thread.
class Recorder {
 public:
  struct Options {
    // Time between full collections; a plan can shorten it.
    absl::Duration interval = absl::Minutes(5);
    // Where the controller's plan is kept, so that a restart does not take back what it asks for;
    // empty: nowhere.
    std::string plan_file;
    // A host that never had a plan waits this long for its first before it uses the offline one.
    absl::Duration first_plan_wait = absl::Seconds(5);
    // Called after each full collection, on the recorder's thread.
    std::function<void()> after_full;
  };

  // Begins at once. Borrows `spool` and `clock`.
  Recorder(std::unique_ptr<Sight> sight, spool::Spool& spool, const support::Clock& clock,
           Options options);
  // As Stop.
  ~Recorder();

  // Lets the collection under way finish, records it, and ends. RequestStop does not wait for that.
  void RequestStop() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // `listener` is called after everything new in the spool or among the answers; it must not block
  // or call the recorder. Null: nobody; no call is under way when this returns.
  void Listen(std::function<void()> listener) ABSL_LOCKS_EXCLUDED(listener_mutex_);

  // The plan to follow from now on. One with the digest of the last changes nothing.
  void SetPlan(const v1::CollectionPlan& plan) ABSL_LOCKS_EXCLUDED(mutex_);

  // Wants a collection that begins after this call; scans that wait share one. False: too many
  // wait.
  bool Scan(const std::string& scan_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // A scan whose collection found nothing new: answered once `after_sequence` is acknowledged.
  struct Answered {
    std::string scan_id;
    uint64_t after_sequence = 0;
  };
  // Answers since the last call.
  std::vector<Answered> TakeAnswered() ABSL_LOCKS_EXCLUDED(mutex_);

  // Watched changes are collected at most this often a minute, together if need be; 0: no limit.
  void LimitRate(int per_minute) ABSL_LOCKS_EXCLUDED(mutex_);

  // Wants everything unacknowledged to become one full snapshot, as Spool::Collapse.
  void RequestSnapshot(uint64_t acknowledged_sequence) ABSL_LOCKS_EXCLUDED(mutex_);

  // The engine's ID as last collected; empty: not known.
  std::string engine_id() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What to do next.
  struct Work {
    v1::CollectionPlan plan;
    std::vector<std::string> scan_ids;
    bool full = false;
    std::optional<uint64_t> snapshot;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Sleeps until something is due. False: stopped.
  bool Await(Work& work) ABSL_LOCKS_EXCLUDED(mutex_);
  void Collect(const Work& work, const sources::Scope& scope) ABSL_LOCKS_EXCLUDED(mutex_);
  void Notify() ABSL_LOCKS_EXCLUDED(listener_mutex_);
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

  spool::Spool& spool_;
  const support::Clock& clock_;
  const Options options_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool plan_changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<uint64_t> snapshot_wanted_ ABSL_GUARDED_BY(mutex_);
  v1::CollectionPlan plan_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> scan_ids_ ABSL_GUARDED_BY(mutex_);
  std::vector<Answered> answered_ ABSL_GUARDED_BY(mutex_);
  Rate rate_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_full_ ABSL_GUARDED_BY(mutex_);
  std::string engine_id_ ABSL_GUARDED_BY(mutex_);

  absl::Mutex listener_mutex_;
  std::function<void()> listener_ ABSL_GUARDED_BY(listener_mutex_);

  // The thread's own.
  tracker::Tracker tracker_;
  v1::HostFacts facts_;
  absl::Time quiet_until_;
  std::thread thread_;
  // Its `wake` needs all of the above; ends before them.
  std::unique_ptr<Sight> sight_;
};

}  // namespace plimsoll::agent
