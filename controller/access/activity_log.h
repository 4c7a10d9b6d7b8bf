// Writing down who did what.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "controller/store/activity_store.h"
#include "controller/store/token_store.h"
#include "plimsoll/v1/activity_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::access {

// An entry about what `who` did, the time not set.
v1::Activity ActivityBy(const store::Principal& who, std::string action, std::string object,
                        const absl::Status& outcome = absl::OkStatus());

// Entries of one controller on their way into the chain. One thread writes, many entries at a time.
// Thread-safe.
class ActivityLog {
 public:
  // Borrows both.
  ActivityLog(store::ActivityStore& store, const support::Clock& clock);
  // Writes what is left, trying once.
  ~ActivityLog();
  ActivityLog(const ActivityLog&) = delete;

  // For changes: returns when the entry is in the database. Errors: the store's, after which it is
  // not there and must be recorded again or reported.
  absl::Status Record(v1::Activity entry) ABSL_LOCKS_EXCLUDED(mutex_);

  // For what cannot be asked to wait, such as refusals: written soon, tried again while the
  // database does not answer. Of one actor (or address, when the actor is not known) at most 20
  // entries a minute; the others are counted, and the next entry of that actor, or Sweep, says how
  // many were left out. At most 10,000 wait.
  void Note(v1::Activity entry) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes what was left out of actors that are quiet since. Call about once a minute.
  void Sweep() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until all that was noted before is written, or could not be; at most `timeout`.
  bool Flush(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    v1::Activity entry;
    // Of Record; null: nobody waits.
    std::shared_ptr<absl::Notification> done;
    std::shared_ptr<absl::Status> status;
  };
  // A minute of one actor.
  struct Minute {
    absl::Time begin = absl::InfinitePast();
    int count = 0;
    int64_t left_out = 0;
    // The last one that was left out.
    v1::Activity last;
  };
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells callers of Record how it ended, and takes their entries out of `queue`.
  template <class Queue>
  static void TellWaiting(Queue& queue, const absl::Status& status);
  // Removes what was written or will never be from `batch`.
  absl::Status Write(std::vector<Waiting>& batch);
  void AddLeftOut(Minute& minute) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Push(Waiting waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  store::ActivityStore& store_;
  const support::Clock& clock_;
  absl::Mutex mutex_;
  std::deque<Waiting> queue_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Minute> minutes_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace plimsoll::access
