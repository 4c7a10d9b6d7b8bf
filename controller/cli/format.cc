#include "controller/cli/format.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "controller/cli/terminal.h"
#include "proto/support/times.h"

namespace plimsoll::cli {
namespace {

bool Absent(const google::protobuf::Timestamp& time) {
  return time.seconds() == 0 && time.nanos() == 0;
}

}  // namespace

std::string FormatInstant(const google::protobuf::Timestamp& time) {
  if (Absent(time)) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", support::FromTimestamp(time), absl::UTCTimeZone());
}

std::string FormatAge(const google::protobuf::Timestamp& time, absl::Time now) {
  if (Absent(time)) return "never";
  const absl::Duration age = std::max(now - support::FromTimestamp(time), absl::ZeroDuration());
  if (age < absl::Minutes(2)) return absl::StrCat(absl::ToInt64Seconds(age), " s ago");
  if (age < absl::Hours(2)) return absl::StrCat(absl::ToInt64Minutes(age), " min ago");
  if (age < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(age), " h ago");
  return absl::StrCat(absl::ToInt64Hours(age) / 24, " d ago");
}

std::string FormatInterval(double lower, double upper) {
  const std::string low = absl::StrFormat("%.1f", lower * 100);
  const std::string high = absl::StrFormat("%.1f", upper * 100);
  return low == high ? absl::StrCat(low, " %") : absl::StrCat(low, " to ", high, " %");
}

std::string FormatLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  const std::map<std::string, std::string> sorted(labels.begin(), labels.end());
  return Printable(absl::StrJoin(sorted, ",", absl::PairFormatter("=")), 200);
}

}  // namespace plimsoll::cli
