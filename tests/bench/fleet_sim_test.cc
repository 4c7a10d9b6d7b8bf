// The parts of fleet_sim that a wrong figure could hide in: percentiles, facts and their digests.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "proto/support/digest.h"
#include "tests/bench/fleet_sim/facts.h"
#include "tests/bench/fleet_sim/journal.h"
#include "tests/bench/fleet_sim/stats.h"

namespace plimsoll::fleet_sim {
namespace {

TEST(HistogramTest, PercentilesAreRightToSixPercent) {
  Histogram values;
  EXPECT_EQ(values.Quantile(0.5), absl::ZeroDuration());
  for (int i = 1; i <= 1000; ++i) values.Add(absl::Milliseconds(i));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(values.Quantile(0.5)), 500, 32);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(values.Quantile(0.99)), 990, 62);
  EXPECT_EQ(values.Quantile(1), absl::Seconds(1));
  EXPECT_EQ(values.Max(), absl::Seconds(1));
}

TEST(HistogramTest, HoldsTheSmallestAndTheLongest) {
  Histogram values;
  values.Add(-absl::Seconds(1));
  values.Add(absl::Microseconds(3));
  values.Add(absl::Hours(24 * 365));
  EXPECT_EQ(values.count(), 3);
  EXPECT_LE(values.Quantile(0.5), absl::Microseconds(4));
}

// Verify holds digests and deltas against the product's own.
TEST(HostStateTest, DigestsAndDeltasAreThoseOfTheProduct) {
  auto templates = MakeTemplates({}, 12, 7);
  ASSERT_TRUE(templates.ok()) << templates.status();
  for (const int protocol : {1, 2}) {
    for (size_t i = 0; i < templates->size(); ++i) {
      EXPECT_TRUE(HostState((*templates)[i], static_cast<int>(i), 12, 7, protocol).Verify().ok());
    }
  }
}

TEST(HostStateTest, HostsDifferAndSeedsRepeat) {
  auto templates = MakeTemplates({}, 5, 1);
  ASSERT_TRUE(templates.ok());
  const HostState one(templates->front(), 1, 5, 1, 2), same(templates->front(), 1, 5, 1, 2),
      other(templates->front(), 2, 5, 1, 2);
  EXPECT_EQ(one.Digest(), same.Digest());
  EXPECT_NE(one.Digest(), other.Digest());
  EXPECT_NE(one.hostname(), other.hostname());
  EXPECT_NE(one.Facts().containers().containers(0).id(),
            other.Facts().containers().containers(0).id());
}

TEST(HostStateTest, PrivilegedComesAndGoes) {
  auto templates = MakeTemplates({}, 1, 1);
  ASSERT_TRUE(templates.ok());
  HostState host(templates->front(), 0, 1, 1, 2);
  EXPECT_TRUE(host.TogglePrivileged(0).changed.containers().containers(0).privileged());
  EXPECT_FALSE(host.TogglePrivileged(0).changed.containers().containers(0).privileged());
  const Change replaced = host.Replace(0);
  ASSERT_EQ(replaced.removals.size(), 1u);
  EXPECT_NE(replaced.removals[0].key(), replaced.changed.containers().containers(0).id());
}

TEST(MakeTemplatesTest, SaysWhichFileIsNoHost) {
  const auto missing = MakeTemplates({"/nonexistent.binpb"}, 1, 1);
  EXPECT_NE(missing.status().message().find("/nonexistent.binpb"), std::string::npos);
  const auto wrong = MakeTemplates({"/etc/passwd"}, 1, 1);
  EXPECT_NE(wrong.status().message().find("--once"), std::string::npos);
}

TEST(JournalTest, SaysWhereItCannotWrite) {
  EXPECT_TRUE(Journal("").status().ok());
  EXPECT_FALSE(Journal("/nonexistent/journal").status().ok());
}

}  // namespace
}  // namespace plimsoll::fleet_sim
