#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "controller/store/postgres/sql_values.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ScansTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = plimsoll::testing::FreshStore();
    ASSERT_TRUE(AddHost(*store_, "h1", "beta").ok());
    const auto lease = AddHost(*store_, "h2", "alpha");
    ASSERT_TRUE(lease.ok()) << lease.status();
    ASSERT_TRUE(store_->hosts().EndSession("h2", lease->epoch, At(1)).ok());
  }
  ScanStore& scans() { return store_->scans(); }

  static NewScan Scan(const std::string& id, std::vector<std::string> hosts,
                      const std::string& key = "") {
    NewScan scan;
    scan.id = id;
    scan.created_by = "ann";
    scan.idempotency_key = key;
    scan.request_digest = "request";
    scan.create_time = At(0);
    scan.deadline = At(100);
    scan.host_ids = std::move(hosts);
    return scan;
  }

  // Hosts and states of a scan: "alpha OFFLINE".
  std::vector<std::string> Hosts(const std::string& id) {
    std::vector<std::string> lines;
    const auto scan = scans().Get(id);
    EXPECT_TRUE(scan.ok()) << scan.status();
    if (!scan.ok()) return lines;
    for (const v1::ScanHost& host : scan->hosts()) {
      lines.push_back(absl::StrCat(host.hostname(), " ", v1::ScanHost::State_Name(host.state())));
    }
    return lines;
  }

  std::unique_ptr<Store> store_;
};

TEST_F(ScansTest, BeginsWithWhoIsConnected) {
  auto scan = scans().Create(Scan("s1", {"h1", "h2", "h1"}));
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->state(), v1::Scan::RUNNING);
  EXPECT_EQ(scan->created_by(), "ann");
  EXPECT_EQ(TimeOf(scan->deadline()), At(100));
  EXPECT_FALSE(scan->has_end_time());
  EXPECT_EQ(scan->progress().targeted(), 2);
  EXPECT_EQ(scan->progress().requested(), 1);
  EXPECT_EQ(scan->progress().offline(), 1);
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha OFFLINE", "beta REQUESTED"));
  EXPECT_TRUE(absl::IsNotFound(scans().Get("none").status()));
  EXPECT_TRUE(absl::IsNotFound(scans().Create(Scan("s2", {"h1", "h9"})).status()));
  EXPECT_TRUE(absl::IsNotFound(scans().Get("s2").status()));
  EXPECT_TRUE(absl::IsAlreadyExists(scans().Create(Scan("s1", {"h1"})).status()));
}

TEST_F(ScansTest, ARevokedHostHasFailed) {
  ASSERT_TRUE(store_->enrollment().RevokeHost("h1", "", At(2)).ok());
  auto scan = scans().Create(Scan("s1", {"h1"}));
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(scan->hosts(0).state(), v1::ScanHost::FAILED);
  EXPECT_EQ(scan->hosts(0).message(), "the host is revoked");
}

TEST_F(ScansTest, TheSameKeyIsTheSameScanForADay) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1"}, "key")).ok());
  EXPECT_EQ(scans().Create(Scan("s2", {"h1"}, "key"))->id(), "s1");
  NewScan other = Scan("s3", {"h1"}, "key");
  other.request_digest = "another request";
  EXPECT_TRUE(absl::IsAlreadyExists(scans().Create(other).status()));
  NewScan tomorrow = Scan("s4", {"h1"}, "key");
  tomorrow.create_time = At(24 * 3600);
  EXPECT_EQ(scans().Create(tomorrow)->id(), "s4");
  EXPECT_EQ(scans().Create(Scan("s5", {"h1"}))->id(), "s5");
  EXPECT_EQ(scans().Create(Scan("s6", {"h1"}))->id(), "s6");
}

TEST_F(ScansTest, ConcurrentRequestsWithOneKeyMakeOneScan) {
  std::vector<std::string> ids(4);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      auto scan = scans().Create(Scan(absl::StrCat("s", i), {"h1"}, "key"));
      ids[i] = scan.ok() ? scan->id() : scan.status().ToString();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(ids, ::testing::Each(ids[0]));
}

TEST_F(ScansTest, HostsAnswerInTheTransactionOfTheirFacts) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  ASSERT_TRUE(scans().Create(Scan("s2", {"h1"})).ok());
  auto pending = scans().PendingForHost("h1");
  ASSERT_TRUE(pending.ok()) << pending.status();
  ASSERT_EQ(pending->size(), 2u);
  EXPECT_EQ(pending->front().scan_id, "s1");
  EXPECT_EQ(pending->front().deadline, At(100));

  TestEvaluation evaluation("h1", 1);
  evaluation.value.scan_ids = {"s1", "no such scan"};
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha OFFLINE", "beta EVALUATED"));
  EXPECT_EQ(scans().PendingForHost("h1")->size(), 1u);
  ASSERT_TRUE(store_->reports().Confirm("h1", {"s2"}, At(60)).ok());
  EXPECT_THAT(Hosts("s2"), ElementsAre("beta EVALUATED"));
  EXPECT_THAT(*scans().PendingForHost("h1"), IsEmpty());
  EXPECT_EQ(store_->hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(60)));
}

TEST_F(ScansTest, StatesOnlyMoveForward) {
  ASSERT_TRUE(scans().Create(Scan("s1", {"h1", "h2"})).ok());
  ASSERT_TRUE(scans().MarkRequested("s1", "h2").ok());
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha REQUESTED", "beta REQUESTED"));
  ASSERT_TRUE(scans().MarkFailed("s1", "h2", "engine \"gone\"; '").ok());
  ASSERT_TRUE(scans().MarkRequested("s1", "h2").ok());
  for (const char* host : {"h1", "h2"}) {
    TestEvaluation evaluation(host, 1);
    ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  }
  ASSERT_TRUE(store_->reports().Confirm("h2", {"s1"}, At(5)).ok());
  ASSERT_TRUE(store_->reports().Confirm("h1", {"s1"}, At(5)).ok());
  ASSERT_TRUE(scans().MarkFailed("s1", "h1", "too late").ok());
  EXPECT_THAT(Hosts("s1"), ElementsAre("alpha FAILED", "beta EVALUATED"));
  EXPECT_EQ(scans().Get("s1")->hosts(0).message(), "engine \"gone\"; '");
  EXPECT_EQ(scans().Get("s1")->hosts(1).message(), "");
  EXPECT_TRUE(absl::IsNotFound(scans().MarkRequested("s1", "h9")));
  EXPECT_TRUE(absl::IsNotFound(scans().MarkFailed("none", "h1", "")));
}

TEST_F(ScansTest, SettleEndsWhatIsDoneOrDue) {
  ASSERT_TRUE(scans().Create(Scan("done", {"h1"})).ok());
  ASSERT_TRUE(scans().Create(Scan("due", {"h1", "h2"})).ok());
  NewScan later = Scan("later", {"h2"});
  later.deadline = At(200);
  ASSERT_TRUE(scans().Create(later).ok());
  for (const char* host : {"h1", "h2"}) {
    TestEvaluation evaluation(host, 1);
    ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  }
  ASSERT_TRUE(store_->reports().Confirm("h1", {"done", "due"}, At(5)).ok());

  EXPECT_THAT(*scans().Settle(At(50)), ElementsAre("done"));
  EXPECT_EQ(scans().Get("done")->state(), v1::Scan::DONE);
  EXPECT_EQ(TimeOf(scans().Get("done")->end_time()), At(50));
  EXPECT_THAT(*scans().Settle(At(99)), IsEmpty());

  EXPECT_THAT(*scans().Settle(At(100)), ElementsAre("due"));
  EXPECT_EQ(scans().Get("due")->state(), v1::Scan::DONE);
  EXPECT_THAT(Hosts("due"), ElementsAre("alpha MISSED", "beta EVALUATED"));
  EXPECT_EQ(scans().Get("due")->progress().missed(), 1);
  // Too late to count.
  ASSERT_TRUE(store_->reports().Confirm("h2", {"due"}, At(101)).ok());
  EXPECT_THAT(Hosts("due"), ElementsAre("alpha MISSED", "beta EVALUATED"));
  EXPECT_EQ(scans().Get("later")->state(), v1::Scan::RUNNING);
  EXPECT_EQ(scans().PendingForHost("h2")->size(), 1u);
}

}  // namespace
}  // namespace plimsoll::store
