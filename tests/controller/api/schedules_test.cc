#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/match.h"
#include "tests/controller/api/scan_parts.h"

namespace plimsoll::api {
namespace {

using ::testing::ElementsAre;

class SchedulesTest : public ::testing::Test {
 protected:
  SchedulesTest() { EXPECT_TRUE(store::AddHost(*parts_.store, "h-1", "web-1").ok()); }

  static v1::Schedule Nightly(const std::string& name = "nightly") {
    v1::Schedule schedule;
    schedule.set_name(name);
    schedule.set_cron("30 2 * * *");
    schedule.set_time_zone("Europe/Berlin");
    schedule.mutable_selector()->set_all(true);
    return schedule;
  }
  absl::StatusOr<v1::Schedule> Create(const v1::Schedule& schedule) {
    v1::CreateScheduleRequest request;
    *request.mutable_schedule() = schedule;
    return parts_.schedules.Create(parts_.otto, request);
  }
  absl::StatusOr<v1::Schedule> Update(const v1::Schedule& schedule) {
    v1::UpdateScheduleRequest request;
    *request.mutable_schedule() = schedule;
    return parts_.schedules.Update(parts_.otto, request);
  }
  // Request of any method that names a schedule.
  template <class Request>
  static Request Named(const std::string& name) {
    Request request;
    request.set_schedule(name);
    return request;
  }
  static absl::Time NextOf(const v1::Schedule& schedule) {
    return absl::FromUnixSeconds(schedule.next_run_time().seconds());
  }

  ScanParts parts_;
};

TEST_F(SchedulesTest, MakesWhatIsAsked) {
  v1::Schedule asked = Nightly();
  asked.set_id("mine");
  asked.set_created_by("somebody");
  const auto made = Create(asked);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(absl::StartsWith(made->id(), "sch-")) << made->id();
  EXPECT_EQ(made->created_by(), "otto");
  // At(100) is 2023-11-14 22:15 UTC; half past two in Berlin is 01:30 UTC.
  EXPECT_EQ(absl::FormatTime("%F %T", NextOf(*made), absl::UTCTimeZone()), "2023-11-15 01:30:00");
  EXPECT_TRUE(absl::IsAlreadyExists(Create(Nightly()).status()));
  EXPECT_EQ(parts_.schedules.Get(parts_.viewer, Named<v1::GetScheduleRequest>("nightly"))->id(),
            made->id());
}

TEST_F(SchedulesTest, SaysWhichFieldIsWrong) {
  const struct {
    std::function<void(v1::Schedule&)> change;
    const char* complaint;
  } cases[] = {
      {[](v1::Schedule& s) { s.set_name(""); }, "name: expected"},
      {[](v1::Schedule& s) { s.set_name("Nightly"); }, "name: expected"},
      {[](v1::Schedule& s) { s.set_name(std::string(64, 'a')); }, "name: expected"},
      {[](v1::Schedule& s) { s.set_cron("30 25 * * *"); }, "cron: hour \"25\""},
      {[](v1::Schedule& s) { s.set_cron("0 0 30 2 *"); }, "never fires"},
      {[](v1::Schedule& s) { s.set_time_zone("Mars/Base"); }, "time_zone: \"Mars/Base\""},
      {[](v1::Schedule& s) { s.clear_selector(); }, "selector.all, or any of"},
      {[](v1::Schedule& s) { s.mutable_selector()->add_hosts("x"); }, "no other member"},
      {[](v1::Schedule& s) {
         s.mutable_selector()->Clear();
         s.mutable_selector()->set_expression("==");
       },
       "column 1"},
      {[](v1::Schedule& s) { s.mutable_jitter()->set_seconds(3601); }, "jitter: expected"},
      {[](v1::Schedule& s) { s.mutable_jitter()->set_seconds(-1); }, "jitter: expected"},
      {[](v1::Schedule& s) { s.mutable_timeout()->set_seconds(0); }, "timeout: expected"},
      {[](v1::Schedule& s) { s.set_description(std::string(513, 'x')); }, "description: longer"},
      {[](v1::Schedule& s) { s.set_missed_runs(static_cast<v1::Schedule::MissedRuns>(9)); },
       "missed_runs: expected"},
  };
  const auto existing = Create(Nightly("existing"));
  ASSERT_TRUE(existing.ok()) << existing.status();
  for (const auto& c : cases) {
    for (const bool update : {false, true}) {
      v1::Schedule schedule = update ? *existing : Nightly();
      c.change(schedule);
      const absl::Status status = (update ? Update(schedule) : Create(schedule)).status();
      EXPECT_TRUE(absl::IsInvalidArgument(status)) << c.complaint << ": " << status;
      EXPECT_TRUE(absl::StrContains(status.message(), c.complaint)) << status;
    }
  }
}

TEST_F(SchedulesTest, UpdatesRespectOthersAndWhatIsUnderWay) {
  v1::Schedule asked = Nightly();
  asked.mutable_jitter()->set_seconds(3600);
  const auto made = Create(asked);
  ASSERT_TRUE(made.ok()) << made.status();
  // Between the time and its jitter: the run that is due is not lost to another description.
  const absl::Time due = NextOf(*made);
  parts_.clock.Advance(due - absl::Seconds(1) - parts_.clock.Now());
  v1::Schedule described = *made;
  described.set_description("new");
  auto changed = Update(described);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(NextOf(*changed), due);
  EXPECT_EQ(changed->description(), "new");
  // The first etag is stale now; none means whatever it is.
  const auto stale = Update(described);
  EXPECT_TRUE(absl::IsFailedPrecondition(stale.status())) << stale.status();
  described.clear_etag();
  described.set_cron("0 12 * * *");
  described.clear_jitter();
  changed = Update(described);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(absl::FormatTime("%T", NextOf(*changed), absl::UTCTimeZone()), "11:00:00");
  // By name where no id is given; by id it can be renamed.
  described.clear_id();
  EXPECT_TRUE(Update(described).ok());
  described.set_id(made->id());
  described.set_name("noon");
  EXPECT_EQ(Update(described)->name(), "noon");
  described.set_id("sch-none");
  EXPECT_TRUE(absl::IsNotFound(Update(described).status()));
}

TEST_F(SchedulesTest, NoTimeIsFiredTwice) {
  v1::Schedule every = Nightly();
  every.set_cron("* * * * *");
  const auto made = Create(every);
  ASSERT_TRUE(made.ok()) << made.status();
  parts_.clock.Advance(absl::Minutes(2));
  scans::Scheduler scheduler(parts_.store->schedules(), parts_.board, StoreResolver(*parts_.store),
                             parts_.clock);
  scheduler.Tick();
  const auto fired = parts_.store->schedules().Get("nightly");
  // Another controller, whose clock is behind, changes it.
  parts_.clock.Advance(-absl::Minutes(2));
  every.set_cron("*/1 * * * *");
  ASSERT_TRUE(Update(every).ok());
  const auto stored = parts_.store->schedules().Get("nightly");
  EXPECT_GT(stored->next.scheduled, fired->last_scheduled);
}

TEST_F(SchedulesTest, PausesAndResumes) {
  ASSERT_TRUE(Create(Nightly()).ok());
  const auto paused =
      parts_.schedules.Pause(parts_.otto, Named<v1::PauseScheduleRequest>("nightly"));
  ASSERT_TRUE(paused.ok()) << paused.status();
  EXPECT_TRUE(paused->paused());
  EXPECT_FALSE(paused->has_next_run_time());
  EXPECT_EQ(parts_.schedules.Pause(parts_.otto, Named<v1::PauseScheduleRequest>("nightly"))->etag(),
            paused->etag());
  parts_.clock.Advance(absl::Hours(72));
  const auto resumed =
      parts_.schedules.Resume(parts_.otto, Named<v1::ResumeScheduleRequest>("nightly"));
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_GT(NextOf(*resumed), parts_.clock.Now()) << "nothing is made up";
  const auto gone =
      parts_.schedules.Delete(parts_.otto, Named<v1::DeleteScheduleRequest>("nightly"));
  EXPECT_EQ(gone->id(), resumed->id());
  EXPECT_TRUE(absl::IsNotFound(
      parts_.schedules.Pause(parts_.otto, Named<v1::PauseScheduleRequest>("nightly")).status()));
}

TEST_F(SchedulesTest, PagesOfSchedulesAndRuns) {
  for (const char* name : {"c", "a", "b"}) {
    v1::Schedule schedule = Nightly(name);
    schedule.set_cron("* * * * *");
    ASSERT_TRUE(Create(schedule).ok());
  }
  std::vector<std::string> names;
  v1::ListSchedulesRequest list;
  list.set_page_size(2);
  do {
    const auto page = parts_.schedules.List(parts_.viewer, list);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Schedule& schedule : page->schedules()) names.push_back(schedule.name());
    list.set_page_token(page->next_page_token());
  } while (!list.page_token().empty());
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));

  scans::Scheduler scheduler(parts_.store->schedules(), parts_.board, StoreResolver(*parts_.store),
                             parts_.clock);
  for (int i = 0; i < 5; ++i) {
    parts_.clock.Advance(absl::Minutes(1));
    scheduler.Tick();
  }
  std::vector<int64_t> times;
  auto runs = Named<v1::ListScheduleRunsRequest>("a");
  runs.set_page_size(2);
  do {
    const auto page = parts_.schedules.ListRuns(parts_.viewer, runs);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::ScheduleRun& run : page->runs()) times.push_back(run.scheduled_time().seconds());
    runs.set_page_token(page->next_page_token());
  } while (!runs.page_token().empty());
  ASSERT_EQ(times.size(), 5u);
  for (size_t i = 1; i < times.size(); ++i) EXPECT_EQ(times[i - 1] - times[i], 60);
  runs.set_page_token("eA");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.schedules.ListRuns(parts_.viewer, runs).status()));
}

TEST_F(SchedulesTest, PreviewsWithoutASchedule) {
  v1::PreviewScheduleRequest request;
  request.set_cron("0 12 * * *");
  auto preview = parts_.schedules.Preview(parts_.viewer, request);
  ASSERT_TRUE(preview.ok()) << preview.status();
  EXPECT_EQ(preview->run_times_size(), 5);
  request.set_cron("0 0 30 2 *");
  EXPECT_EQ(parts_.schedules.Preview(parts_.viewer, request)->run_times_size(), 0);
  request.set_count(101);
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.schedules.Preview(parts_.viewer, request).status()));
  request.set_count(1);
  request.set_cron("x");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.schedules.Preview(parts_.viewer, request).status()));
}

}  // namespace
}  // namespace plimsoll::api
