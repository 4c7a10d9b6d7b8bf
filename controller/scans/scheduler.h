// Starts scans by the clock.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/scans/scan_board.h"
#include "controller/store/schedule_store.h"
#include "plimsoll/v1/selector.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::scans {

// Ids of the hosts that a selector means now, removed and revoked ones left out; empty: none.
// INVALID_ARGUMENT: not a selector, says where; NOT_FOUND: a host that is named does not exist;
// UNAVAILABLE: not known yet, try again.
using HostResolver =
    std::function<absl::StatusOr<std::vector<std::string>>(const v1::HostSelector&)>;

// A run that starts within this time after it should have is not missed: controllers are restarted,
// databases fail over.
inline constexpr absl::Duration kMissedRunGrace = absl::Minutes(5);
// Deadline of a scan whose request or schedule does not say.
inline constexpr absl::Duration kDefaultScanTimeout = absl::Minutes(10);

// When `schedule` fires next after `after`. A pure function of both and the tz database: every
// controller computes the same. Jitter depends on the schedule's id and the time alone, and ends
// before the time after next begins. INVALID_ARGUMENT names the field.
absl::StatusOr<store::NextRun> NextRunOf(const v1::Schedule& schedule, absl::Time after);

// What is to become of a schedule that is due at `now`. Of several times that have come, the newest
// is run, if it is not missed or missed runs are made up once; the others are one SKIPPED run. An
// error leaves the schedule due: hosts are not known yet, or its zone is not on this machine.
absl::StatusOr<store::Firing> Decide(const store::StoredSchedule& stored, absl::Time now,
                                     const HostResolver& resolve);

// Fires what is due. Any number of schedulers, on any number of controllers, work on one database:
// each firing happens once, in one transaction with its scan, or not at all. Thread-safe.
class Scheduler {
 public:
  // `resolve` is called while a schedule is locked, and from the thread of Tick.
  Scheduler(store::ScheduleStore& store, ScanBoard& board, HostResolver resolve,
            const support::Clock& clock);

  // Call about once a second. Failures are logged and tried again at the next tick.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  store::ScheduleStore& store_;
  ScanBoard& board_;
  const HostResolver resolve_;
  const support::Clock& clock_;
  absl::Mutex mutex_;
  // Schedules whose last attempt failed: each is complained of once.
  absl::flat_hash_set<std::string> failing_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::scans
