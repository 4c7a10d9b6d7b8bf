// Text from the engine and from files, made fit to leave the host.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace plimsoll::sources {

// Bytes kept of a name, an identifier or a short word, and of a path.
inline constexpr size_t kMaxNameBytes = 255;
inline constexpr size_t kMaxPathBytes = 4096;

// `text` as valid UTF-8 of at most `max_bytes`: each byte that is no part of a valid sequence, and
// each NUL, becomes U+FFFD; the cut falls between characters. Serialising a proto never fails on
// the result, and PostgreSQL stores it.
std::string CleanText(absl::string_view text, size_t max_bytes = kMaxNameBytes);

// An image reference, registry name or URL authority without "user:password@" and without a scheme.
// A digest ("name@sha256:...") stays. Not yet cleaned.
absl::string_view StripUserInfo(absl::string_view reference);

// An absolute path cleaned as text, as Go's filepath.Clean does: no "//", "." or "..", no slash at
// the end. Links are not looked at. Relative paths come back unchanged.
std::string CleanPath(absl::string_view path);

}  // namespace plimsoll::sources
