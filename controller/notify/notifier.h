// Tells channels what happened.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/access/secret_box.h"
#include "controller/fleet/selector.h"
#include "controller/notify/sender.h"
#include "controller/store/notification_store.h"
#include "proto/support/clock.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::notify {

// Deliveries are tried again after 5 s, then after pauses that double, up to an hour; for a day.
inline constexpr absl::Duration kFirstPause = absl::Seconds(5);
inline constexpr absl::Duration kLongestPause = absl::Hours(1);
inline constexpr absl::Duration kGiveUpAfter = absl::Hours(24);
// Deliveries that are done are listed for this long.
inline constexpr absl::Duration kKeepDeliveries = absl::Hours(24 * 30);

// When the attempt after the `attempts`th is due, counted from that.
absl::Duration PauseAfter(int attempts);

// Every controller has one; the database sees to it that each event is told once and each delivery
// is tried by one at a time. Methods may be called from different threads.
class Notifier {
 public:
  // The saved selectors of the moment. Any thread.
  using Selectors = std::function<fleet::SavedSelectors()>;
  // Borrows all but the box.
  Notifier(store::NotificationStore& store, Sender& sender, access::SecretBox box,
           Selectors selectors, const support::Clock& clock, absl::Duration stale_after);

  // Turns what was noted into deliveries. Call about once a second. Failures are logged and tried
  // again.
  void Collect();
  // Takes what is due to threads of its own, a few at a time: a receiver that is slow holds up
  // nobody else for long. Call about once a second.
  void Deliver();
  // Notes stale hosts, ended scans and expiring waivers, forgets old deliveries. Call about every
  // ten seconds.
  void Upkeep();

  // One attempt, now. Returns the delivery it was; errors are the store's only.
  absl::StatusOr<v1::NotificationDelivery> Test(const store::StoredChannel& channel,
                                                const std::string& asked_by);

  const access::SecretBox& box() const { return box_; }

 private:
  void DeliverOne(const store::DueDelivery& delivery);
  // What came of one attempt.
  store::Attempt Try(const store::StoredChannel& channel, const v1::Notification& notification,
                     int attempts, absl::Time created);

  store::NotificationStore& store_;
  Sender& sender_;
  const access::SecretBox box_;
  const Selectors selectors_;
  const support::Clock& clock_;
  const absl::Duration stale_after_;
  std::atomic<int> under_way_{0};
  // Last: its threads use the rest. Attempts under way are waited for.
  support::WorkerPool threads_;
};

}  // namespace plimsoll::notify
