// NotificationService, free of transport. See api.h.
#pragma once

#include "absl/status/statusor.h"
#include "controller/notify/notifier.h"
#include "controller/policy/policy_book.h"
#include "controller/store/store.h"
#include "plimsoll/v1/notification_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// Thread-safe. Borrows all.
class Notifications {
 public:
  Notifications(store::Store& store, notify::Notifier& notifier, const policy::PolicyBook& book,
                const support::Clock& clock)
      : store_(store), notifier_(notifier), book_(book), clock_(clock) {}
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
  // Whether `wanted` brings a secret that is not the one that is kept.
  bool IsNewSecret(const v1::NotificationChannel& wanted, const store::StoredChannel& stored) const;

  store::Store& store_;
  notify::Notifier& notifier_;
  const policy::PolicyBook& book_;
  const support::Clock& clock_;
};

}  // namespace plimsoll::api
