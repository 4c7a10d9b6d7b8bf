#include "proto/support/labels.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "proto/support/utf8.h"

namespace plimsoll::support {
namespace {

constexpr char kKeyCharacters[] = "abcdefghijklmnopqrstuvwxyz0123456789_./-";
constexpr size_t kLongestKey = 63;
constexpr size_t kLongestValue = 255;

absl::Status NotALabel(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("label \"", absl::CHexEscape(text.substr(0, kLongestValue)),
                   "\": expected key=value, the key of a-z 0-9 _ . / - and at most ", kLongestKey,
                   " characters, the value at most ", kLongestValue,
                   " bytes of UTF-8 without control characters"));
}

bool IsKey(absl::string_view key) {
  return !key.empty() && key.size() <= kLongestKey &&
         key.find_first_not_of(kKeyCharacters) == absl::string_view::npos;
}

}  // namespace

absl::Status CheckLabelKey(absl::string_view key) {
  return IsKey(key) ? absl::OkStatus() : NotALabel(key);
}

absl::Status CheckLabel(absl::string_view key, absl::string_view value) {
  const bool is_value = value.size() <= kLongestValue && IsPlainUtf8(value);
  if (IsKey(key) && is_value) return absl::OkStatus();
  return NotALabel(absl::StrCat(key, "=", value));
}

}  // namespace plimsoll::support
