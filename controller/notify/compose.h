// From events to what one message says.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "controller/fleet/selector.h"
#include "plimsoll/v1/notification_service.pb.h"

namespace plimsoll::notify {

// Events shown of one group; more are only counted. Syslog has a line for each that is shown, and
// one for the rest.
inline constexpr int kMostShown = 100;
inline constexpr int kMostLines = 10'000;

// Whether the channel is about such an event: kind, severity, baseline and the host's labels. A
// selector that cannot be read (it was checked when it was set, but what it names may be gone)
// wants nothing. Pure.
bool Wants(const v1::NotificationEvent& event, const v1::NotificationChannel& channel,
           const fleet::SavedSelectors& saved);

// One message of `events`, oldest first: what failed and recovered within the window, or was stale
// and is back, cancels out; the rest is grouped by kind, baseline and rule. No groups: nothing is
// left to tell. Pure.
v1::Notification Compose(const std::string& id, const v1::NotificationChannel& channel,
                         const std::vector<v1::NotificationEvent>& events, absl::Time now);

// A TEST notification.
v1::Notification ComposeTest(const std::string& id, const v1::NotificationChannel& channel,
                             const std::string& asked_by, absl::Time now);

}  // namespace plimsoll::notify
