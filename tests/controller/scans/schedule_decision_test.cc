// When schedules fire and what becomes of that: no database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/scans/scheduler.h"
#include "tests/controller/scans/schedule_samples.h"

namespace plimsoll::scans {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(NextRunTest, JitterDependsOnScheduleAndTimeAlone) {
  v1::Schedule schedule = Schedule("0 * * * *");
  schedule.mutable_jitter()->set_seconds(600);
  std::set<absl::Duration> seen;
  absl::Time after = Utc("2026-01-01 00:00:00");
  for (int i = 0; i < 200; ++i) {
    const auto next = NextRunOf(schedule, after);
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(NextRunOf(schedule, after + absl::Minutes(7))->fire, next->fire);
    const absl::Duration jitter = next->fire - next->scheduled;
    EXPECT_GE(jitter, absl::ZeroDuration());
    EXPECT_LE(jitter, absl::Minutes(10));
    seen.insert(jitter);
    after = next->scheduled;
  }
  EXPECT_GT(seen.size(), 190u);
  EXPECT_LT(*seen.begin(), absl::Minutes(1));
  EXPECT_GT(*seen.rbegin(), absl::Minutes(9));
  v1::Schedule other = schedule;
  other.set_id("sch-2");
  EXPECT_NE(NextRunOf(other, after)->fire, NextRunOf(schedule, after)->fire);
}

TEST(NextRunTest, JitterEndsBeforeTheNextRun) {
  v1::Schedule schedule = Schedule("* * * * *");
  schedule.mutable_jitter()->set_seconds(3600);
  absl::Time after = Utc("2026-01-01 00:00:00");
  absl::Time last = after;
  for (int i = 0; i < 500; ++i) {
    const auto next = NextRunOf(schedule, after);
    ASSERT_TRUE(next.ok());
    EXPECT_GE(next->scheduled, last);
    EXPECT_LT(next->fire, next->scheduled + absl::Minutes(1));
    last = next->fire;
    after = next->scheduled;
  }
}

TEST(NextRunTest, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(absl::StrContains(
      NextRunOf(Schedule("61 * * * *"), Utc("2026-01-01 00:00:00")).status().message(),
      "cron: minute \"61\""));
  v1::Schedule schedule = Schedule("@daily");
  schedule.set_time_zone("Mars/Base");
  const auto next = NextRunOf(schedule, Utc("2026-01-01 00:00:00"));
  EXPECT_TRUE(absl::IsInvalidArgument(next.status()));
  EXPECT_TRUE(absl::StrContains(next.status().message(), "time_zone: \"Mars/Base\""));
  EXPECT_EQ(NextRunOf(Schedule("0 0 30 2 *"), Utc("2026-01-01 00:00:00"))->fire,
            absl::InfiniteFuture());
}

TEST(DecideTest, RunsSkipsOrMakesUp) {
  const auto skip = v1::Schedule::SKIP;
  const auto once = v1::Schedule::RUN_ONCE;
  const struct {
    const char* cron;
    v1::Schedule::MissedRuns missed;
    const char* now;
    // "time outcome message", and the next time.
    std::vector<std::string> runs;
    const char* next;
  } cases[] = {
      // Due at 12:00.
      {"0 12 * * *", skip, "2026-01-01 12:00:00", {"01 12:00 STARTED "}, "02 12:00"},
      {"0 12 * * *", skip, "2026-01-01 12:04:59", {"01 12:00 STARTED "}, "02 12:00"},
      {"0 12 * * *", once, "2026-01-01 12:04:59", {"01 12:00 STARTED "}, "02 12:00"},
      {"0 12 * * *", skip, "2026-01-01 12:05:01", {"01 12:00 SKIPPED 1 run missed"}, "02 12:00"},
      {"0 12 * * *",
       once,
       "2026-01-01 12:05:01",
       {"01 12:00 STARTED makes up for 1 run missed"},
       "02 12:00"},
      // Three days away.
      {"0 12 * * *", skip, "2026-01-03 18:00:00", {"03 12:00 SKIPPED 3 runs missed"}, "04 12:00"},
      {"0 12 * * *",
       once,
       "2026-01-03 18:00:00",
       {"03 12:00 STARTED makes up for 3 runs missed"},
       "04 12:00"},
      // Back just in time for the newest.
      {"0 12 * * *",
       skip,
       "2026-01-03 12:01:00",
       {"02 12:00 SKIPPED 2 runs missed", "03 12:00 STARTED "},
       "04 12:00"},
      {"0 12 * * *",
       once,
       "2026-01-03 12:01:00",
       {"03 12:00 STARTED makes up for 2 runs missed"},
       "04 12:00"},
      // A short outage of a frequent one is one run, not a queue of them.
      {"* 12 * * *",
       skip,
       "2026-01-01 12:03:10",
       {"01 12:02 SKIPPED 3 runs missed", "01 12:03 STARTED "},
       "01 12:04"},
      {"* 12 * * *",
       once,
       "2026-01-01 12:03:10",
       {"01 12:03 STARTED makes up for 3 runs missed"},
       "01 12:04"},
  };
  for (const auto& c : cases) {
    store::StoredSchedule stored;
    stored.schedule = Schedule(c.cron);
    stored.schedule.set_missed_runs(c.missed);
    stored.next = {Utc("2026-01-01 12:00:00"), Utc("2026-01-01 12:00:00")};
    const auto firing = Decide(stored, Utc(c.now), TwoHosts);
    ASSERT_TRUE(firing.ok()) << firing.status();
    std::vector<std::string> runs;
    bool started = false;
    for (const v1::ScheduleRun& run : firing->runs) {
      runs.push_back(absl::StrCat(
          absl::FormatTime("%d %H:%M ", TimeOf(run.scheduled_time()), absl::UTCTimeZone()),
          v1::ScheduleRun::Outcome_Name(run.outcome()), " ", run.message()));
      EXPECT_EQ(TimeOf(run.fire_time()), Utc(c.now));
      started = started || run.outcome() == v1::ScheduleRun::STARTED;
      EXPECT_EQ(run.scan_id().empty(), run.outcome() != v1::ScheduleRun::STARTED);
    }
    EXPECT_EQ(runs, c.runs) << c.cron << " at " << c.now;
    EXPECT_EQ(firing->scan.has_value(), started);
    EXPECT_EQ(absl::FormatTime("%d %H:%M", firing->next.scheduled, absl::UTCTimeZone()), c.next)
        << c.cron << " at " << c.now;
  }
}

TEST(DecideTest, TheScanIsWhatTheScheduleSays) {
  store::StoredSchedule stored;
  stored.schedule = Schedule("0 12 * * *");
  stored.schedule.mutable_timeout()->set_seconds(90);
  stored.next = {Utc("2026-01-01 12:00:00"), Utc("2026-01-01 12:00:30")};
  const absl::Time now = Utc("2026-01-01 12:00:31");
  auto firing = Decide(stored, now, TwoHosts);
  ASSERT_TRUE(firing.ok() && firing->scan) << firing.status();
  EXPECT_EQ(firing->scan->id, firing->runs[0].scan_id());
  EXPECT_EQ(firing->scan->create_time, now);
  EXPECT_EQ(firing->scan->deadline, now + absl::Seconds(90));
  EXPECT_EQ(firing->scan->schedule_id, "sch-1");
  EXPECT_EQ(firing->scan->created_by, "ann");
  EXPECT_EQ(firing->scan->reason, "schedule name-of-sch-1");
  EXPECT_TRUE(firing->scan->selector.all());
  EXPECT_THAT(firing->scan->host_ids, ElementsAre("h1", "h2"));
  stored.schedule.clear_timeout();
  EXPECT_EQ(Decide(stored, now, TwoHosts)->scan->deadline, now + absl::Minutes(10));
}

TEST(DecideTest, ASelectorWithoutHostsFailsAndAnIndexThatIsNotThereWaits) {
  store::StoredSchedule stored;
  stored.schedule = Schedule("0 12 * * *");
  stored.next = {Utc("2026-01-01 12:00:00"), Utc("2026-01-01 12:00:00")};
  const struct {
    absl::StatusOr<std::vector<std::string>> hosts;
    const char* message;
  } final[] = {
      {std::vector<std::string>(), "no host matches"},
      {absl::NotFoundError("no host \"web\""), "no host \"web\""},
      {absl::InvalidArgumentError("column 5"), "column 5"},
  };
  for (const auto& c : final) {
    const auto firing = Decide(stored, stored.next.fire, [&](const auto&) { return c.hosts; });
    ASSERT_TRUE(firing.ok()) << firing.status();
    ASSERT_THAT(firing->runs, SizeIs(1));
    EXPECT_EQ(firing->runs[0].outcome(), v1::ScheduleRun::FAILED);
    EXPECT_TRUE(absl::StrContains(firing->runs[0].message(), c.message));
    EXPECT_FALSE(firing->scan);
    EXPECT_EQ(firing->next.scheduled, Utc("2026-01-02 12:00:00"));
  }
  const auto later = Decide(stored, stored.next.fire, [](const auto&) {
    return absl::StatusOr<std::vector<std::string>>(absl::UnavailableError("loading"));
  });
  EXPECT_TRUE(absl::IsUnavailable(later.status()));
}

}  // namespace
}  // namespace plimsoll::scans
