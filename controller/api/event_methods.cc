#include <utility>

#include "controller/api/events.h"
#include "controller/api/methods.h"

namespace plimsoll::api {

void AddEventMethods(MethodTable& table, Events& events) {
  table.AddStream<v1::WatchEventsRequest, v1::Event>(
      {.rpc = "EventService.WatchEvents",
       .permission = access::Permission::kRead,
       .http = "GET /v1/events",
       .resume = "after"},
      [&events](const v1::WatchEventsRequest& request, std::function<void()> changed) {
        return events.Open(request, std::move(changed));
      });
}

}  // namespace plimsoll::api
