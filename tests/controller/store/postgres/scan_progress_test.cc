#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "controller/store/postgres/sql_values.h"
#include "tests/controller/store/postgres/scan_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ScanProgressTest : public ScanTestBase {};

TEST_F(ScanProgressTest, HostsAnswerInTheTransactionOfTheirFacts) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  ASSERT_TRUE(scans().Create(Scan("s2", {"h1"})).ok());
  auto pending = scans().TakePending("h1");
  ASSERT_TRUE(pending.ok()) << pending.status();
  ASSERT_EQ(pending->size(), 2u);
  EXPECT_EQ(pending->front().scan_id, "s1");
  EXPECT_EQ(pending->front().deadline, At(100));

  Answer("h1", 1, {"s1", "no such scan"});
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha OFFLINE", "beta EVALUATED"));
  EXPECT_EQ(scans().TakePending("h1")->size(), 1u);
  ASSERT_TRUE(store_->reports().Confirm("h1", {"s2"}, At(60)).ok());
  EXPECT_THAT(Hosts("s2"), ElementsAre("beta EVALUATED"));
  EXPECT_THAT(*scans().TakePending("h1"), IsEmpty());
  EXPECT_EQ(store_->hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(60)));
}

TEST_F(ScanProgressTest, StatesOnlyMoveForward) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  ASSERT_TRUE(scans().MarkRequested("s1", {"h2", "h1", "h9"}).ok());
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha REQUESTED", "beta REQUESTED"));
  ASSERT_TRUE(scans().MarkFailed("s1", "h2", "engine \"gone\"; '").ok());
  ASSERT_TRUE(scans().MarkRequested("s1", {"h2"}).ok());
  Answer("h2", 1, {"s1"});
  Answer("h1", 1, {"s1"});
  ASSERT_TRUE(scans().MarkFailed("s1", "h1", "too late").ok());
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha FAILED", "beta EVALUATED"));
  EXPECT_EQ(scans().Get("s1")->hosts(0).message(), "engine \"gone\"; '");
  EXPECT_EQ(scans().Get("s1")->hosts(1).message(), "");
  EXPECT_TRUE(scans().MarkRequested("none", {"h1"}).ok());
  EXPECT_TRUE(scans().MarkRequested("s1", {}).ok());
  EXPECT_EQ(scans().MarkFailed("s1", "h9", ""),
            absl::NotFoundError("scan \"s1\" does not ask host \"h9\""));
  EXPECT_TRUE(absl::IsNotFound(scans().MarkFailed("none", "h1", "")));
}

TEST_F(ScanProgressTest, WhoComesIsAskedWhatItOwes) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  auto open = scans().GetOpen("s1");
  ASSERT_TRUE(open.ok()) << open.status();
  EXPECT_TRUE(open->running);
  EXPECT_EQ(open->deadline, At(100));
  EXPECT_EQ(open->targeted, 2);
  EXPECT_THAT(open->offline, ElementsAre("h2"));
  EXPECT_THAT(open->requested, ElementsAre("h1"));
  EXPECT_EQ(scans().TakePending("h2")->size(), 1u);
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha REQUESTED", "beta REQUESTED"));
  EXPECT_EQ(scans().TakePending("h2")->size(), 1u) << "asked again";
  EXPECT_THAT(*scans().TakePending("h9"), IsEmpty());
  EXPECT_FALSE(scans().GetOpen("none")->running);
  EXPECT_THAT(*scans().ListRunning(), ElementsAre("s1"));
  ASSERT_TRUE(scans().Cancel("s1", At(1)).ok());
  EXPECT_FALSE(scans().GetOpen("s1")->running);
  EXPECT_THAT(*scans().ListRunning(), IsEmpty());
  EXPECT_THAT(*scans().TakePending("h2"), IsEmpty());
}

TEST_F(ScanProgressTest, SettleEndsWhatIsDoneOrDue) {
  ASSERT_TRUE(scans().Create(Scan("done", {"h1"})).ok());
  ASSERT_TRUE(scans().Create(Scan("due", {"h1", "h2"})).ok());
  NewScan later = Scan("later", {"h2"});
  later.deadline = At(200);
  ASSERT_TRUE(scans().Create(later).ok());
  Answer("h1", 1, {"done", "due"});

  EXPECT_THAT(*scans().Finish({"due", "later", "none"}, At(49)), IsEmpty());
  EXPECT_THAT(*scans().Settle(At(50)), ElementsAre("done"));
  EXPECT_EQ(scans().Get("done")->state(), v1::Scan::DONE);
  EXPECT_EQ(TimeOf(scans().Get("done")->end_time()), At(50));
  EXPECT_THAT(*scans().Settle(At(99)), IsEmpty());

  EXPECT_THAT(*scans().Settle(At(100)), ElementsAre("due"));
  EXPECT_EQ(scans().Get("due")->state(), v1::Scan::DONE);
  EXPECT_THAT(Hosts("due"), ElementsAre("alpha MISSED", "beta EVALUATED"));
  EXPECT_EQ(scans().Get("due")->progress().missed(), 1);
  // Too late to count.
  Answer("h2", 1, {"due"});
  EXPECT_THAT(Hosts("due"), ElementsAre("alpha MISSED", "beta EVALUATED"));
  EXPECT_EQ(scans().Get("later")->state(), v1::Scan::RUNNING);
  EXPECT_EQ(scans().TakePending("h2")->size(), 1u);
}

TEST_F(ScanProgressTest, CountsHostsOfScansThatRunAndThatHaveEnded) {
  for (const char* id : {"done", "due"}) ASSERT_TRUE(scans().Create(Scan(id, {"h1", "h2"})).ok());
  NewScan old = Scan("old", {"h1"});
  old.create_time = At(-1);
  ASSERT_TRUE(scans().Create(old).ok());
  NewScan live = Scan("live", {"h1", "h2"});
  live.deadline = At(900);
  ASSERT_TRUE(scans().Create(live).ok());
  Answer("h1", 1, {"done", "due", "old"});
  ASSERT_TRUE(scans().MarkFailed("done", "h2", "why").ok());
  ASSERT_TRUE(scans().Settle(At(100)).ok());
  // What has ended is not counted again, host by host.
  Sql("DELETE FROM scan_host WHERE scan_id <> 'live'");
  const auto counts = scans().Count(At(0));
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_THAT(counts->scans,
              ElementsAre(std::pair(v1::Scan::RUNNING, 1), std::pair(v1::Scan::DONE, 2)));
  EXPECT_THAT(
      counts->hosts,
      ElementsAre(std::pair(v1::ScanHost::OFFLINE, 1), std::pair(v1::ScanHost::REQUESTED, 1),
                  std::pair(v1::ScanHost::EVALUATED, 2), std::pair(v1::ScanHost::FAILED, 1),
                  std::pair(v1::ScanHost::MISSED, 1)));
}

TEST_F(ScanProgressTest, ACancelledScanKeepsWhatItHas) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  Answer("h1", 1, {"s1"});
  auto scan = scans().Cancel("s1", At(30));
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->state(), v1::Scan::CANCELLED);
  EXPECT_EQ(TimeOf(scan->end_time()), At(30));
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha MISSED", "beta EVALUATED"));
  EXPECT_EQ(scan->hosts(0).message(), "the scan was cancelled");
  EXPECT_EQ(scan->counts().at("base").fail(), 1);
  Answer("h2", 1, {"s1"});
  EXPECT_THAT(*scans().Settle(At(200)), IsEmpty());
  EXPECT_EQ(scans().Cancel("s1", At(300))->DebugString(), scan->DebugString());
  EXPECT_TRUE(absl::IsNotFound(scans().Cancel("none", At(1)).status()));
}

TEST_F(ScanProgressTest, CancellingWhileHostsAnswerLosesNoAnswer) {
  for (int round = 0; round < 10; ++round) {
    const std::string id = absl::StrCat("s", round);
    ASSERT_TRUE(scans().Create(Scan(id, {"h1", "h2"})).ok());
    std::vector<std::thread> threads;
    for (const char* host : {"h1", "h2"}) {
      threads.emplace_back([&, host] { Answer(host, round + 1, {id}); });
    }
    threads.emplace_back([&] { EXPECT_TRUE(scans().Cancel(id, At(30)).ok()); });
    // Tried again at the next tick when it gets in the way of another.
    threads.emplace_back([&] {
      const auto status = scans().Settle(At(101)).status();
      EXPECT_TRUE(status.ok() || absl::IsAborted(status)) << status;
    });
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(scans().Settle(At(101)).ok());
    const auto scan = scans().Get(id);
    ASSERT_TRUE(scan.ok()) << scan.status();
    EXPECT_NE(scan->state(), v1::Scan::RUNNING);
    const v1::ScanProgress& progress = scan->progress();
    EXPECT_EQ(progress.evaluated() + progress.missed(), 2) << scan->DebugString();
    const int64_t answers = Count(absl::StrCat("scan_answer WHERE scan_id = '", id, "'"));
    EXPECT_EQ(answers, progress.evaluated()) << scan->DebugString();
  }
}

TEST_F(ScanProgressTest, EveryChangeIsAnnouncedWhenItIsCommitted) {
  pqxx::connection listener(url_);
  struct Receiver : pqxx::notification_receiver {
    using pqxx::notification_receiver::notification_receiver;
    void operator()(const std::string& payload, int) override { heard.push_back(payload); }
    std::vector<std::string> heard;
  } receiver(listener, "plimsoll_scan");
  const auto heard = [&] {
    while (listener.get_notifs() > 0) {
    }
    // What is committed is on its way before the statement returns; one round trip brings it.
    pqxx::nontransaction(listener).exec("SELECT 1");
    listener.get_notifs();
    std::vector<std::string> got = std::exchange(receiver.heard, {});
    std::sort(got.begin(), got.end());
    got.erase(std::unique(got.begin(), got.end()), got.end());
    return got;
  };
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  EXPECT_THAT(heard(), ElementsAre("s1"));
  EXPECT_FALSE(scans().Create(Scan("s2", {"h9"})).ok());
  EXPECT_THAT(heard(), IsEmpty());
  ASSERT_TRUE(scans().TakePending("h1").ok());
  EXPECT_THAT(heard(), IsEmpty()) << "nothing changed";
  ASSERT_TRUE(scans().TakePending("h2").ok());
  EXPECT_THAT(heard(), ElementsAre("s1"));
  ASSERT_TRUE(scans().MarkFailed("s1", "h2", "why").ok());
  EXPECT_THAT(heard(), ElementsAre("s1"));
  Answer("h1", 1, {"s1"});
  EXPECT_THAT(heard(), ElementsAre("s1"));
  ASSERT_TRUE(scans().Finish({"s1"}, At(3)).ok());
  EXPECT_THAT(heard(), ElementsAre("s1"));
  ASSERT_TRUE(scans().Settle(At(4)).ok());
  EXPECT_THAT(heard(), IsEmpty());
}

}  // namespace
}  // namespace plimsoll::store
