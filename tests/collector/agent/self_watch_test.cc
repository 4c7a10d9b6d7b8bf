#include "collector/agent/self_watch.h"

#include <gmock/gmock.h>

#include "proto/support/clock.h"

namespace plimsoll::agent {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

TEST(SelfWatch, SaysOnceWhenABoundIsExceededAndOnceWhenNot) {
  SelfWatch watch;
  const auto at = [&](int minutes, absl::Duration cpu, int64_t mib) {
    return watch.Check({kNow + absl::Minutes(minutes), cpu, mib << 20});
  };
  EXPECT_FALSE(at(0, absl::Seconds(90), 500).has_value()) << "the start is nobody's average";
  EXPECT_FALSE(at(1, absl::Seconds(92), 100).has_value());
  const auto busy = at(2, absl::Seconds(98), 100);
  ASSERT_TRUE(busy.has_value());
  EXPECT_TRUE(busy->problem);
  EXPECT_THAT(busy->text, HasSubstr("10.0 % of a core and 100 MiB"));
  EXPECT_FALSE(at(3, absl::Seconds(110), 100).has_value()) << "said already";
  const auto calm = at(4, absl::Seconds(110), 100);
  ASSERT_TRUE(calm.has_value());
  EXPECT_FALSE(calm->problem);
  const auto large = at(5, absl::Seconds(110), 129);
  ASSERT_TRUE(large.has_value());
  EXPECT_TRUE(large->problem);
}

TEST(SelfWatch, ABurstIsNoAverage) {
  SelfWatch watch;
  EXPECT_FALSE(watch.Check({kNow, absl::ZeroDuration(), 0}).has_value());
  EXPECT_FALSE(watch.Check({kNow + absl::Seconds(10), absl::Seconds(10), 0}).has_value());
  EXPECT_TRUE(watch.Check({kNow + absl::Seconds(60), absl::Seconds(10), 0}).has_value());
}

TEST(SelfWatch, ReadsWhatTheKernelSays) {
  const Usage usage = UsageNow(support::Clock::Real().Now(), "5000 1024 800 1 0 900 0\n");
  EXPECT_EQ(usage.resident_bytes, 4 << 20);
  EXPECT_GT(usage.cpu, absl::ZeroDuration());
  EXPECT_EQ(UsageNow(kNow, "").resident_bytes, 0);
}

}  // namespace
}  // namespace plimsoll::agent
