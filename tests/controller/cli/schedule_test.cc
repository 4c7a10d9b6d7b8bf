#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "tests/controller/cli/cli_run.h"
#include "tests/controller/cli/fake_scans.h"

namespace plimsoll::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kEvil[] = "\x1b]0;owned\x07\xe2\x80\xae\r";

class ScheduleTest : public ServedTest<FakeScans> {
 protected:
  ScheduleTest() {
    v1::Schedule& schedule = fake_.schedule;
    schedule.set_id("sch-1");
    schedule.set_name("nightly");
    schedule.set_cron("30 2 * * *");
    schedule.set_time_zone("Europe/Berlin");
    (*schedule.mutable_selector()->mutable_labels())["env"] = absl::StrCat("prod", kEvil);
    schedule.mutable_jitter()->set_seconds(600);
    schedule.mutable_timeout()->set_seconds(900);
    schedule.set_missed_runs(v1::Schedule::RUN_ONCE);
    schedule.set_description(absl::StrCat("every night", kEvil));
    schedule.set_created_by("otto");
    schedule.mutable_create_time()->set_seconds(1800000000);
    schedule.mutable_next_run_time()->set_seconds(1800100000);
    schedule.set_etag("3");
    v1::ScheduleRun& run = *schedule.mutable_last_run();
    run.mutable_scheduled_time()->set_seconds(1800010000);
    run.mutable_fire_time()->set_seconds(1800010002);
    run.set_outcome(v1::ScheduleRun::FAILED);
    run.set_message(absl::StrCat("no host matches", kEvil));
  }
  Ran Ask(std::vector<std::string> command) const {
    command.insert(command.begin(), "schedule");
    Ran ran = ServedTest::Ask(command);
    ExpectHarmless(ran.out + ran.err);
    return ran;
  }
};

TEST_F(ScheduleTest, CreatesWhatTheOptionsSay) {
  Ran ran = Ask({"create", "nightly", "--cron", "30 2 * * *", "--all"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  v1::Schedule expected;
  expected.set_name("nightly");
  expected.set_cron("30 2 * * *");
  expected.mutable_selector()->set_all(true);
  expected.set_missed_runs(v1::Schedule::SKIP);
  EXPECT_EQ(fake_.asked_schedule.DebugString(), expected.DebugString());
  ExpectGolden("schedule.txt", ran.out);

  ran = Ask({"create", "nightly", "--cron", "@daily", "--time-zone", "Asia/Kathmandu", "--host",
             "web-1", "-l", "env=prod", "--jitter", "90s", "--deadline", "5m", "--missed-runs",
             "run-once", "--description", "text", "--paused"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.asked_schedule.time_zone(), "Asia/Kathmandu");
  EXPECT_EQ(fake_.asked_schedule.selector().expression(), "env=prod");
  EXPECT_THAT(fake_.asked_schedule.selector().hosts(), ElementsAre("web-1"));
  EXPECT_EQ(fake_.asked_schedule.jitter().seconds(), 90);
  EXPECT_EQ(fake_.asked_schedule.timeout().seconds(), 300);
  EXPECT_EQ(fake_.asked_schedule.missed_runs(), v1::Schedule::RUN_ONCE);
  EXPECT_EQ(fake_.asked_schedule.description(), "text");
  EXPECT_TRUE(fake_.asked_schedule.paused());

  EXPECT_EQ(Ask({"create", "nightly", "--cron", "@daily"}).exit_status, kUsage) << "which hosts?";
  EXPECT_EQ(Ask({"create", "nightly", "--all"}).exit_status, kUsage) << "when?";
  EXPECT_EQ(Ask({"create", "n", "--cron", "@daily", "--all", "--missed-runs", "x"}).exit_status,
            kUsage);
}

TEST_F(ScheduleTest, UpdateChangesOnlyWhatIsGiven) {
  Ran ran = Ask({"update", "nightly", "--cron", "0 3 * * *"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  v1::Schedule expected = fake_.schedule;
  expected.set_cron("0 3 * * *");
  EXPECT_EQ(fake_.asked_schedule.DebugString(), expected.DebugString());
  EXPECT_EQ(fake_.asked_schedule.etag(), "3") << "another's change is not overwritten";
  ran = Ask({"update", "nightly", "--name", "weekly", "--all", "--jitter", "0s", "--description",
             "", "--time-zone", ""});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.asked_schedule.name(), "weekly");
  EXPECT_EQ(fake_.asked_schedule.id(), "sch-1");
  EXPECT_TRUE(fake_.asked_schedule.selector().all());
  EXPECT_TRUE(fake_.asked_schedule.selector().labels().empty());
  EXPECT_EQ(fake_.asked_schedule.jitter().seconds(), 0);
  EXPECT_EQ(fake_.asked_schedule.description(), "");
  EXPECT_EQ(fake_.asked_schedule.time_zone(), "");
}

TEST_F(ScheduleTest, ShowsListsAndChanges) {
  *fake_.schedules.add_schedules() = fake_.schedule;
  v1::Schedule& paused = *fake_.schedules.add_schedules();
  paused = fake_.schedule;
  paused.set_name("paused");
  paused.set_paused(true);
  paused.clear_last_run();
  Ran ran = Ask({"list"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  ExpectGolden("schedule-list.txt", ran.out);
  *fake_.runs.add_runs() = fake_.schedule.last_run();
  v1::ScheduleRun& started = *fake_.runs.add_runs();
  started = fake_.schedule.last_run();
  started.set_outcome(v1::ScheduleRun::STARTED);
  started.set_scan_id("s-1");
  started.clear_message();
  ran = Ask({"runs", "nightly"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  ExpectGolden("schedule-runs.txt", ran.out);
  fake_.runs.set_next_page_token("1");
  ran = Ask({"runs", "nightly", "--limit", "2"});
  EXPECT_THAT(ran.out, HasSubstr("… more; --limit 0 lists all"));
  fake_.runs.clear_next_page_token();
  for (const char* action : {"show", "pause", "resume", "delete"}) {
    EXPECT_EQ(Ask({action, "nightly"}).exit_status, kDone) << action;
  }
  EXPECT_THAT(fake_.asked,
              ElementsAre("ListSchedules", "ListScheduleRuns", "ListScheduleRuns", "GetSchedule",
                          "PauseSchedule", "ResumeSchedule", "DeleteSchedule"));
  fake_.status = grpc::Status(grpc::StatusCode::NOT_FOUND, "no schedule \"x\"");
  ran = Ask({"show", "x"});
  EXPECT_EQ(ran.exit_status, kUsage);
  EXPECT_THAT(ran.err, HasSubstr("no schedule"));
}

TEST_F(ScheduleTest, PreviewsOnTheClocksOfTheZone) {
  fake_.times.add_run_times()->set_seconds(1774746000);
  Ran ran = Ask({"preview", "30 2 * * *", "--time-zone", "Europe/Berlin", "--count", "1"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.asked_preview.cron(), "30 2 * * *");
  EXPECT_EQ(fake_.asked_preview.time_zone(), "Europe/Berlin");
  EXPECT_EQ(fake_.asked_preview.count(), 1);
  EXPECT_EQ(ran.out, "Sun 2026-03-29 03:00 +02:00   2026-03-29 01:00:00Z\n");
  ran = Ask({"preview", "30 2 * * *"});
  EXPECT_EQ(ran.out, "2026-03-29 01:00:00Z\n");
  fake_.times.clear_run_times();
  EXPECT_EQ(Ask({"preview", "0 0 30 2 *"}).out, "Never.\n");
}

}  // namespace
}  // namespace plimsoll::cli
