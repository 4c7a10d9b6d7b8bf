#include "controller/scans/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <pqxx/pqxx>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/store/store.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::scans {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

absl::Time Utc(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M:%E*S", text, absl::UTCTimeZone(), &time, &error))
      << text << ": " << error;
  return time;
}

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

v1::Schedule Schedule(const std::string& cron, const std::string& id = "sch-1") {
  v1::Schedule schedule;
  schedule.set_id(id);
  schedule.set_name("name-of-" + id);
  schedule.set_cron(cron);
  schedule.mutable_selector()->set_all(true);
  schedule.set_created_by("ann");
  return schedule;
}

absl::StatusOr<std::vector<std::string>> TwoHosts(const v1::HostSelector&) {
  return std::vector<std::string>{"h1", "h2"};
}

// --- When: no database ---------------------------------------------------------------------------

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

// --- What: no database ---------------------------------------------------------------------------

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

// --- Once: on a database
// -----------------------------------------------------------------------------

class SchedulerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* host : {"h1", "h2"}) ASSERT_TRUE(store::AddHost(*store_, host, host).ok());
  }
  std::unique_ptr<store::Store> OpenStore() {
    return *store::Store::Open({.url = url_, .pool_size = 2});
  }
  void Add(const v1::Schedule& schedule) {
    const auto next = NextRunOf(schedule, clock_.Now());
    ASSERT_TRUE(next.ok()) << next.status();
    const auto made = store_->schedules().Create(schedule, *next);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  // "HH:MM outcome", newest first.
  std::vector<std::string> Runs(const std::string& id = "sch-1") {
    std::vector<std::string> lines;
    const auto runs = store_->schedules().ListRuns({.schedule_id = id});
    EXPECT_TRUE(runs.ok()) << runs.status();
    if (!runs.ok()) return lines;
    for (const v1::ScheduleRun& run : *runs) {
      lines.push_back(absl::StrCat(
          absl::FormatTime("%H:%M ", TimeOf(run.scheduled_time()), absl::UTCTimeZone()),
          v1::ScheduleRun::Outcome_Name(run.outcome())));
      if (!run.scan_id().empty()) EXPECT_TRUE(store_->scans().Get(run.scan_id()).ok());
    }
    return lines;
  }
  size_t Scans() {
    const auto page = store_->scans().List({.limit = 1000});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? page->scans.size() : 0;
  }

  support::FakeClock clock_{Utc("2026-01-01 12:00:00")};
  const std::string url_ = plimsoll::testing::FreshDatabase();
  std::unique_ptr<store::Store> store_ = *store::Store::Open({.url = url_, .pool_size = 4});
  ScanBoard board_{store_->scans(), clock_};
  Scheduler scheduler_{store_->schedules(), board_, TwoHosts, clock_};
};

TEST_F(SchedulerTest, FiresWhenTheTimeComesAndAsksAtOnce) {
  std::vector<std::string> asked;
  board_.AddSession("h1", 1,
                    [&](const store::PendingScan& scan) { asked.push_back(scan.scan_id); });
  Add(Schedule("*/10 * * * *"));
  scheduler_.Tick();
  EXPECT_THAT(Runs(), IsEmpty());
  clock_.Advance(absl::Minutes(10));
  scheduler_.Tick();
  scheduler_.Tick();
  EXPECT_THAT(Runs(), ElementsAre("12:10 STARTED"));
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_EQ(store_->scans().Get(asked[0])->schedule_id(), "sch-1");
  EXPECT_EQ(store_->schedules().Get("sch-1")->schedule.last_run().scan_id(), asked[0]);
  clock_.Advance(absl::Minutes(10));
  scheduler_.Tick();
  EXPECT_THAT(Runs(), ElementsAre("12:20 STARTED", "12:10 STARTED"));
}

TEST_F(SchedulerTest, APausedOneDoesNot) {
  Add(Schedule("*/10 * * * *"));
  ASSERT_TRUE(store_->schedules()
                  .Update("sch-1",
                          [](store::StoredSchedule& stored) {
                            stored.schedule.set_paused(true);
                            return absl::OkStatus();
                          })
                  .ok());
  clock_.Advance(absl::Hours(1));
  scheduler_.Tick();
  EXPECT_THAT(Runs(), IsEmpty());
}

TEST_F(SchedulerTest, OneThatCannotFireHoldsUpNoOther) {
  Add(Schedule("*/10 * * * *", "sch-1"));
  Add(Schedule("*/10 * * * *", "sch-2"));
  // As if its zone had left the tz database.
  ASSERT_TRUE(store_->schedules()
                  .Update("sch-1",
                          [](store::StoredSchedule& stored) {
                            stored.schedule.set_time_zone("Mars/Base");
                            return absl::OkStatus();
                          })
                  .ok());
  clock_.Advance(absl::Minutes(11));
  scheduler_.Tick();
  EXPECT_THAT(Runs("sch-1"), IsEmpty());
  EXPECT_THAT(Runs("sch-2"), ElementsAre("12:10 STARTED"));
}

TEST_F(SchedulerTest, ManyControllersFireEachTimeOnce) {
  constexpr int kSchedules = 10;
  constexpr int kControllers = 4;
  constexpr int kRounds = 5;
  for (int i = 0; i < kSchedules; ++i) {
    v1::Schedule schedule = Schedule("* * * * *", absl::StrCat("sch-", i));
    schedule.mutable_jitter()->set_seconds(30);
    Add(schedule);
  }
  std::vector<std::unique_ptr<store::Store>> stores;
  std::vector<std::unique_ptr<ScanBoard>> boards;
  std::vector<std::unique_ptr<Scheduler>> schedulers;
  std::vector<std::atomic<int>> resolved(kControllers);
  for (int i = 0; i < kControllers; ++i) {
    stores.push_back(OpenStore());
    boards.push_back(std::make_unique<ScanBoard>(stores.back()->scans(), clock_));
    schedulers.push_back(std::make_unique<Scheduler>(
        stores.back()->schedules(), *boards.back(),
        [&resolved, i](const v1::HostSelector& selector) {
          ++resolved[i];
          return TwoHosts(selector);
        },
        clock_));
  }
  for (int round = 0; round < kRounds; ++round) {
    clock_.Advance(absl::Minutes(1));
    std::vector<std::thread> threads;
    for (auto& scheduler : schedulers) {
      threads.emplace_back([&scheduler] {
        for (int i = 0; i < 3; ++i) scheduler->Tick();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  // What a controller held while another passed it by.
  clock_.Advance(absl::Seconds(40));
  schedulers[0]->Tick();
  for (int i = 0; i < kSchedules; ++i) {
    EXPECT_THAT(Runs(absl::StrCat("sch-", i)),
                ElementsAre("12:05 STARTED", "12:04 STARTED", "12:03 STARTED", "12:02 STARTED",
                            "12:01 STARTED"));
  }
  EXPECT_EQ(Scans(), kSchedules * kRounds);
  int total = 0;
  for (const auto& count : resolved) total += count;
  EXPECT_EQ(total, kSchedules * kRounds) << "each was decided once";
}

TEST_F(SchedulerTest, AControllerKilledInTheMiddleIsTakenOver) {
  Add(Schedule("*/10 * * * *"));
  clock_.Advance(absl::Minutes(10));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // Another process, on connections of its own, which dies while it holds the schedule.
    auto store = store::Store::Open({.url = url_, .pool_size = 2});
    if (!store.ok()) _exit(1);
    ScanBoard board((*store)->scans(), clock_);
    Scheduler scheduler((*store)->schedules(), board,
                        [](const v1::HostSelector&) -> absl::StatusOr<std::vector<std::string>> {
                          raise(SIGKILL);
                          return std::vector<std::string>();
                        },
                        clock_);
    scheduler.Tick();
    _exit(2);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  // PostgreSQL lets go of the lock when it notices; until then the schedule is passed by.
  for (const absl::Time give_up = absl::Now() + absl::Seconds(30);
       Runs().empty() && absl::Now() < give_up;) {
    scheduler_.Tick();
  }
  EXPECT_THAT(Runs(), ElementsAre("12:10 STARTED"));
  EXPECT_EQ(Scans(), 1u);
}

TEST_F(SchedulerTest, AConnectionLostInTheMiddleUndoesAll) {
  Add(Schedule("*/10 * * * *"));
  clock_.Advance(absl::Minutes(10));
  int attempts = 0;
  Scheduler unlucky(
      store_->schedules(), board_,
      [&](const v1::HostSelector& selector) {
        if (++attempts == 1) {
          pqxx::connection connection(url_);
          pqxx::nontransaction(connection)
              .exec(
                  "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                  " WHERE datname = current_database() AND state = 'idle in transaction'");
        }
        return TwoHosts(selector);
      },
      clock_);
  unlucky.Tick();
  EXPECT_THAT(Runs(), IsEmpty());
  EXPECT_EQ(Scans(), 0u);
  unlucky.Tick();
  EXPECT_THAT(Runs(), ElementsAre("12:10 STARTED"));
  EXPECT_EQ(Scans(), 1u);
  EXPECT_EQ(attempts, 2);
}

}  // namespace
}  // namespace plimsoll::scans
