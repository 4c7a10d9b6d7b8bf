#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "controller/store/postgres/sql_values.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SchedulesTest : public StoreTestBase {
 protected:
  ScheduleStore& schedules() { return store_->schedules(); }

  static v1::Schedule Nightly(const std::string& id, const std::string& name) {
    v1::Schedule schedule;
    schedule.set_id(id);
    schedule.set_name(name);
    schedule.set_cron("0 3 * * *");
    schedule.set_time_zone("Europe/Berlin");
    schedule.mutable_selector()->add_hosts("h1");
    (*schedule.mutable_selector()->mutable_labels())["env"] = "prod";
    schedule.mutable_jitter()->set_seconds(60);
    schedule.mutable_timeout()->set_seconds(900);
    schedule.set_missed_runs(v1::Schedule::RUN_ONCE);
    schedule.set_description("every night");
    schedule.set_created_by("ann");
    *schedule.mutable_create_time() = TimestampOf(At(0));
    return schedule;
  }
  static NextRun RunAt(int seconds) { return {At(seconds), At(seconds + 1)}; }
  // Fires as of `scheduled`; next at `next`.
  static Firing Fired(int scheduled, int next) {
    Firing firing;
    v1::ScheduleRun& run = firing.runs.emplace_back();
    *run.mutable_scheduled_time() = TimestampOf(At(scheduled));
    *run.mutable_fire_time() = TimestampOf(At(scheduled + 2));
    run.set_outcome(v1::ScheduleRun::STARTED);
    run.set_scan_id(absl::StrCat("s", scheduled));
    firing.scan.emplace();
    firing.scan->id = run.scan_id();
    firing.scan->create_time = At(scheduled + 2);
    firing.scan->deadline = At(scheduled + 100);
    firing.scan->host_ids = {"h1", "h9"};
    firing.scan->schedule_id = "a";
    firing.next = RunAt(next);
    return firing;
  }
};

TEST_F(SchedulesTest, KeepsWhatItIsGiven) {
  const auto made = schedules().Create(Nightly("a", "nightly"), RunAt(100));
  ASSERT_TRUE(made.ok()) << made.status();
  v1::Schedule expected = Nightly("a", "nightly");
  expected.set_etag("1");
  *expected.mutable_next_run_time() = TimestampOf(At(101));
  EXPECT_EQ(made->DebugString(), expected.DebugString());
  for (const char* key : {"a", "nightly"}) {
    const auto stored = schedules().Get(key);
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(stored->schedule.DebugString(), expected.DebugString());
    EXPECT_EQ(stored->next.scheduled, At(100));
    EXPECT_EQ(stored->next.fire, At(101));
    EXPECT_EQ(stored->last_scheduled, absl::InfinitePast());
  }
  EXPECT_TRUE(
      absl::IsAlreadyExists(schedules().Create(Nightly("b", "nightly"), RunAt(1)).status()));
  EXPECT_TRUE(absl::IsNotFound(schedules().Get("none").status()));
  ASSERT_TRUE(schedules().Create(Nightly("b", "never"), {}).ok());
  EXPECT_FALSE(schedules().Get("b")->schedule.has_next_run_time());
  EXPECT_EQ(schedules().Get("b")->next.fire, absl::InfiniteFuture());
}

TEST_F(SchedulesTest, ListsByName) {
  for (const char* name : {"c", "a", "b"}) {
    ASSERT_TRUE(schedules().Create(Nightly(absl::StrCat("id-", name), name), RunAt(1)).ok());
  }
  std::vector<std::string> names;
  for (const char* after : {"", "b"}) {
    const auto page = schedules().List(after, 2);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Schedule& schedule : *page) names.push_back(schedule.name());
  }
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

TEST_F(SchedulesTest, ChangesUnderALock) {
  ASSERT_TRUE(schedules().Create(Nightly("a", "nightly"), RunAt(100)).ok());
  ASSERT_TRUE(schedules().Create(Nightly("b", "weekly"), RunAt(100)).ok());
  const auto changed = schedules().Update("a", [](StoredSchedule& stored) {
    stored.schedule.set_name("hourly");
    stored.schedule.set_paused(true);
    stored.next = RunAt(200);
    return absl::OkStatus();
  });
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(changed->name(), "hourly");
  EXPECT_EQ(changed->etag(), "2");
  EXPECT_FALSE(changed->has_next_run_time()) << "paused";
  EXPECT_THAT(*schedules().ListDue(At(999), 10), ElementsAre("b"));
  const auto refused =
      schedules().Update("a", [](StoredSchedule&) { return absl::CancelledError("no"); });
  EXPECT_TRUE(absl::IsCancelled(refused.status()));
  EXPECT_EQ(schedules().Get("a")->schedule.etag(), "2");
  EXPECT_TRUE(absl::IsAlreadyExists(schedules()
                                        .Update("a",
                                                [](StoredSchedule& stored) {
                                                  stored.schedule.set_name("weekly");
                                                  return absl::OkStatus();
                                                })
                                        .status()));
  EXPECT_TRUE(absl::IsNotFound(
      schedules().Update("c", [](StoredSchedule&) { return absl::OkStatus(); }).status()));
  // Nobody's change is lost.
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto status = schedules().Update("a", [](StoredSchedule& stored) {
        stored.schedule.set_description(stored.schedule.description() + "+");
        return absl::OkStatus();
      });
      EXPECT_TRUE(status.ok()) << status.status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(schedules().Get("a")->schedule.description(), "every night++++");
}

TEST_F(SchedulesTest, FiresInOneTransaction) {
  ASSERT_TRUE(AddHost(*store_, "h1", "beta").ok());
  ASSERT_TRUE(schedules().Create(Nightly("a", "nightly"), RunAt(100)).ok());
  EXPECT_THAT(*schedules().ListDue(At(100), 10), IsEmpty());
  EXPECT_THAT(*schedules().ListDue(At(101), 10), ElementsAre("a"));
  int asked = 0;
  const auto decide = [&](const StoredSchedule& stored) -> absl::StatusOr<Firing> {
    ++asked;
    EXPECT_EQ(stored.next.scheduled, At(100));
    return Fired(100, 200);
  };
  EXPECT_FALSE(*schedules().Fire("a", At(100), decide)) << "not due yet";
  EXPECT_EQ(asked, 0);
  const auto fired = schedules().Fire("a", At(102), decide);
  ASSERT_TRUE(fired.ok()) << fired.status();
  EXPECT_TRUE(*fired);
  EXPECT_FALSE(*schedules().Fire("a", At(102), decide)) << "not any more";
  EXPECT_FALSE(*schedules().Fire("none", At(102), decide));
  EXPECT_EQ(asked, 1);

  const auto stored = schedules().Get("a");
  EXPECT_EQ(stored->next.scheduled, At(200));
  EXPECT_EQ(stored->last_scheduled, At(100));
  EXPECT_EQ(stored->schedule.last_run().scan_id(), "s100");
  EXPECT_EQ(TimeOf(stored->schedule.last_run().fire_time()), At(102));
  EXPECT_EQ(stored->schedule.etag(), "1");
  const auto scan = store_->scans().Get("s100");
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->schedule_id(), "a");
  EXPECT_EQ(scan->hosts_size(), 1) << "a host that does not exist is left out";
}

TEST_F(SchedulesTest, WhatFailsLeavesNothingBehind) {
  ASSERT_TRUE(AddHost(*store_, "h1", "beta").ok());
  ASSERT_TRUE(schedules().Create(Nightly("a", "nightly"), RunAt(100)).ok());
  const auto refused = schedules().Fire("a", At(102), [](const StoredSchedule&) {
    return absl::StatusOr<Firing>(absl::UnavailableError("not yet"));
  });
  EXPECT_TRUE(absl::IsUnavailable(refused.status()));
  // A time that was dealt with: the key says no, and takes the scan with it.
  const auto fire = [&](int scan) {
    return schedules().Fire("a", At(500), [scan](const StoredSchedule&) {
      Firing firing = Fired(100, 200);
      firing.scan->id = absl::StrCat("scan-", scan);
      return absl::StatusOr<Firing>(firing);
    });
  };
  EXPECT_TRUE(*fire(1));
  EXPECT_FALSE(fire(2).ok());
  EXPECT_TRUE(store_->scans().Get("scan-1").ok());
  EXPECT_TRUE(absl::IsNotFound(store_->scans().Get("scan-2").status()));
  EXPECT_EQ(Count("schedule_run"), 1);
}

TEST_F(SchedulesTest, NobodyWaitsForWhatAnotherHas) {
  ASSERT_TRUE(AddHost(*store_, "h1", "beta").ok());
  ASSERT_TRUE(schedules().Create(Nightly("a", "nightly"), RunAt(100)).ok());
  const auto fired = schedules().Fire("a", At(102), [&](const StoredSchedule&) {
    const auto other = schedules().Fire("a", At(102), [](const StoredSchedule&) {
      ADD_FAILURE() << "both have it";
      return absl::StatusOr<Firing>(Fired(100, 200));
    });
    EXPECT_TRUE(other.ok()) << other.status();
    EXPECT_FALSE(other.value_or(true));
    return absl::StatusOr<Firing>(Fired(100, 200));
  });
  EXPECT_TRUE(fired.value_or(false)) << fired.status();
}

TEST_F(SchedulesTest, RunsComeInPagesAndOldOnesGo) {
  ASSERT_TRUE(AddHost(*store_, "h1", "beta").ok());
  ASSERT_TRUE(schedules().Create(Nightly("a", "nightly"), RunAt(0)).ok());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(*schedules().Fire("a", At(999), [i](const StoredSchedule&) {
      return absl::StatusOr<Firing>(Fired(i * 100, i * 100 + 100));
    }));
  }
  std::vector<std::string> scans;
  RunQuery query{.schedule_id = "a", .limit = 2};
  while (true) {
    const auto runs = schedules().ListRuns(query);
    ASSERT_TRUE(runs.ok()) << runs.status();
    if (runs->empty()) break;
    for (const v1::ScheduleRun& run : *runs) scans.push_back(run.scan_id());
    query.before = TimeOf(runs->back().scheduled_time());
  }
  EXPECT_THAT(scans, ElementsAre("s400", "s300", "s200", "s100", "s0"));
  EXPECT_TRUE(absl::IsNotFound(schedules().ListRuns({.schedule_id = "b"}).status()));

  ASSERT_TRUE(schedules().RemoveRuns(At(202)).ok());
  EXPECT_EQ(Count("schedule_run"), 3);
  ASSERT_TRUE(schedules().RemoveRuns(At(99999)).ok());
  EXPECT_EQ(Count("schedule_run"), 1) << "the newest stays";
  ASSERT_TRUE(schedules().Delete("a").ok());
  EXPECT_TRUE(absl::IsNotFound(schedules().Delete("a")));
  EXPECT_EQ(Count("schedule_run"), 0);
  EXPECT_TRUE(store_->scans().Get("s400").ok()) << "scans stay";
}

}  // namespace
}  // namespace plimsoll::store
