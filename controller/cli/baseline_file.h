// Baselines named on the command line.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "plimsoll/v1/baseline.pb.h"

namespace plimsoll::cli {

// What a document may have.
inline constexpr size_t kMostMebibytesOfBaseline = 1;

// A shipped baseline by id, else a YAML file. NOT_FOUND: neither; INVALID_ARGUMENT: every problem
// of the file, one a line.
absl::StatusOr<v1::Baseline> BaselineByNameOrFile(const std::string& name);

}  // namespace plimsoll::cli
