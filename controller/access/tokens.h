// Secrets of enrolment and bearer tokens.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::access {

// A new secret: `prefix` ("plt_" enrolment, "plb_" bearer) and 256 random bits in base64url.
std::string NewSecret(absl::string_view prefix);

// What is stored of it: BLAKE2b-256, lower-case hex. A 256-bit random secret needs no slow hash.
std::string HashSecret(absl::string_view secret);

}  // namespace plimsoll::access
