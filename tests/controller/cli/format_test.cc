#include "controller/cli/format.h"

#include <gtest/gtest.h>

namespace plimsoll::cli {
namespace {

google::protobuf::Timestamp Stamp(int64_t seconds, int nanos = 0) {
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(nanos);
  return time;
}

TEST(FormatInstant, IsUtcToTheSecond) {
  EXPECT_EQ(FormatInstant(Stamp(1772366405, 999'999'999)), "2026-03-01 12:00:05Z");
  EXPECT_EQ(FormatInstant({}), "-");
  EXPECT_EQ(FormatInstant(Stamp(0, 1)), "1970-01-01 00:00:00Z");
}

TEST(FormatAge, UsesTheUnitThatPeopleWould) {
  const struct {
    int64_t age_seconds;
    const char* expected;
  } cases[] = {
      {0, "0 s ago"},         {119, "119 s ago"},         {120, "2 min ago"},
      {7199, "119 min ago"},  {7200, "2 h ago"},          {48 * 3600 - 1, "47 h ago"},
      {48 * 3600, "2 d ago"}, {365 * 86400, "365 d ago"}, {-60, "0 s ago"},
  };
  constexpr int64_t kNow = 1'772'366'405;
  for (const auto& c : cases) {
    EXPECT_EQ(FormatAge(Stamp(kNow - c.age_seconds), absl::FromUnixSeconds(kNow)), c.expected);
  }
  EXPECT_EQ(FormatAge({}, absl::FromUnixSeconds(kNow)), "never");
}

TEST(FormatInterval, IsOneNumberWhereTheBoundsAgree) {
  EXPECT_EQ(FormatInterval(0.675, 0.675), "67.5 %");
  EXPECT_EQ(FormatInterval(0.5, 0.75), "50.0 to 75.0 %");
  // What looks the same is said once.
  EXPECT_EQ(FormatInterval(0.50001, 0.50002), "50.0 %");
  EXPECT_EQ(FormatInterval(0, 1), "0.0 to 100.0 %");
}

}  // namespace
}  // namespace plimsoll::cli
