#include "controller/evaluate/checks/version_number.h"

#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace plimsoll::evaluate {
namespace {

// Longer runs of digits are no version.
constexpr size_t kMaxDigits = 6;

// Takes digits off the front; false when there are none or too many.
bool TakeNumber(absl::string_view& text, int& number) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  if (digits == 0 || digits > kMaxDigits) return false;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) return false;
  text.remove_prefix(digits);
  return true;
}

int PreRelease(absl::string_view suffix) {
  constexpr int kKindStep = 10'000'000;
  constexpr absl::string_view kKinds[] = {"rc", "beta", "alpha"};
  const std::string lower = absl::AsciiStrToLower(suffix);
  absl::string_view rest = lower;
  absl::ConsumePrefix(&rest, "-");
  int steps = 1;
  for (const absl::string_view kind : kKinds) {
    absl::string_view tail = rest;
    if (absl::ConsumePrefix(&tail, kind)) {
      while (!tail.empty() && (tail[0] == '.' || tail[0] == '-')) tail.remove_prefix(1);
      int number = 0;
      TakeNumber(tail, number);
      return -steps * kKindStep + number;
    }
    ++steps;
  }
  return 0;
}

auto Order(const VersionNumber& v) { return std::tie(v.major, v.minor, v.patch, v.pre_release); }

}  // namespace

bool VersionNumber::is_vendor_build() const {
  return absl::StartsWith(suffix, "+") || absl::StartsWith(suffix, "~");
}

bool VersionNumber::is_development() const {
  const std::string lower = absl::AsciiStrToLower(suffix);
  return absl::StrContains(lower, "dev") || absl::StrContains(lower, "master");
}

bool VersionNumber::is_of_branch(absl::string_view branch) const {
  const std::optional<VersionNumber> other = ParseVersion(branch);
  return other.has_value() && other->major == major && other->minor == minor;
}

std::strong_ordering VersionNumber::operator<=>(const VersionNumber& other) const {
  return Order(*this) <=> Order(other);
}

bool VersionNumber::operator==(const VersionNumber& other) const {
  return Order(*this) == Order(other);
}

std::optional<VersionNumber> ParseVersion(absl::string_view text) {
  VersionNumber version;
  absl::ConsumePrefix(&text, "v");
  if (!TakeNumber(text, version.major)) return std::nullopt;
  if (!absl::ConsumePrefix(&text, ".") || !TakeNumber(text, version.minor)) return std::nullopt;
  if (absl::ConsumePrefix(&text, ".") && !TakeNumber(text, version.patch)) return std::nullopt;
  version.suffix = std::string(text);
  version.pre_release = PreRelease(text);
  return version;
}

std::optional<bool> VersionAtLeast(absl::string_view text, int major, int minor) {
  const std::optional<VersionNumber> version = ParseVersion(text);
  if (!version.has_value()) return std::nullopt;
  return std::tie(version->major, version->minor) >= std::tie(major, minor);
}

}  // namespace plimsoll::evaluate
