// Secrets of enrolment tokens, API tokens and sessions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::access {

// What secrets begin with, so that people and scanners of code know one when they see it.
inline constexpr absl::string_view kEnrollmentPrefix = "plt_";
inline constexpr absl::string_view kApiTokenPrefix = "plb_";
inline constexpr absl::string_view kSessionPrefix = "pls_";

// A new secret: `prefix` and 256 random bits in base64url.
std::string NewSecret(absl::string_view prefix);

// What is stored of it: BLAKE2b-256, lower-case hex. A 256-bit random secret needs no slow hash.
std::string HashSecret(absl::string_view secret);

}  // namespace plimsoll::access
