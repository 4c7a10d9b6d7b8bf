#include "proto/support/utf8.h"

#include <cstdint>

namespace plimsoll::support {
namespace {

// Length of the sequence that begins with `lead`; 0: none does. `least` is its smallest code point.
size_t LengthOf(unsigned char lead, uint32_t& code, uint32_t& least) {
  if (lead < 0x80) return code = lead, least = 0x20, 1;
  if (lead < 0xc0) return 0;
  if (lead < 0xe0) return code = lead & 0x1f, least = 0x80, 2;
  if (lead < 0xf0) return code = lead & 0x0f, least = 0x800, 3;
  if (lead < 0xf8) return code = lead & 0x07, least = 0x10000, 4;
  return 0;
}

}  // namespace

bool IsPlainUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    uint32_t code = 0;
    uint32_t least = 0;
    const size_t length = LengthOf(static_cast<unsigned char>(text[i]), code, least);
    if (length == 0 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3f);
    }
    if (code < least || code == 0x7f || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      return false;
    }
    i += length;
  }
  return true;
}

}  // namespace plimsoll::support
