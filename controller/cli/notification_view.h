// Notification channels and deliveries for people.
#pragma once

#include "controller/cli/command.h"
#include "plimsoll/v1/notification_service.pb.h"

namespace plimsoll::cli {

void PrintChannel(const v1::NotificationChannel& channel, Session& session);
// One line a channel.
void PrintChannels(const v1::ListNotificationChannelsResponse& channels, Session& session);
void PrintDelivery(const v1::NotificationDelivery& delivery, Session& session);
// One line a delivery.
void PrintDeliveries(const v1::ListNotificationDeliveriesResponse& deliveries, Session& session);

// "new-failure": a kind of event as options and tables name it.
std::string KindName(v1::NotificationEvent::Kind kind);

}  // namespace plimsoll::cli
