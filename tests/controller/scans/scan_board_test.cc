#include "controller/scans/scan_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/store/change_feed.h"
#include "controller/store/store.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::scans {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A controller: a store of its own and a board on one database.
struct Controller {
  Controller(const std::string& url, const support::Clock& clock)
      : store(*store::Store::Open({.url = url, .pool_size = 4})), board(store->scans(), clock) {}

  // A session that records what it is asked: "session scan".
  void Connect(const std::string& host, uint64_t session) {
    store::SessionStart start;
    start.host_id = host;
    start.hostname = "name-" + host;
    start.time = store::At(2);
    const auto lease = store->hosts().BeginSession(start);
    ASSERT_TRUE(lease.ok()) << lease.status();
    board.AddSession(host, session, [this, session](const store::PendingScan& scan) {
      absl::MutexLock lock(&mutex);
      asked.push_back(absl::StrCat(session, " ", scan.scan_id));
    });
  }
  std::vector<std::string> Asked() {
    absl::MutexLock lock(&mutex);
    return asked;
  }
  // Whether it was asked `count` times before long.
  bool AwaitAsked(size_t count) {
    absl::MutexLock lock(&mutex);
    const auto there = [&] { return asked.size() >= count; };
    return mutex.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(30));
  }

  absl::Mutex mutex;
  std::vector<std::string> asked;
  std::unique_ptr<store::Store> store;
  ScanBoard board;
};

// Two controllers. h1 is connected to the first, h2 was never seen.
class ScanBoardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* host : {"h1", "h2"}) {
      const auto lease = store::AddHost(*a_.store, host, absl::StrCat("name-", host));
      ASSERT_TRUE(lease.ok()) << lease.status();
      ASSERT_TRUE(a_.store->hosts().EndSession(host, lease->epoch, store::At(1)).ok());
    }
    a_.Connect("h1", 1);
  }

  absl::StatusOr<v1::Scan> Create(const std::string& id, const std::vector<std::string>& hosts,
                                  const std::string& key = "", Controller* by = nullptr) {
    store::NewScan scan;
    scan.id = id;
    scan.created_by = "ann";
    scan.idempotency_key = key;
    scan.request_digest = "request";
    scan.create_time = clock_.Now();
    scan.deadline = deadline_;
    scan.host_ids = hosts;
    return (by == nullptr ? a_ : *by).board.Create(scan);
  }
  // The host's facts of sequence `sequence` answer the scans.
  void Answer(Controller& controller, const std::string& host, uint64_t sequence,
              const std::vector<std::string>& scan_ids) {
    store::TestEvaluation evaluation(host, sequence);
    evaluation.value.scan_ids = scan_ids;
    const absl::Status status = controller.store->reports().Put(evaluation.Done());
    ASSERT_TRUE(status.ok()) << status;
    controller.board.Answered(scan_ids);
  }
  // State of a scan and of its hosts by name: "RUNNING REQUESTED OFFLINE".
  std::string States(const std::string& id) {
    const auto scan = a_.board.Get(id);
    if (!scan.ok()) return scan.status().ToString();
    std::string states = v1::Scan::State_Name(scan->state());
    for (const v1::ScanHost& host : scan->hosts()) {
      absl::StrAppend(&states, " ", v1::ScanHost::State_Name(host.state()));
    }
    return states;
  }
  int64_t Statements() {
    pqxx::connection connection(url_);
    return pqxx::nontransaction(connection)
        .exec(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database"
            " WHERE datname = current_database()")[0][0]
        .as<int64_t>();
  }

  support::FakeClock clock_{store::At(100)};
  const absl::Time deadline_ = clock_.Now() + absl::Minutes(2);
  const std::string url_ = plimsoll::testing::FreshDatabase();
  Controller a_{url_, clock_};
  Controller b_{url_, clock_};
};

TEST_F(ScanBoardTest, AsksThoseWhoAreThereAndLaterThoseWhoCome) {
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  EXPECT_THAT(a_.asked, ElementsAre("1 s1"));
  EXPECT_EQ(States("s1"), "RUNNING REQUESTED OFFLINE");
  a_.Connect("h2", 2);
  EXPECT_THAT(a_.asked, ElementsAre("1 s1", "2 s1"));
  EXPECT_EQ(States("s1"), "RUNNING REQUESTED REQUESTED");
}

TEST_F(ScanBoardTest, ANewerSessionIsAskedAgainAndTheOlderNoMore) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  a_.Connect("h1", 2);
  a_.board.RemoveSession("h1", 1);
  ASSERT_TRUE(Create("s2", {"h1"}).ok());
  EXPECT_THAT(a_.asked, ElementsAre("1 s1", "2 s1", "2 s2"));
  a_.board.RemoveSession("h1", 2);
  ASSERT_TRUE(Create("s3", {"h1"}).ok());
  EXPECT_EQ(a_.asked.size(), 3u);
}

TEST_F(ScanBoardTest, ASessionIsAskedOnceHoweverOftenItIsHeardOf) {
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  for (int i = 0; i < 3; ++i) {
    a_.board.OnScanChanged("s1");
    a_.board.Tick();
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(a_.asked, ElementsAre("1 s1"));
}

TEST_F(ScanBoardTest, AHostWithAnOpenRequestIsAskedBoth) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  clock_.Advance(absl::Seconds(1));
  const auto second = Create("s2", {"h1"});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->hosts(0).joined_scan_id(), "s1");
  EXPECT_THAT(a_.asked, ElementsAre("1 s1", "1 s2"));
  Answer(a_, "h1", 1, {"s1", "s2"});
  EXPECT_EQ(States("s1"), "DONE EVALUATED");
  EXPECT_EQ(States("s2"), "DONE EVALUATED");
}

TEST_F(ScanBoardTest, ARepeatedKeyAsksNobodyTwice) {
  auto first = Create("s1", {"h1"}, "key");
  ASSERT_TRUE(first.ok()) << first.status();
  auto again = Create("s2", {"h1"}, "key");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->id(), "s1");
  EXPECT_THAT(a_.asked, ElementsAre("1 s1"));
}

TEST_F(ScanBoardTest, AnUnknownHostMakesNoScan) {
  EXPECT_TRUE(absl::IsNotFound(Create("s1", {"h1", "h9"}).status()));
  EXPECT_THAT(a_.asked, IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(a_.board.Get("s1").status()));
}

TEST_F(ScanBoardTest, AnswersSettleTheScanAndWatchersHear) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  int s1 = 0;
  int other = 0;
  const uint64_t handle = a_.board.Watch("s1", [&] { ++s1; });
  a_.board.Watch("s2", [&] { ++other; });
  Answer(a_, "h1", 1, {"s1"});
  EXPECT_GE(s1, 1);
  EXPECT_EQ(other, 0);
  EXPECT_EQ(States("s1"), "DONE EVALUATED");
  const int heard = s1;
  a_.board.Unwatch("s1", handle);
  a_.board.Unwatch("s1", handle);
  a_.board.Answered({"s1"});
  EXPECT_EQ(s1, heard);
}

TEST_F(ScanBoardTest, AFailureSettlesTooAndKeepsItsReason) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  int calls = 0;
  a_.board.Watch("s1", [&] { ++calls; });
  a_.board.Failed("s1", "h1", "no engine");
  EXPECT_GE(calls, 1);
  EXPECT_EQ(States("s1"), "DONE FAILED");
  EXPECT_EQ(a_.board.Get("s1")->hosts(0).message(), "no engine");
  a_.board.Failed("s1", "h2", "not asked");
  EXPECT_EQ(States("s1"), "DONE FAILED");
}

TEST_F(ScanBoardTest, AnswersOfUnknownScansDoNoHarm) {
  a_.board.Answered({});
  a_.board.Answered({"none"});
  a_.board.Failed("none", "h1", "why");
  a_.board.OnScanChanged("none");
  EXPECT_TRUE(absl::IsNotFound(a_.board.Get("none").status()));
  EXPECT_TRUE(absl::IsNotFound(a_.board.Observe("none").status()));
  EXPECT_TRUE(absl::IsNotFound(a_.board.Cancel("none").status()));
}

TEST_F(ScanBoardTest, ThoseWhoDoNotAnswerInTimeMissedIt) {
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  int calls = 0;
  a_.board.Watch("s1", [&] { ++calls; });
  a_.board.Tick();
  EXPECT_EQ(States("s1"), "RUNNING REQUESTED OFFLINE");
  clock_.Advance(absl::Minutes(2));
  const int before = calls;
  // Any controller does it.
  b_.board.Tick();
  EXPECT_EQ(States("s1"), "DONE MISSED MISSED");
  a_.board.Tick();
  EXPECT_GT(calls, before);
  a_.Connect("h2", 2);
  EXPECT_THAT(a_.asked, ElementsAre("1 s1")) << "a scan that is over asks nobody";
}

TEST_F(ScanBoardTest, CancellingEndsItForEverybody) {
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  int here = 0;
  int there = 0;
  a_.board.Watch("s1", [&] { ++here; });
  b_.board.Watch("s1", [&] { ++there; });
  const auto scan = b_.board.Cancel("s1");
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->state(), v1::Scan::CANCELLED);
  EXPECT_EQ(there, 1);
  a_.board.OnScanChanged("s1");
  EXPECT_EQ(here, 1);
  EXPECT_EQ(States("s1"), "CANCELLED MISSED MISSED");
  Answer(a_, "h1", 1, {"s1"});
  EXPECT_EQ(States("s1"), "CANCELLED MISSED MISSED");
}

TEST_F(ScanBoardTest, AWatcherMayStopWatchingFromWithin) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  int calls = 0;
  uint64_t handle = 0;
  handle = a_.board.Watch("s1", [&] {
    ++calls;
    a_.board.Unwatch("s1", handle);
  });
  a_.board.Answered({"s1"});
  clock_.Advance(absl::Seconds(5));
  a_.board.Answered({"s1"});
  EXPECT_EQ(calls, 1);
}

TEST_F(ScanBoardTest, ChangesThatFollowCloselyAreToldAsOne) {
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  int calls = 0;
  a_.board.Watch("s1", [&] { ++calls; });
  for (int i = 0; i < 1000; ++i) {
    a_.board.OnScanChanged("s1");
    clock_.Advance(absl::Milliseconds(1));
  }
  EXPECT_LE(calls, 4);
  EXPECT_GE(calls, 3);
  // The end is told at once.
  const int before = calls;
  a_.board.Failed("s1", "h1", "x");
  a_.board.Failed("s1", "h2", "x");
  EXPECT_GT(calls, before);
  EXPECT_EQ(a_.board.Observe("s1")->state(), v1::Scan::DONE);
}

TEST_F(ScanBoardTest, AScanIsLoadedOnceForAllWhoWatch) {
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  for (int i = 0; i < 3; ++i) a_.board.Watch("s1", [] {});
  EXPECT_EQ(a_.board.Observe("s1")->progress().failed(), 0);
  ASSERT_TRUE(b_.store->scans().MarkFailed("s1", "h2", "x").ok());
  EXPECT_EQ(a_.board.Observe("s1")->progress().failed(), 0) << "as of the last call";
  a_.board.OnScanChanged("s1");
  EXPECT_EQ(a_.board.Observe("s1")->progress().failed(), 1);
}

// Several controllers

TEST_F(ScanBoardTest, AnotherControllersHostsAreAskedAndItsWatchersSee) {
  // As the server wires it.
  absl::Mutex mutex;
  int connected = 0;
  int told = 0;
  store::ChangeFeed feed(url_, {.hosts = [](std::vector<std::string>) {},
                                .scan = [&](std::string id) { b_.board.OnScanChanged(id); },
                                .connected =
                                    [&] {
                                      absl::MutexLock lock(&mutex);
                                      ++connected;
                                    }});
  b_.Connect("h2", 7);
  const auto await = [&mutex](auto condition) {
    absl::MutexLock lock(&mutex);
    return mutex.AwaitWithTimeout(absl::Condition(&condition), absl::Seconds(30));
  };
  ASSERT_TRUE(await([&] { return connected > 0; }));
  b_.board.Watch("s1", [&] {
    absl::MutexLock lock(&mutex);
    ++told;
  });
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  ASSERT_TRUE(b_.AwaitAsked(1));
  EXPECT_THAT(b_.Asked(), ElementsAre("7 s1"));
  EXPECT_THAT(a_.Asked(), ElementsAre("1 s1"));
  ASSERT_TRUE(await([&] { return told > 0; }));
  // Answers on either side; the last one ends it.
  Answer(b_, "h2", 1, {"s1"});
  Answer(a_, "h1", 1, {"s1"});
  EXPECT_EQ(b_.board.Get("s1")->state(), v1::Scan::DONE);
}

TEST_F(ScanBoardTest, WithoutNotificationsATickFindsOut) {
  b_.Connect("h2", 7);
  int told = 0;
  b_.board.Watch("s1", [&] { ++told; });
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  EXPECT_THAT(b_.Asked(), IsEmpty());
  b_.board.Tick();
  EXPECT_THAT(b_.Asked(), ElementsAre("7 s1"));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(b_.board.Observe("s1")->progress().requested(), 2);
  Answer(a_, "h1", 1, {"s1"});
  b_.board.Tick();
  EXPECT_EQ(told, 2);
  EXPECT_EQ(b_.board.Observe("s1")->progress().evaluated(), 1);
}

TEST_F(ScanBoardTest, HostsOfADeadControllerAreAskedWhereTheyComeBack) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  EXPECT_THAT(a_.Asked(), ElementsAre("1 s1"));
  // The first controller is heard of no more. The host finds the second, which has not heard of
  // the scan.
  b_.Connect("h1", 9);
  EXPECT_THAT(b_.Asked(), ElementsAre("9 s1"));
  b_.board.Tick();
  EXPECT_THAT(b_.Asked(), ElementsAre("9 s1")) << "once";
  Answer(b_, "h1", 1, {"s1"});
  EXPECT_EQ(b_.board.Get("s1")->state(), v1::Scan::DONE);
}

TEST_F(ScanBoardTest, LargeScansTakeFewStatements) {
  constexpr int kHosts = 3000;
  {
    pqxx::connection connection(url_);
    pqxx::nontransaction(connection)
        .exec(absl::StrCat("INSERT INTO host (id, hostname, enrolled) SELECT 'x' || n, 'x' || n,"
                           " now() FROM generate_series(1, ",
                           kHosts, ") n"));
  }
  const int64_t before = Statements();
  std::vector<std::string> hosts;
  int asked = 0;
  {
    // Of its own: a connection that ends tells what it did, others do when they please.
    Controller large(url_, clock_);
    for (int i = 1; i <= kHosts; ++i) {
      hosts.push_back(absl::StrCat("x", i));
      // Not in the database as connected: each is OFFLINE first.
      if (i % 2 == 0) continue;
      large.board.AddSession(hosts.back(), 1, [&asked](const store::PendingScan&) { ++asked; });
    }
    const auto scan = Create("s1", hosts, "", &large);
    ASSERT_TRUE(scan.ok()) << scan.status();
    EXPECT_EQ(asked, kHosts / 2);
    EXPECT_EQ(scan->progress().requested(), kHosts / 2);
    EXPECT_EQ(scan->progress().offline(), kHosts / 2);
    EXPECT_TRUE(scan->hosts_omitted());
    int told = 0;
    large.board.Watch("s1", [&] { ++told; });
    // Many answers that come together are one look at whether the scan is done.
    for (int i = 0; i < 1000; ++i) large.board.Answered({"s1"});
    EXPECT_LE(told, 1);
  }
  // One for each session, and few beside; each look at the statistics is one more.
  int64_t statements = 0;
  for (int looks = 1; looks <= 300 && statements < kHosts / 2; ++looks) {
    absl::SleepFor(absl::Milliseconds(100));
    statements = Statements() - before - looks;
  }
  EXPECT_GE(statements, kHosts / 2);
  EXPECT_LT(statements, kHosts / 2 + 100);
}

}  // namespace
}  // namespace plimsoll::scans
