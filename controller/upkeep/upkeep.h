// What a controller does to its database by itself, now and then.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/access/activity_log.h"
#include "controller/store/store.h"
#include "proto/support/clock.h"
#include "proto/support/ticker.h"

namespace plimsoll::upkeep {

// Ages after which things go; zero: never.
struct UpkeepOptions {
  // Hosts that nobody has heard of leave the fleet.
  absl::Duration remove_after;
  // History, by whole months; scans and runs of schedules that ended.
  absl::Duration keep_history;
  absl::Duration keep_activity;
  // Silence after which a controller is dead. Never zero.
  absl::Duration controller_timeout;
  // Sessions of people that are not used. Never zero.
  absl::Duration session_idle;
};

// Thread-safe; its methods block, log what went wrong and leave that to the next time. Each of
// several controllers may do all of it.
class Upkeep {
 public:
  // Borrows the three. Activity is noted as that of `controller`, whose kind, id and name are set.
  Upkeep(store::Store& store, access::ActivityLog& activity, const support::Clock& clock,
         v1::Activity controller, UpkeepOptions options);

  // Has `ticker` do all of the below but Beat, each when it is due. Borrows this.
  void AddTo(support::Ticker& ticker);

  // Says that this controller, called `name`, lives; call it several times within
  // controller_timeout. Ends the sessions of controllers that are silent for too long, once this
  // one has said so for as long without a gap: while the database was away, all were silent.
  void Beat(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void RemoveUnseenHosts();
  // History, scans and runs of schedules.
  void RetainHistory();
  void RetainActivity();
  // Sessions of people that cannot be used any more.
  void RemoveDeadSessions();
  // Records of certificates that nobody can present any more, whatever the clocks say: they expired
  // a month ago.
  void RemoveOldCertificates();

 private:
  void ExpireControllers();
  void RemoveOldScans(absl::Time before);
  v1::Activity Did(const std::string& action, const std::string& object) const;

  store::Store& store_;
  access::ActivityLog& activity_;
  const support::Clock& clock_;
  const v1::Activity controller_;
  const UpkeepOptions options_;
  absl::Mutex mutex_;
  absl::Time last_beat_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Beats have come without a gap from here on.
  absl::Time steady_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

}  // namespace plimsoll::upkeep
