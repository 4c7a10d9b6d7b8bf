// Files and standard input, read without trusting their size.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace plimsoll::cli {

// All of a file, or of standard input for "-", of at most so many MiB; no more than that is read.
// Both errors name the file. NOT_FOUND: it cannot be read, or is a folder; INVALID_ARGUMENT: it is
// larger.
absl::StatusOr<std::string> ReadWhole(const std::string& path, size_t most_mebibytes);

}  // namespace plimsoll::cli
