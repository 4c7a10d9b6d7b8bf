// /proc/<pid>/mountinfo, parsed.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plimsoll/v1/mount_facts.pb.h"

namespace plimsoll::sources {

// Parses the whole file, in its order. Octal escapes ("\040") are decoded, any number of optional
// fields is skipped but for "shared:N", user info is cut from the source, and the mount options,
// which can hold passwords, are not taken. Errors: DATA_LOSS names the line. Pure; any bytes are
// safe.
absl::StatusOr<std::vector<v1::MountEntry>> ParseMountInfo(absl::string_view text);

// True when `path` is `directory` or lies below it, by whole components. Both are absolute and
// clean.
bool IsAtOrBelow(absl::string_view path, absl::string_view directory);

}  // namespace plimsoll::sources
