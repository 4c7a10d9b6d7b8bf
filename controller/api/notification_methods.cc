#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddNotificationMethods(MethodTable& table, Notifications& notifications) {
  const std::string channels = "/v1/notification-channels";
  const auto spec = [](const std::string& name, const std::string& http,
                       const std::string& body = "") {
    return MethodSpec{"NotificationService." + name, Permission::kPolicy, http, body};
  };
  table.Add(spec("CreateNotificationChannel", "POST " + channels, "channel"), notifications,
            &Notifications::Create);
  table.Add(spec("ListNotificationChannels", "GET " + channels), notifications,
            &Notifications::List);
  table.Add(spec("GetNotificationChannel", "GET " + channels + "/{channel}"), notifications,
            &Notifications::Get);
  // Replaces the whole: what is left out is reset, secrets excepted.
  table.Add(spec("UpdateNotificationChannel", "PUT " + channels + "/{channel.id}", "channel"),
            notifications, &Notifications::Update);
  table.Add(spec("DeleteNotificationChannel", "DELETE " + channels + "/{channel}"), notifications,
            &Notifications::Delete);
  table.Add(spec("TestNotificationChannel", "POST " + channels + "/{channel}/test"), notifications,
            &Notifications::Test);
  table.Add(spec("ListNotificationDeliveries", "GET /v1/notification-deliveries"), notifications,
            &Notifications::ListDeliveries);
  table.Add(spec("RetryNotificationDelivery", "POST /v1/notification-deliveries/{delivery}/retry"),
            notifications, &Notifications::Retry);
}

}  // namespace plimsoll::api
