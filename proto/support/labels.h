// Labels of hosts, wherever they are given.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plimsoll::support {

// INVALID_ARGUMENT: not a label; says what is one.
absl::Status CheckLabelKey(absl::string_view key);
absl::Status CheckLabel(absl::string_view key, absl::string_view value);

}  // namespace plimsoll::support
