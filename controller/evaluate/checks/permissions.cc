#include "controller/evaluate/checks/permissions.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace plimsoll::evaluate {
namespace {

constexpr uint32_t kAllBits = 07777;
constexpr uint32_t kSticky = 01000;

}  // namespace

std::optional<uint32_t> ParseMode(absl::string_view octal) {
  if (octal.empty() || octal.size() > 6) return std::nullopt;
  uint32_t mode = 0;
  for (const char c : octal) {
    if (c < '0' || c > '7') return std::nullopt;
    mode = mode * 8 + static_cast<uint32_t>(c - '0');
  }
  return mode <= kAllBits ? std::optional(mode) : std::nullopt;
}

uint32_t ExtraBits(const v1::FileFact& file, uint32_t allowed) {
  if (file.type() == v1::FileFact::DIRECTORY) allowed |= kSticky;
  return file.mode() & kAllBits & ~allowed;
}

std::string ModeText(uint32_t mode) { return absl::StrFormat("mode %04o", mode & kAllBits); }

std::string OwnerText(const v1::FileFact& file) {
  return absl::StrCat("uid ", file.uid(), ", gid ", file.gid());
}

}  // namespace plimsoll::evaluate
