// Whether bytes are text.
#pragma once

#include "absl/strings/string_view.h"

namespace plimsoll::support {

// Well-formed UTF-8 (no overlong forms, no surrogates) without NUL, other C0 controls and DEL.
// Pure.
bool IsPlainUtf8(absl::string_view text);

}  // namespace plimsoll::support
