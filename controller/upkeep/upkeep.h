// What a controller does to its database by itself, now and then. Blocking; failures are logged and
// left to the next time.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "controller/access/activity_log.h"
#include "controller/config.h"
#include "controller/store/store.h"
#include "proto/support/clock.h"
#include "proto/support/ticker.h"

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
// Has `ticker` do what config asks for: hosts not seen for --remove-after leave the fleet, history
// and activity past their ages are dropped, dead sessions and records of certificates that expired
// long ago are removed. Borrows `parts`.
void AddUpkeep(const UpkeepParts& parts, support::Ticker& ticker);

// Logs what went wrong; nothing when it is OK.
void Warn(const char* what, const absl::Status& status);

}  // namespace plimsoll::controller
