// Files that hold keys and secrets: made whole, readable by their owner only.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::support {

// Makes `dir` (0700) and its parents. Errors name the directory.
absl::Status MakePrivateDirectory(const std::string& dir);

// Puts the names in `dir` on the platter: what was made, renamed or removed there stays so.
absl::Status SyncDirectory(const std::string& dir);

// Writes `content` to `path` with mode 0600 (or `mode`), through a temporary file that is synced
// and renamed, so that a crash leaves the old file or the new one. Once this returned OK a loss of
// power leaves the new one.
absl::Status WritePrivateFile(const std::string& path, absl::string_view content,
                              unsigned mode = 0600);

// Reads a small file. NOT_FOUND: there is none. FAILED_PRECONDITION: `secret` and others may read
// it; the message has the chmod to run. A credential of systemd (root:root, 0440) counts as closed.
absl::StatusOr<std::string> ReadKeyFile(const std::string& path, bool secret);

}  // namespace plimsoll::support
