#include "controller/api/paging.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace plimsoll::api {
namespace {
constexpr int kDefaultPageSize = 100;
constexpr int kMaximumPageSize = 1000;
constexpr size_t kMaximumTokenBytes = 4096;
constexpr char kSeparator = '\0';
}  // namespace

absl::StatusOr<int> PageSize(int requested) {
  if (requested == 0) return kDefaultPageSize;
  if (requested < 0 || requested > kMaximumPageSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_size ", requested, ": expected 1 to ", kMaximumPageSize));
  }
  return requested;
}

std::string EncodePageToken(const std::vector<std::string>& parts) {
  std::string joined = absl::StrJoin(parts, std::string(1, kSeparator));
  if (joined.find_first_not_of(kSeparator) == std::string::npos) return "";
  return absl::WebSafeBase64Escape(joined);
}

absl::StatusOr<std::vector<std::string>> DecodePageToken(const std::string& token, size_t count) {
  if (token.empty()) return std::vector<std::string>(count);
  std::string joined;
  std::vector<std::string> parts;
  if (token.size() <= kMaximumTokenBytes && absl::WebSafeBase64Unescape(token, &joined)) {
    parts = absl::StrSplit(joined, kSeparator);
  }
  if (parts.size() != count) {
    return BadPageToken();
  }
  return parts;
}

absl::Status BadPageToken() {
  return absl::InvalidArgumentError("page_token is not one that this controller gave");
}

}  // namespace plimsoll::api
