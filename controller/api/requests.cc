#include "controller/api/requests.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "controller/access/tokens.h"
#include "controller/scans/scheduler.h"
#include "proto/support/digest.h"

namespace plimsoll::api {
namespace {
constexpr absl::Duration kShortestTimeout = absl::Seconds(1);
constexpr absl::Duration kLongestTimeout = absl::Hours(24);
constexpr int kMostHosts = 10'000;
constexpr int kMostLabels = 64;
constexpr size_t kLongestName = 256;
constexpr size_t kLongestExpression = 4096;
}  // namespace

absl::Status CheckSelector(const v1::HostSelector& selector, absl::string_view prefix,
                           absl::string_view expression_field) {
  const bool narrowed =
      !selector.hosts().empty() || !selector.labels().empty() || !selector.expression().empty();
  if (selector.all() == narrowed) {
    return absl::InvalidArgumentError(absl::StrCat(
        narrowed ? "all goes with no other member: " : "", "say which hosts: either ", prefix,
        "all, or any of ", prefix, "hosts, ", prefix, "labels and ", prefix, expression_field));
  }
  if (selector.hosts_size() > kMostHosts) {
    return absl::InvalidArgumentError(absl::StrCat(prefix, "hosts: more than ", kMostHosts,
                                                   "; a label selects any number of hosts"));
  }
  for (const std::string& host : selector.hosts()) {
    if (auto status = CheckLength(absl::StrCat(prefix, "hosts"), host, kLongestName);
        !status.ok()) {
      return status;
    }
  }
  if (selector.labels_size() > kMostLabels) {
    return absl::InvalidArgumentError(absl::StrCat(prefix, "labels: more than ", kMostLabels));
  }
  return CheckLength(absl::StrCat(prefix, expression_field), selector.expression(),
                     kLongestExpression);
}

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  constexpr size_t kLongest = 63;
  const bool good =
      !name.empty() && name.size() <= kLongest && std::all_of(name.begin(), name.end(), [](char c) {
        return absl::ascii_islower(static_cast<unsigned char>(c)) ||
               absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
      });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": expected 1 to ", kLongest, " of a-z, 0-9 and -"));
}

absl::Status CheckOptionalName(absl::string_view field, absl::string_view name) {
  return name.empty() ? absl::OkStatus() : CheckName(field, name);
}

absl::StatusOr<absl::Duration> ScanTimeout(const google::protobuf::Duration* timeout) {
  if (timeout == nullptr) return scans::kDefaultScanTimeout;
  const absl::Duration duration =
      absl::Seconds(timeout->seconds()) + absl::Nanoseconds(timeout->nanos());
  if (duration < kShortestTimeout || duration > kLongestTimeout) {
    return absl::InvalidArgumentError("timeout: expected 1s to 24h");
  }
  return duration;
}

absl::Status CheckLength(absl::string_view field, absl::string_view text, size_t most) {
  if (text.size() <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": longer than ", most, " bytes"));
}

std::string NewId(absl::string_view prefix) {
  return absl::StrCat(prefix, support::Sha256Hex(access::NewSecret("")).substr(0, 16));
}

}  // namespace plimsoll::api
