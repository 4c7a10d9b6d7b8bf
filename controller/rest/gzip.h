// Answers, compressed.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::rest {

// Whether an Accept-Encoding header takes gzip (a weight of 0 refuses it). Pure.
bool TakesGzip(absl::string_view accept_encoding);

// `text` in gzip's format. INTERNAL: out of memory.
absl::StatusOr<std::string> Gzip(absl::string_view text);

}  // namespace plimsoll::rest
