// Request targets, taken apart strictly.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::rest {

struct Target {
  // Decoded parts of the path; none for "/".
  std::vector<std::string> segments;
  // Decoded, in the order given; "+" is a space.
  std::vector<std::pair<std::string, std::string>> query;
};

// Takes an origin-form target ("/v1/hosts?page_size=5") apart. Pure. INVALID_ARGUMENT: not
// origin-form, bytes that are not text, an empty, "." or ".." part in the path, more than 100
// parameters.
absl::StatusOr<Target> ParseTarget(absl::string_view target);

}  // namespace plimsoll::rest
