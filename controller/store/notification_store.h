// Notification channels, the events they wait for, and what was sent.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/notification_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// A channel with output-only members, and its secret as the caller encrypted it; empty: none.
struct StoredChannel {
  v1::NotificationChannel channel;
  std::string sealed_secret;
};

// One delivery that is this controller's to try now.
struct DueDelivery {
  std::string id;
  // Attempts before this one.
  int attempts = 0;
  absl::Time created;
  StoredChannel channel;
  v1::Notification notification;
};

// What became of an attempt.
struct Attempt {
  std::string delivery_id;
  absl::Time time;
  // SENT, FAILED, or PENDING with the time of the next one.
  v1::NotificationDelivery::State state = v1::NotificationDelivery::PENDING;
  absl::Time next = absl::InfiniteFuture();
  // For people; empty: nothing was wrong.
  std::string error;
};

// Which deliveries, and where the page begins.
struct DeliveryQuery {
  // Empty: all.
  std::string channel_id;
  // Of the last delivery of the page before; InfiniteFuture: from the newest.
  absl::Time before = absl::InfiniteFuture();
  std::string before_id;
  int limit = 100;
};

// Thread-safe; errors as in store.h. Any number of controllers work on one database: each event
// reaches each channel once, each delivery is tried by one controller at a time.
class NotificationStore {
 public:
  explicit NotificationStore(ConnectionPool& pool) : pool_(pool) {}

  // Members that a person can set, id, create_time and created_by are taken over. ALREADY_EXISTS:
  // the name is taken; FAILED_PRECONDITION: there are 100 channels.
  absl::StatusOr<v1::NotificationChannel> Create(const StoredChannel& channel);
  // By id, else by name. NOT_FOUND.
  absl::StatusOr<StoredChannel> Get(const std::string& id_or_name);
  // By name.
  absl::StatusOr<std::vector<StoredChannel>> List();
  // As ScheduleStore::Update.
  absl::StatusOr<v1::NotificationChannel> Update(
      const std::string& id, const std::function<absl::Status(StoredChannel&)>& change);
  // NOT_FOUND.
  absl::Status Delete(const std::string& id);

  // Notes hosts that fell silent before `stale_before` and those heard of again, scans that ended,
  // and waivers that end within a week; once each, whichever controller asks.
  absl::Status NoteWhatTimeBrings(absl::Time stale_before, absl::Time now);
  // Gives at most `limit` noted events, oldest first, to the channels that `wanted` says, and
  // forgets them. False: there are none, or it is another controller's turn.
  absl::StatusOr<bool> Distribute(
      int limit,
      const std::function<bool(const v1::NotificationEvent&, const v1::NotificationChannel&)>&
          wanted);
  // For every channel whose window is over at `now`: makes of its events, oldest first, what
  // `compose` returns, a delivery that is due at once. Nothing when it has no groups. What is more
  // than 20,000 events is left to the next call.
  absl::Status PutTogether(
      absl::Time now,
      const std::function<v1::Notification(const v1::NotificationChannel&,
                                           const std::vector<v1::NotificationEvent>&)>& compose);

  // Takes deliveries that are due and whose channel is not paused; nobody else gets them before
  // `now` + `lease`.
  absl::StatusOr<std::vector<DueDelivery>> Take(absl::Time now, absl::Duration lease, int limit);
  // Does nothing when the delivery is gone.
  absl::Status Finish(const Attempt& attempt);
  // A delivery that was tried already (a test).
  absl::StatusOr<v1::NotificationDelivery> Add(const std::string& channel_id,
                                               const v1::Notification& notification,
                                               const Attempt& attempt);
  // Due again at once. NOT_FOUND; FAILED_PRECONDITION: it was sent.
  absl::StatusOr<v1::NotificationDelivery> Retry(const std::string& delivery_id, absl::Time now);
  // Newest first.
  absl::StatusOr<std::vector<v1::NotificationDelivery>> ListDeliveries(const DeliveryQuery& query);
  // Forgets deliveries made before `before` that wait for nothing.
  absl::Status RemoveDeliveries(absl::Time before);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
