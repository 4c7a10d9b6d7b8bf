#include "controller/fleet/days.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/fleet/summaries.h"
#include "tests/controller/fleet/live_fleet.h"

namespace plimsoll::fleet {
namespace {

using ::testing::ElementsAre;

// The clock starts at noon of 2023-11-15, and is moved by hand.
class DaysTest : public ::testing::Test {
 protected:
  DaysTest() {
    fleet_.clock.Advance(Noon(15) - fleet_.clock.Now());
    EXPECT_TRUE(fleet_.index.Load().ok());
  }

  static absl::Time Noon(int day) {
    return absl::FromCivil(absl::CivilHour(2023, 11, day, 12), absl::UTCTimeZone());
  }
  // Every host is heard of, now.
  void Hear() {
    std::map<std::string, absl::Time> seen;
    for (const auto& [id, sequence] : fleet_.sequences) seen[id] = fleet_.clock.Now();
    fleet_.index.Seen(seen);
  }
  // What was written for the day, and the hosts in it.
  int StoredHosts(absl::CivilDay day) {
    const auto days = fleet_.store->fleet().ListDays("azure-docker", day, 1);
    EXPECT_TRUE(days.ok()) << days.status();
    if (!days.ok() || days->empty() || days->front().day != day) return -1;
    return days->front().content.ordinal_delta_size();
  }
  // "day hosts/evaluated" of each point.
  std::vector<std::string> Course(const std::string& expression, int days) {
    const auto trend = days_.Trend("azure-docker", {*ParseSelector(expression), ""}, days);
    EXPECT_TRUE(trend.ok()) << trend.status();
    std::vector<std::string> course;
    if (!trend.ok()) return course;
    for (const v1::TrendPoint& point : trend->points()) {
      course.push_back(
          absl::StrCat(point.day(), " ", point.evaluated_host_count(), "/", point.host_count()));
    }
    return course;
  }

  LiveFleet fleet_;
  Days days_{fleet_.index, fleet_.store->fleet(), fleet_.clock};
};

TEST_F(DaysTest, ADayIsWrittenWhenItIsNewChangedOrEnding) {
  const absl::CivilDay day(2023, 11, 15);
  EXPECT_EQ(StoredHosts(day), -1);
  ASSERT_TRUE(days_.Keep().ok());
  EXPECT_EQ(StoredHosts(day), 0);
  fleet_.Put("h-1", "web-1", testing::SampleHost(1, testing::Habit::kUsual));
  fleet_.Show();
  fleet_.clock.Advance(absl::Minutes(1));
  ASSERT_TRUE(days_.Keep().ok());
  EXPECT_EQ(StoredHosts(day), 0) << "written ten minutes apart";
  fleet_.clock.Advance(absl::Minutes(9));
  ASSERT_TRUE(days_.Keep().ok());
  EXPECT_EQ(StoredHosts(day), 1);
  fleet_.Put("h-2", "web-2", testing::SampleHost(1, testing::Habit::kUsual));
  fleet_.Show();
  ASSERT_TRUE(days_.Keep(true).ok());
  EXPECT_EQ(StoredHosts(day), 2) << "the last word of a controller that stops";
  fleet_.clock.Advance(Noon(16) - absl::Hours(12) - absl::Seconds(50) - fleet_.clock.Now());
  fleet_.Put("h-3", "web-3", testing::SampleHost(1, testing::Habit::kUsual));
  fleet_.Show();
  ASSERT_TRUE(days_.Keep().ok());
  EXPECT_EQ(StoredHosts(day), 3) << "the day ends";
  fleet_.clock.Advance(absl::Minutes(1));
  ASSERT_TRUE(days_.Keep().ok());
  EXPECT_EQ(StoredHosts(absl::CivilDay(2023, 11, 16)), 3) << "the next begins";
}

TEST_F(DaysTest, TheCourseIsByTheLabelsOfToday) {
  fleet_.Put("h-1", "web-1", testing::SampleHost(1, testing::Habit::kUsual), {{"env", "prod"}});
  fleet_.Put("h-2", "web-2", v1::HostFacts(), {{"env", "test"}});
  ASSERT_TRUE(store::AddHost(*fleet_.store, "h-3", "new", {{"env", "prod"}}).ok());
  fleet_.index.Changed({"h-3"});
  fleet_.Show();
  Hear();
  ASSERT_TRUE(days_.Keep().ok());
  EXPECT_THAT(Course("", 1), ElementsAre("2023-11-15 2/3"));

  fleet_.clock.Advance(absl::Hours(24));
  fleet_.index.Tick();
  ASSERT_TRUE(days_.Keep().ok());
  EXPECT_THAT(Course("", 30), ElementsAre("2023-11-15 2/3", "2023-11-16 0/3"))
      << "nobody was heard of: stale";

  fleet_.clock.Advance(absl::Hours(48));
  ASSERT_TRUE(fleet_.store->hosts().Remove("h-2", "gone", fleet_.clock.Now()).ok());
  fleet_.Show();
  Hear();
  EXPECT_THAT(Course("", 30), ElementsAre("2023-11-15 2/3", "2023-11-16 0/3", "2023-11-18 1/2"))
      << "who is gone today was there then";
  EXPECT_THAT(Course("env=prod", 30),
              ElementsAre("2023-11-15 1/2", "2023-11-16 0/2", "2023-11-18 1/2"));
  EXPECT_THAT(Course("env=test", 30),
              ElementsAre("2023-11-15 0/0", "2023-11-16 0/0", "2023-11-18 0/0"));
  EXPECT_THAT(Course("env=prod", 3), ElementsAre("2023-11-16 0/2", "2023-11-18 1/2"));

  const auto trend = days_.Trend("azure-docker", {}, 30);
  ASSERT_TRUE(trend.ok());
  // Then h-2, of which nothing was known, was counted too.
  const v1::StatusCounts& past = trend->points(0).counts();
  v1::StatusCounts expected = fleet_.reports["h-1"]["azure-docker"].counts();
  const v1::StatusCounts& more = fleet_.reports["h-2"]["azure-docker"].counts();
  EXPECT_EQ(past.pass(), expected.pass() + more.pass());
  EXPECT_EQ(past.fail(), expected.fail() + more.fail());
  EXPECT_EQ(past.unknown(), expected.unknown() + more.unknown());
  EXPECT_FALSE(trend->points(1).has_compliance_lower());
  EXPECT_EQ(trend->points(2).counts().SerializeAsString(), expected.SerializeAsString());
}

TEST_F(DaysTest, ALongCourseIsReadInPieces) {
  fleet_.Put("h-1", "web-1", testing::SampleHost(1, testing::Habit::kUsual), {});
  fleet_.Show();
  Hear();
  store::StoredDay day;
  for (int back = 1; back <= 20; ++back) {
    day.day = absl::CivilDay(2023, 11, 15) - back;
    ASSERT_TRUE(fleet_.store->fleet().PutDay("azure-docker", day, fleet_.clock.Now()).ok());
  }
  const auto course = Course("", 21);
  ASSERT_EQ(course.size(), 21u);
  EXPECT_EQ(course.front(), "2023-10-26 0/0");
  EXPECT_EQ(course[19], "2023-11-14 0/0");
  EXPECT_EQ(course.back(), "2023-11-15 1/1");
  // As it is kept, and a shorter one.
  EXPECT_EQ(Course("", 21), course);
  EXPECT_EQ(Course("", 10).size(), 10u);
}

TEST_F(DaysTest, ADamagedDayIsNamed) {
  store::StoredDay day;
  day.day = absl::CivilDay(2023, 11, 14);
  day.content.add_ordinal_delta(1);
  ASSERT_TRUE(fleet_.store->fleet().PutDay("azure-docker", day, fleet_.clock.Now()).ok());
  const absl::Status status = days_.Trend("azure-docker", {}, 30).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("2023-11-14"));
}

}  // namespace
}  // namespace plimsoll::fleet
