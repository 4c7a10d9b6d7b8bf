#include "collector/sources/text.h"

#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace plimsoll::sources {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the valid UTF-8 sequence `text` starts with; 0 when there is none.
size_t SequenceLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return lead == 0 ? 0 : 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and beyond U+10FFFF.
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) >= 0xA0) ||
      (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) >= 0x90)) {
    return 0;
  }
  return length;
}

bool IsDigest(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  if (parts.first.empty() || parts.second.size() < 32) return false;
  for (const char c : parts.second) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

}  // namespace

std::string CleanText(absl::string_view text, size_t max_bytes) {
  std::string clean;
  clean.reserve(std::min(text.size(), max_bytes));
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const absl::string_view piece = length == 0 ? kReplacement : text.substr(0, length);
    if (clean.size() + piece.size() > max_bytes) break;
    clean.append(piece.data(), piece.size());
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return clean;
}

absl::string_view StripUserInfo(absl::string_view reference) {
  const size_t scheme = reference.find("://");
  if (scheme != absl::string_view::npos) reference.remove_prefix(scheme + 3);
  size_t at = reference.rfind('@');
  if (at != absl::string_view::npos && IsDigest(reference.substr(at + 1))) {
    at = at == 0 ? absl::string_view::npos : reference.rfind('@', at - 1);
  }
  return at == absl::string_view::npos ? reference : reference.substr(at + 1);
}

std::string CleanPath(absl::string_view path) {
  if (path.empty() || path[0] != '/') return std::string(path);
  std::vector<absl::string_view> kept;
  for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part != "..") {
      kept.push_back(part);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  return absl::StrCat("/", absl::StrJoin(kept, "/"));
}

}  // namespace plimsoll::sources
