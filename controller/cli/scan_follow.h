// Waiting for a scan.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "controller/cli/client.h"
#include "plimsoll/v1/scan_service.pb.h"

namespace plimsoll::cli {

// What became of waiting.
struct Followed {
  v1::Scan scan;
  // The user pressed Ctrl-C: the scan goes on, `scan` is as last seen.
  bool interrupted = false;
};

// Waits until the scan is done or cancelled, and shows how far it is on standard error: one live
// line on a terminal, a line a change elsewhere. A controller that stops or cannot be reached is
// asked again until a minute after the scan's deadline. SIGINT and SIGTERM end the waiting and
// nothing else.
absl::StatusOr<Followed> Follow(Client& client, v1::Scan scan, Session& session);

// "3 of 40 hosts evaluated, 2 offline, 1 failed, 1 missed".
std::string ProgressLine(const v1::ScanProgress& progress);

}  // namespace plimsoll::cli
