// NotificationService, free of transport. See api.h.
#pragma once

#include "absl/status/statusor.h"
#include "controller/notify/notifier.h"
#include "controller/store/store.h"
#include "plimsoll/v1/notification_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// Thread-safe. Borrows all.
class Notifications {
 public:
  Notifications(store::Store& store, notify::Notifier& notifier, const support::Clock& clock)
      : store_(store), notifier_(notifier), clock_(clock) {}
  absl::StatusOr<v1::NotificationChannel> Create(
      const store::Principal& who, const v1::CreateNotificationChannelRequest& request);
  absl::StatusOr<v1::NotificationChannel> Get(const store::Principal& who,
                                              const v1::GetNotificationChannelRequest& request);
  absl::StatusOr<v1::ListNotificationChannelsResponse> List(
      const store::Principal& who, const v1::ListNotificationChannelsRequest& request);
  absl::StatusOr<v1::NotificationChannel> Update(
      const store::Principal& who, const v1::UpdateNotificationChannelRequest& request);
  absl::StatusOr<v1::DeleteNotificationChannelResponse> Delete(
      const store::Principal& who, const v1::DeleteNotificationChannelRequest& request);
  absl::StatusOr<v1::NotificationDelivery> Test(const store::Principal& who,
                                                const v1::TestNotificationChannelRequest& request);
  absl::StatusOr<v1::ListNotificationDeliveriesResponse> ListDeliveries(
      const store::Principal& who, const v1::ListNotificationDeliveriesRequest& request);
  absl::StatusOr<v1::NotificationDelivery> Retry(
      const store::Principal& who, const v1::RetryNotificationDeliveryRequest& request);

 private:
  store::Store& store_;
  notify::Notifier& notifier_;
  const support::Clock& clock_;
};

}  // namespace plimsoll::api
