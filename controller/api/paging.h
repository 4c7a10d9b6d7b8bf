// Page sizes and opaque page tokens.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace plimsoll::api {

// `requested` 0: 100; otherwise 1 to 1000. INVALID_ARGUMENT names the limits.
absl::StatusOr<int> PageSize(int requested);

// Packs key parts into an opaque token; empty parts make an empty token only if all are empty.
std::string EncodePageToken(const std::vector<std::string>& parts);

// INVALID_ARGUMENT: not a token of ours with `count` parts. An empty token gives `count` empty
// parts.
absl::StatusOr<std::vector<std::string>> DecodePageToken(const std::string& token, size_t count);

// INVALID_ARGUMENT: a page token whose parts are none that this controller gave.
absl::Status BadPageToken();

}  // namespace plimsoll::api
