// Logs of the programs: text for people or JSON lines for machines, on standard error.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plimsoll::support {

enum class LogFormat { kText, kJson };

// Sets spdlog's default logger. `level` is one of trace, debug, info, warn, error. Errors:
// INVALID_ARGUMENT names the level. Call once, from main.
absl::Status InitLogging(absl::string_view program, absl::string_view level, LogFormat format);

// Text that comes from a host or a client, safe in a log line: control characters escaped, at most
// 256 bytes.
std::string LogSafe(absl::string_view hostile);

// A warning of `what` with the error; nothing when `status` is OK.
void WarnUnlessOk(const char* what, const absl::Status& status);

}  // namespace plimsoll::support
