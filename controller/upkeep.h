// What a controller does to its database by itself, now and then. Blocking; failures are logged and
// left to the next time.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "controller/access/activity_log.h"
#include "controller/config.h"
#include "controller/store/store.h"
#include "proto/support/clock.h"

namespace plimsoll::controller {

// What the tasks work with. Borrows all.
struct UpkeepParts {
  const Config& config;
  store::Store& store;
  access::ActivityLog& activity;
  const support::Clock& clock;
  // Of this start of this controller.
  const std::string& id;
};

// Ends the sessions of controllers that are silent for --controller-timeout.
void ExpireControllers(const UpkeepParts& parts);
// Takes hosts not seen for --remove-after out of the fleet.
void RemoveUnseen(const UpkeepParts& parts);
// Drops history and scans that ended longer ago than --keep-history, and activity older than
// --keep-activity.
void RetainHistory(const UpkeepParts& parts);
void RetainActivity(const UpkeepParts& parts);

// Logs what went wrong; nothing when it is OK.
void Warn(const char* what, const absl::Status& status);

}  // namespace plimsoll::controller
