// Live changes of the fleet; see api.h for what all handlers have in common.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "controller/api/method.h"
#include "controller/fleet/change_log.h"
#include "controller/fleet/index.h"
#include "controller/policy/policy_book.h"
#include "plimsoll/v1/event_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

class MethodTable;

// Thread-safe. Borrows what it is given.
class Events {
 public:
  Events(const fleet::FleetIndex& index, fleet::ChangeLog& log, const policy::PolicyBook& book,
         const support::Clock& clock)
      : index_(index), log_(log), book_(book), clock_(clock) {}
  // As EventService.WatchEvents. INVALID_ARGUMENT: the selector; RESOURCE_EXHAUSTED.
  absl::StatusOr<std::unique_ptr<Stream>> Open(const v1::WatchEventsRequest& request,
                                               std::function<void()> changed);

 private:
  const fleet::FleetIndex& index_;
  fleet::ChangeLog& log_;
  const policy::PolicyBook& book_;
  const support::Clock& clock_;
};

// Adds the methods of the service. Borrows the handler.
void AddEventMethods(MethodTable& table, Events& events);

}  // namespace plimsoll::api
