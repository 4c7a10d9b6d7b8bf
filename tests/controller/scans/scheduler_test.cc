#include "controller/scans/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <pqxx/pqxx>
#include <thread>

#include "absl/strings/str_cat.h"
#include "controller/store/store.h"
#include "tests/controller/scans/schedule_samples.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::scans {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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
      if (!run.scan_id().empty()) {
        EXPECT_TRUE(store_->scans().Get(run.scan_id()).ok());
      }
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
