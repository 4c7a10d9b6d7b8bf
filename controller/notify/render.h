// A notification as its receivers read it. All pure; whatever comes from hosts is escaped.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "plimsoll/v1/notification_service.pb.h"

namespace plimsoll::notify {

// Body of a webhook: the notification in the API's own JSON.
std::string WebhookBody(const v1::Notification& notification);

// Value of X-Plimsoll-Signature: "t=<seconds>,v1=<hex HMAC-SHA256 of "<seconds>.<body>">".
std::string Signature(absl::string_view secret, absl::string_view body, absl::Time now);

// A whole message of RFC 5322, lines ended by CR LF: subject, sender, receivers, plain text.
std::string EmailMessage(const v1::Notification& notification, const v1::EmailTarget& target,
                         absl::Time now);

// One event as ArcSight CEF: "CEF:0|Plimsoll|...".
std::string CefLine(const v1::NotificationEvent& event);

// One event as OCSF JSON on one line: Compliance Finding (2003) of a rule, else Base Event (0).
std::string OcsfLine(const v1::NotificationEvent& event, absl::Time now);

// RFC 5424 messages, one for each event that the notification shows, in its order; behind a group
// that shows only a part, one that says how many more there are.
std::vector<std::string> SyslogMessages(const v1::Notification& notification,
                                        v1::SyslogTarget::Format format,
                                        const std::string& controller, absl::Time now);

}  // namespace plimsoll::notify
