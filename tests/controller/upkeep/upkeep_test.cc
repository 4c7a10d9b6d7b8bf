#include "controller/upkeep/upkeep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::upkeep {
namespace {

using store::At;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kDay = absl::Hours(24);

class UpkeepTest : public store::StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    log_ = std::make_unique<access::ActivityLog>(store_->activity(), clock_);
  }
  std::unique_ptr<Upkeep> With(UpkeepOptions options) {
    v1::Activity controller;
    controller.set_actor_kind(v1::Activity::CONTROLLER);
    controller.set_actor_id("c-1");
    controller.set_actor_name("one");
    return std::make_unique<Upkeep>(*store_, *log_, clock_, controller, options);
  }

  std::vector<std::string> Hosts() {
    std::vector<std::string> ids;
    for (const pqxx::row& row : Sql("SELECT id FROM host WHERE removed IS NULL ORDER BY id")) {
      ids.push_back(row[0].as<std::string>());
    }
    return ids;
  }
  // Enrolled, seen at 1 s or at `seen`, and gone since.
  void AddUnseen(const std::string& id, absl::Time seen = At(1)) {
    const auto lease = AddHost(*store_, id, id);
    ASSERT_TRUE(lease.ok()) << lease.status();
    ASSERT_TRUE(store_->hosts().EndSession(id, lease->epoch, seen).ok());
  }
  // A scan that has ended at 10 s.
  void AddOldScan(const std::string& id) {
    store::NewScan scan;
    scan.id = id;
    scan.request_digest = "request";
    scan.create_time = At(0);
    scan.deadline = At(5);
    ASSERT_TRUE(store_->scans().Create(scan).ok());
    ASSERT_TRUE(store_->scans().Settle(At(10)).ok());
  }
  // A schedule that ran twice long ago, each time for nobody.
  void AddOldRuns() {
    v1::Schedule schedule;
    schedule.set_id("n");
    schedule.set_name("nightly");
    schedule.set_cron("@daily");
    ASSERT_TRUE(store_->schedules().Create(schedule, {At(0), At(0)}).ok());
    for (const int seconds : {0, 100}) {
      const auto fired =
          store_->schedules().Fire("n", At(999), [seconds](const store::StoredSchedule&) {
            store::Firing firing;
            v1::ScheduleRun& run = firing.runs.emplace_back();
            run.mutable_scheduled_time()->set_seconds(absl::ToUnixSeconds(At(seconds)));
            *run.mutable_fire_time() = run.scheduled_time();
            run.set_outcome(v1::ScheduleRun::SKIPPED);
            firing.next = {At(seconds + 100), At(seconds + 100)};
            return absl::StatusOr<store::Firing>(firing);
          });
      ASSERT_TRUE(fired.value_or(false)) << fired.status();
    }
  }
  // "actor action object" of all entries, newest first.
  std::vector<std::string> Activity() {
    EXPECT_TRUE(log_->Flush(absl::Seconds(30)));
    std::vector<std::string> lines;
    const auto entries = store_->activity().List({.limit = 100});
    EXPECT_TRUE(entries.ok()) << entries.status();
    if (!entries.ok()) return lines;
    for (const v1::Activity& entry : *entries) {
      lines.push_back(absl::StrCat(v1::Activity::ActorKind_Name(entry.actor_kind()), " ",
                                   entry.actor_id(), " ", entry.action(), " ", entry.object()));
    }
    return lines;
  }

  support::FakeClock clock_{At(0)};
  std::unique_ptr<access::ActivityLog> log_;
};

TEST_F(UpkeepTest, HostsThatNobodyHeardOfLeaveAndThatIsWrittenDown) {
  AddUnseen("h1");
  AddUnseen("h2", At(0) + kDay);
  ASSERT_TRUE(AddHost(*store_, "connected", "c").ok());
  clock_.Advance(kDay);
  With({.remove_after = absl::ZeroDuration()})->RemoveUnseenHosts();
  EXPECT_THAT(Hosts(), ElementsAre("connected", "h1", "h2"));
  With({.remove_after = kDay - absl::Seconds(1)})->RemoveUnseenHosts();
  EXPECT_THAT(Hosts(), ElementsAre("connected", "h1", "h2"));
  const auto upkeep = With({.remove_after = absl::Hours(12)});
  upkeep->RemoveUnseenHosts();
  upkeep->RemoveUnseenHosts();
  EXPECT_THAT(Hosts(), ElementsAre("connected", "h2"));
  EXPECT_THAT(Activity(), ElementsAre("CONTROLLER c-1 RemoveUnseenHost hosts/h1"));
}

TEST_F(UpkeepTest, HistoryAndScansPastTheirAgeGo) {
  AddUnseen("h1");
  store::TestEvaluation evaluation("h1", 1);
  evaluation.value.recorded = At(0);
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  // More than are removed at once.
  for (int i = 0; i < 9; ++i) AddOldScan(absl::StrCat("s", i));
  AddOldRuns();
  clock_.Advance(100 * kDay);
  store::NewScan running;
  running.id = "running";
  running.create_time = clock_.Now();
  running.deadline = clock_.Now() + absl::Hours(1);
  running.host_ids = {"h1"};
  ASSERT_TRUE(store_->scans().Create(running).ok());
  const auto transitions = [this] { return History("", "h1").size(); };
  const size_t all = transitions();
  ASSERT_GT(all, 0u);
  for (const absl::Duration keep : {absl::ZeroDuration(), 101 * kDay}) {
    With({.keep_history = keep})->RetainHistory();
    EXPECT_EQ(Count("scan"), 10) << keep;
    EXPECT_EQ(transitions(), all) << keep;
    EXPECT_EQ(Count("schedule_run"), 2) << keep;
  }
  With({.keep_history = 30 * kDay})->RetainHistory();
  EXPECT_EQ(Count("scan"), 1);
  EXPECT_TRUE(store_->scans().Get("running").ok());
  EXPECT_EQ(transitions(), 0u);
  EXPECT_EQ(Count("schedule_run"), 1) << "the newest stays";
  EXPECT_TRUE(store_->reports().GetFacts("h1").ok()) << "what holds stays";
}

TEST_F(UpkeepTest, OldActivityGoesAndThatIsWrittenDown) {
  for (const int day : {0, 1, 9}) {
    v1::Activity entry;
    entry.set_actor_id("ann");
    entry.set_action(absl::StrCat("Day", day));
    entry.mutable_time()->set_seconds(absl::ToUnixSeconds(At(0) + day * kDay));
    ASSERT_TRUE(log_->Record(entry).ok());
    if (day == 0) clock_.Advance(kDay);
    if (day == 1) clock_.Advance(8 * kDay);
  }
  for (const absl::Duration keep : {absl::ZeroDuration(), 20 * kDay}) {
    With({.keep_activity = keep})->RetainActivity();
    EXPECT_EQ(Activity().size(), 3u) << keep;
  }
  With({.keep_activity = 5 * kDay})->RetainActivity();
  const auto left = Activity();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_THAT(left[0], ::testing::StartsWith("CONTROLLER c-1 DropActivity "));
  EXPECT_THAT(left[1], ::testing::HasSubstr("ann Day9"));
}

TEST_F(UpkeepTest, RecordsOfCertificatesGoAMonthAfterTheirEnd) {
  AddUnseen("h1");
  ASSERT_TRUE(store_->enrollment()
                  .RecordCertificate({"renewed", "h1", At(0), At(0) + 90 * kDay}, "serial of h1")
                  .ok());
  ASSERT_TRUE(store_->enrollment()
                  .RecordCertificate({"old", "h1", At(0), At(0) + kDay}, "serial of h1")
                  .ok());
  const auto upkeep = With({});
  for (const int day : {1, 2, 30}) {
    clock_ = support::FakeClock(At(0) + day * kDay);
    upkeep->RemoveOldCertificates();
    EXPECT_TRUE(store_->enrollment().CheckCertificate("old", "h1").ok()) << day;
  }
  clock_.Advance(2 * kDay);
  upkeep->RemoveOldCertificates();
  EXPECT_FALSE(store_->enrollment().CheckCertificate("old", "h1").ok());
  EXPECT_TRUE(store_->enrollment().CheckCertificate("renewed", "h1").ok());
}

TEST_F(UpkeepTest, SessionsThatNobodyUsesGo) {
  v1::User user;
  user.set_id("u-1");
  user.set_name("ann");
  user.set_role(v1::ROLE_ADMIN);
  ASSERT_TRUE(store_->users().Create(user, "hash").ok());
  for (const char* id : {"idle", "used"}) {
    store::NewSession session;
    session.id = id;
    session.secret_hash = absl::StrCat("hash of ", id);
    session.user_id = "u-1";
    session.password_hash = "hash";
    session.created = At(0);
    session.expires = At(0) + kDay;
    session.code_hash = absl::StrCat("code of ", id);
    session.code_expires = At(0) + absl::Minutes(1);
    ASSERT_TRUE(store_->users().BeginSession(session).ok());
  }
  EXPECT_EQ(Count("spent_code"), 2);
  clock_.Advance(absl::Hours(2));
  ASSERT_TRUE(store_->users().Touch({{"used", clock_.Now()}}).ok());
  With({.session_idle = absl::Hours(3)})->RemoveDeadSessions();
  EXPECT_EQ(Count("session"), 2);
  EXPECT_EQ(Count("spent_code"), 0) << "past its end";
  With({.session_idle = absl::Hours(1)})->RemoveDeadSessions();
  EXPECT_EQ(Count("session"), 1);
  clock_.Advance(kDay);
  With({.session_idle = 9 * kDay})->RemoveDeadSessions();
  EXPECT_EQ(Count("session"), 0) << "past its end";
}

TEST_F(UpkeepTest, SessionsOfDeadControllersEnd) {
  ASSERT_TRUE(store_->controllers().Beat("c-2", "two", At(0)).ok());
  AddUnseen("h1");
  store::SessionStart start;
  start.host_id = "h1";
  start.controller_id = "c-2";
  start.time = At(2);
  ASSERT_TRUE(store_->hosts().BeginSession(start).ok());
  const auto upkeep = With({.controller_timeout = absl::Minutes(1)});
  const auto connected = [this] {
    return store_->hosts().Get("h1")->connection() == v1::Host::CONNECTED;
  };
  const auto beat = [&](int times) {
    for (int i = 0; i < times; ++i) {
      clock_.Advance(absl::Seconds(20));
      upkeep->Beat("one");
    }
  };
  beat(5);
  EXPECT_TRUE(connected()) << "it lives";
  // The database was away, and both were silent: the other has as long as it is allowed.
  clock_.Advance(absl::Minutes(2));
  Sql("UPDATE controller SET seen = now() - interval '2 minutes'");
  beat(3);
  EXPECT_TRUE(connected());
  ASSERT_TRUE(store_->controllers().Beat("c-2", "two", clock_.Now()).ok());
  beat(3);
  EXPECT_TRUE(connected()) << "it is back";
  Sql("UPDATE controller SET seen = now() - interval '2 minutes' WHERE id = 'c-2'");
  beat(1);
  EXPECT_FALSE(connected());
}

// A controller that was down for longer than hosts may be unseen must not remove them all.
TEST_F(UpkeepTest, AtTheStartOldHistoryGoesAndNoHost) {
  AddUnseen("h1");
  AddOldScan("s");
  clock_.Advance(100 * kDay);
  const auto upkeep = With({.remove_after = kDay, .keep_history = kDay, .session_idle = kDay});
  support::Ticker ticker(clock_);
  upkeep->AddTo(ticker);
  ticker.Start();
  for (int i = 0; i < 1500 && Count("scan") > 0; ++i) absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(Count("scan"), 0);
  ticker.Stop();
  EXPECT_THAT(Hosts(), ElementsAre("h1"));
  EXPECT_THAT(Activity(), IsEmpty());
}

}  // namespace
}  // namespace plimsoll::upkeep
