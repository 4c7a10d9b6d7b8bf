// Waivers for people.
#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/waiver_service.pb.h"

namespace plimsoll::cli {

// One waiver in full, with what it covers.
void PrintWaiver(const v1::Waiver& waiver, Session& session);
// One line a waiver; `counted`: with what each covers.
void PrintWaivers(const v1::ListWaiversResponse& waivers, bool counted, Session& session);
// What a waiver would cover.
void PrintPreview(const v1::PreviewWaiverResponse& preview, Session& session);
// One line a change.
void PrintWaiverHistory(const v1::ListWaiverHistoryResponse& history, Session& session);

// "30d", "12h" (from `now` on), "2027-01-31" (its first instant in UTC) or an RFC 3339 time.
bool ParseMoment(absl::string_view text, absl::Time now, absl::Time& moment);

}  // namespace plimsoll::cli
