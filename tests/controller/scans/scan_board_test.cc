#include "controller/scans/scan_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/store/store.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::scans {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two hosts: h1 is connected, h2 was never seen.
class ScanBoardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    v1::EnrollmentToken token;
    token.set_id("t");
    token.set_max_uses(9);
    token.mutable_create_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()));
    token.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) + 3600);
    ASSERT_TRUE(store_->enrollment().CreateToken(token, "hash").ok());
    for (const char* host : {"h1", "h2"}) {
      ASSERT_TRUE(store_->enrollment()
                      .Enroll("hash", absl::StrCat("name-", host),
                              {absl::StrCat("serial-", host), host, clock_.Now(),
                               clock_.Now() + absl::Hours(1)},
                              clock_.Now())
                      .ok());
    }
    Connect("h1", 1);
  }

  void Begin(const std::string& host) {
    store::SessionStart start;
    start.host_id = host;
    start.hostname = "name-" + host;
    start.time = clock_.Now();
    ASSERT_TRUE(store_->hosts().BeginSession(start).ok());
  }
  // A session that records what it is asked: "session scan".
  void Connect(const std::string& host, uint64_t session) {
    Begin(host);
    board_.AddSession(host, session, [this, session](const store::PendingScan& scan) {
      asked_.push_back(absl::StrCat(session, " ", scan.scan_id));
      EXPECT_EQ(scan.deadline, deadline_);
    });
  }
  absl::StatusOr<v1::Scan> Create(const std::string& id, const std::vector<std::string>& hosts,
                                  const std::string& key = "") {
    store::NewScan scan;
    scan.id = id;
    scan.created_by = "ann";
    scan.idempotency_key = key;
    scan.request_digest = "request";
    scan.create_time = clock_.Now();
    scan.deadline = deadline_;
    scan.host_ids = hosts;
    return board_.Create(scan);
  }
  // State of a scan and of its hosts by name: "RUNNING REQUESTED OFFLINE".
  std::string States(const std::string& id) {
    const auto scan = board_.Get(id);
    if (!scan.ok()) return scan.status().ToString();
    std::string states = v1::Scan::State_Name(scan->state());
    for (const v1::ScanHost& host : scan->hosts()) {
      absl::StrAppend(&states, " ", v1::ScanHost::State_Name(host.state()));
    }
    return states;
  }

  support::FakeClock clock_{absl::FromUnixSeconds(1800000000)};
  const absl::Time deadline_ = clock_.Now() + absl::Minutes(2);
  std::unique_ptr<store::Store> store_ = plimsoll::testing::FreshStore();
  std::vector<std::string> asked_;
  ScanBoard board_{store_->scans(), clock_};
};

TEST_F(ScanBoardTest, AsksThoseWhoAreThereAndLaterThoseWhoCome) {
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  EXPECT_THAT(asked_, ElementsAre("1 s1"));
  EXPECT_EQ(States("s1"), "RUNNING REQUESTED OFFLINE");
  Connect("h2", 2);
  EXPECT_THAT(asked_, ElementsAre("1 s1", "2 s1"));
  EXPECT_EQ(States("s1"), "RUNNING REQUESTED REQUESTED");
}

TEST_F(ScanBoardTest, ANewerSessionIsAskedAgainAndTheOlderNoMore) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  Connect("h1", 2);
  board_.RemoveSession("h1", 1);
  ASSERT_TRUE(Create("s2", {"h1"}).ok());
  EXPECT_THAT(asked_, ElementsAre("1 s1", "2 s1", "2 s2"));
  board_.RemoveSession("h1", 2);
  ASSERT_TRUE(Create("s3", {"h1"}).ok());
  EXPECT_EQ(asked_.size(), 3u);
}

TEST_F(ScanBoardTest, ARepeatedKeyAsksNobodyTwice) {
  auto first = Create("s1", {"h1"}, "key");
  ASSERT_TRUE(first.ok()) << first.status();
  auto again = Create("s2", {"h1"}, "key");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->id(), "s1");
  EXPECT_THAT(asked_, ElementsAre("1 s1"));
}

TEST_F(ScanBoardTest, AnUnknownHostMakesNoScan) {
  EXPECT_TRUE(absl::IsNotFound(Create("s1", {"h1", "h9"}).status()));
  EXPECT_THAT(asked_, IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(board_.Get("s1").status()));
}

TEST_F(ScanBoardTest, AnswersSettleTheScanAndWatchersHear) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  int s1 = 0;
  int other = 0;
  const uint64_t handle = board_.Watch("s1", [&] { ++s1; });
  board_.Watch("s2", [&] { ++other; });
  ASSERT_TRUE(store_->reports().Confirm("h1", {"s1"}, clock_.Now()).ok());
  board_.Answered({"s1"});
  EXPECT_GE(s1, 1);
  EXPECT_EQ(other, 0);
  EXPECT_EQ(States("s1"), "DONE EVALUATED");
  const int heard = s1;
  board_.Unwatch("s1", handle);
  board_.Unwatch("s1", handle);
  board_.Answered({"s1"});
  EXPECT_EQ(s1, heard);
}

TEST_F(ScanBoardTest, AFailureSettlesTooAndKeepsItsReason) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  int calls = 0;
  board_.Watch("s1", [&] { ++calls; });
  board_.Failed("s1", "h1", "no engine");
  EXPECT_GE(calls, 1);
  EXPECT_EQ(States("s1"), "DONE FAILED");
  EXPECT_EQ(board_.Get("s1")->hosts(0).message(), "no engine");
  board_.Failed("s1", "h2", "not asked");
  EXPECT_EQ(States("s1"), "DONE FAILED");
}

TEST_F(ScanBoardTest, AnswersOfUnknownScansDoNoHarm) {
  board_.Answered({});
  board_.Answered({"none"});
  board_.Failed("none", "h1", "why");
  EXPECT_TRUE(absl::IsNotFound(board_.Get("none").status()));
}

TEST_F(ScanBoardTest, ThoseWhoDoNotAnswerInTimeMissedIt) {
  ASSERT_TRUE(Create("s1", {"h1", "h2"}).ok());
  int calls = 0;
  board_.Watch("s1", [&] { ++calls; });
  board_.Tick();
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(States("s1"), "RUNNING REQUESTED OFFLINE");
  clock_.Advance(absl::Minutes(2));
  board_.Tick();
  EXPECT_GE(calls, 1);
  EXPECT_EQ(States("s1"), "DONE MISSED MISSED");
  Connect("h2", 2);
  EXPECT_THAT(asked_, ElementsAre("1 s1")) << "a scan that is over asks nobody";
}

TEST_F(ScanBoardTest, AWatcherMayStopWatchingFromWithin) {
  ASSERT_TRUE(Create("s1", {"h1"}).ok());
  int calls = 0;
  uint64_t handle = 0;
  handle = board_.Watch("s1", [&] {
    ++calls;
    board_.Unwatch("s1", handle);
  });
  board_.Answered({"s1"});
  board_.Answered({"s1"});
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace plimsoll::scans
