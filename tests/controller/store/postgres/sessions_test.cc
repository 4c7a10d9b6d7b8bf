#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/match.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SessionsTest : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    v1::EnrollmentToken token;
    token.set_id("t");
    token.set_max_uses(10);
    ASSERT_TRUE(store_->enrollment().CreateToken(token, "s").ok());
    ASSERT_TRUE(Enroll("h1").ok());
  }
  HostStore& hosts() { return store_->hosts(); }
  absl::Status Enroll(const std::string& id) {
    return store_->enrollment().Enroll("s", id, {"serial " + id, id, At(0), At(9)}, At(0));
  }
  v1::Host::Connection Connection(const std::string& id = "h1") {
    return hosts().Get(id)->connection();
  }
  // A session of a machine with this boot id and a certificate of At(certificate).
  absl::StatusOr<SessionLease> Begin(const std::string& boot, int certificate = 0) {
    SessionStart start;
    start.host_id = "h1";
    start.hostname = "alpha";
    start.boot_id = boot;
    start.certificate_not_before = At(certificate);
    start.time = At(10);
    return hosts().BeginSession(start);
  }
  // The host was heard of at At(seconds): who does not have the lease any more.
  std::vector<std::string> Touch(int64_t epoch, int seconds) {
    const auto lost = hosts().Touch({{"h1", {epoch, At(seconds)}}});
    EXPECT_TRUE(lost.ok()) << lost.status();
    return lost.value_or(std::vector<std::string>{"error"});
  }
  // Seconds after At(0).
  int64_t Seen() {
    return hosts().Get("h1")->last_seen_time().seconds() - absl::ToUnixSeconds(At(0));
  }
};

TEST_F(SessionsTest, SessionsMoveTheConnectionState) {
  EXPECT_EQ(Connection(), v1::Host::NEVER_SEEN);
  const auto lease = Begin("a");
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->stream.sequence, 0u);
  EXPECT_EQ(lease->stream.full_recorded, absl::InfinitePast());
  EXPECT_EQ(Connection(), v1::Host::CONNECTED);
  ASSERT_TRUE(hosts().EndSession("h1", lease->epoch, At(20)).ok());
  EXPECT_EQ(Connection(), v1::Host::DISCONNECTED);
  EXPECT_EQ(hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(20)));
  const auto second = Begin("a");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->epoch, lease->epoch);
  // The first one ends late and takes nothing down.
  ASSERT_TRUE(hosts().EndSession("h1", lease->epoch, At(30)).ok());
  EXPECT_EQ(Connection(), v1::Host::CONNECTED);
  ASSERT_TRUE(store_->enrollment().RevokeHost("h1", "lost", At(40)).ok());
  EXPECT_EQ(Connection(), v1::Host::REVOKED);
  EXPECT_TRUE(absl::IsPermissionDenied(Begin("a").status()));
  SessionStart unknown;
  unknown.host_id = "h9";
  EXPECT_TRUE(absl::IsNotFound(hosts().BeginSession(unknown).status()));
  EXPECT_TRUE(absl::IsNotFound(hosts().EndSession("h9", 1, At(1))));
}

TEST_F(SessionsTest, OnlyTheSessionWithTheLeaseIsSeen) {
  const auto first = Begin("a");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(Touch(first->epoch, 20), IsEmpty());
  EXPECT_EQ(Seen(), 20);
  const auto second = Begin("a");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_THAT(Touch(first->epoch, 30), ElementsAre("h1"));
  EXPECT_THAT(Touch(first->epoch, 5), ElementsAre("h1")) << "whenever it was heard of";
  EXPECT_EQ(Seen(), 20);
  EXPECT_THAT(Touch(second->epoch, 40), IsEmpty());
  EXPECT_EQ(Seen(), 40);
  // Where nothing moves, nothing is written; a lock would show as well.
  const auto row = [this] {
    return Sql("SELECT format('%s %s %s', ctid, xmin, xmax) FROM host")[0][0].as<std::string>();
  };
  const std::string before = row();
  EXPECT_THAT(Touch(second->epoch, 40), IsEmpty());
  EXPECT_EQ(row(), before);

  ASSERT_TRUE(hosts().EndSession("h1", second->epoch, At(50)).ok());
  EXPECT_THAT(Touch(second->epoch, 60), ElementsAre("h1"));
  EXPECT_EQ(Seen(), 50);
  const auto third = Begin("a");
  ASSERT_TRUE(third.ok()) << third.status();
  ASSERT_TRUE(store_->enrollment().RevokeHost("h1", "lost", At(70)).ok());
  EXPECT_THAT(Touch(third->epoch, 80), ElementsAre("h1"));
  EXPECT_EQ(Seen(), 50);
}

TEST_F(SessionsTest, AHostThatIsBeingWrittenIsPassedOver) {
  const auto first = Begin("a");
  const auto second = Begin("a");
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  {
    pqxx::connection connection(url_);
    pqxx::work busy(connection);
    busy.exec("SELECT FROM host WHERE id = 'h1' FOR NO KEY UPDATE");
    EXPECT_THAT(Touch(second->epoch, 20), IsEmpty());
    EXPECT_THAT(Touch(first->epoch, 20), IsEmpty());
  }
  EXPECT_EQ(Seen(), 10);
  EXPECT_THAT(Touch(first->epoch, 20), ElementsAre("h1"));
  EXPECT_THAT(Touch(second->epoch, 20), IsEmpty());
  EXPECT_EQ(Seen(), 20);
}

TEST_F(SessionsTest, TheLeaseSaysWhereTheStreamStands) {
  ASSERT_TRUE(store_->reports().PutBaselines({MakeBaseline()}).ok());
  TestEvaluation first("h1", 7), second("h1", 8);
  ASSERT_TRUE(store_->reports().Put(first.Done()).ok());
  ASSERT_TRUE(store_->reports().Put(second.Delta(first.facts, "c")).ok());
  const auto lease = Begin("a");
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->stream.sequence, 8u);
  EXPECT_EQ(lease->stream.facts_digest, second.value.facts_digest);
  EXPECT_EQ(lease->stream.chain, 1);
  EXPECT_EQ(lease->stream.full_recorded, At(71));
}

TEST_F(SessionsTest, BeginTakesOverWhatTheCollectorSays) {
  ASSERT_TRUE(store_->controllers().Beat("c1", "controller one", At(1)).ok());
  SessionStart start;
  start.host_id = "h1";
  start.controller_id = "c1";
  start.hostname = "beta";
  start.collector_version = "0.2.0";
  start.engine_id = "E";
  start.boot_id = "B";
  start.labels = {{"k", "v \"'\\\n\x01"}, {"e", ""}, {"\xC3\xA4", "{\"a\": 1}, "}};
  start.clock_skew = absl::Milliseconds(-1500);
  start.time = At(5);
  ASSERT_TRUE(hosts().BeginSession(start).ok());
  const auto host = hosts().Get("h1");
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->hostname(), "beta");
  EXPECT_EQ(host->collector_version(), "0.2.0");
  const std::map<std::string, std::string> labels(host->labels().begin(), host->labels().end());
  EXPECT_EQ(labels, start.labels);
  EXPECT_EQ(host->clock_skew().seconds(), -1);
  EXPECT_EQ(host->clock_skew().nanos(), -500000000);
  EXPECT_EQ(host->enroll_time().seconds(), absl::ToUnixSeconds(At(0)));
  EXPECT_EQ(host->boot_id(), "B");
  EXPECT_EQ(host->controller(), "controller one");
  EXPECT_FALSE(host->has_observed_time());
}

TEST_F(SessionsTest, ARebootIsNoClone) {
  for (const char* boot : {"a", "a", "b", "b", "c", "", "c", "d"}) {
    EXPECT_TRUE(Begin(boot).ok()) << boot;
  }
  EXPECT_EQ(hosts().Get("h1")->boot_id(), "d");
}

TEST_F(SessionsTest, ABootThatComesBackIsAClone) {
  ASSERT_TRUE(Begin("a").ok());
  const auto clone = Begin("b");
  ASSERT_TRUE(clone.ok()) << clone.status();
  const absl::Status status = Begin("a").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "boot a came back after boot b")) << status;
  // It is committed, and neither machine gets on.
  const auto host = hosts().Get("h1");
  EXPECT_EQ(host->connection(), v1::Host::QUARANTINED);
  EXPECT_EQ(host->quarantine_time().seconds(), absl::ToUnixSeconds(At(10)));
  EXPECT_TRUE(absl::StrContains(host->quarantine_reason(), "boot a")) << host->quarantine_reason();
  EXPECT_TRUE(absl::IsFailedPrecondition(Begin("b").status()));
  ASSERT_TRUE(store_->reports().PutBaselines({MakeBaseline()}).ok());
  TestEvaluation evaluation("h1", 1);
  evaluation.Done();
  evaluation.value.session_epoch = clone->epoch;
  EXPECT_TRUE(absl::IsAborted(store_->reports().Put(evaluation.value)));
  EXPECT_TRUE(absl::IsAborted(store_->reports().Confirm("h1", {"s1"}, At(20))));
}

TEST_F(SessionsTest, AnOlderCertificateIsAClone) {
  ASSERT_TRUE(Begin("a", 100).ok());
  ASSERT_TRUE(Begin("a", 200).ok());
  ASSERT_TRUE(Begin("a", 200).ok());
  const absl::Status status = Begin("a", 100).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "certificate")) << status;
  EXPECT_EQ(Connection(), v1::Host::QUARANTINED);
}

TEST_F(SessionsTest, ReleaseForgetsTheEvidence) {
  EXPECT_TRUE(absl::IsFailedPrecondition(hosts().Release("h1")));
  EXPECT_TRUE(absl::IsNotFound(hosts().Release("h9")));
  ASSERT_TRUE(Begin("a", 200).ok());
  ASSERT_TRUE(Begin("b", 200).ok());
  ASSERT_FALSE(Begin("a", 200).ok());
  ASSERT_TRUE(hosts().Release("h1").ok());
  EXPECT_EQ(Connection(), v1::Host::DISCONNECTED);
  ASSERT_TRUE(Begin("a", 100).ok());
  EXPECT_EQ(hosts().Get("h1")->quarantine_reason(), "");
  // The other machine is still out there.
  EXPECT_TRUE(absl::IsFailedPrecondition(Begin("b", 100).status()));
}

TEST_F(SessionsTest, BootIdsAreBounded) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Begin(absl::StrCat("boot ", i)).ok());
  const auto kept =
      Sql("SELECT cardinality(earlier_boot_ids), earlier_boot_ids[1], earlier_boot_ids[32]"
          " FROM host")[0];
  EXPECT_EQ(kept[0].as<int>(), 32);
  EXPECT_EQ(kept[1].as<std::string>(), "boot 67");
  EXPECT_EQ(kept[2].as<std::string>(), "boot 98");
}

TEST_F(SessionsTest, OfSessionsThatBeginAtOnceTheLastHasTheLease) {
  std::vector<absl::StatusOr<SessionLease>> leases(8, absl::UnknownError(""));
  std::vector<std::thread> threads;
  for (auto& lease : leases) threads.emplace_back([&] { lease = Begin("a"); });
  for (std::thread& thread : threads) thread.join();
  std::set<int64_t> epochs;
  for (const auto& lease : leases) {
    ASSERT_TRUE(lease.ok()) << lease.status();
    epochs.insert(lease->epoch);
  }
  EXPECT_EQ(epochs.size(), leases.size());
  EXPECT_EQ(Sql("SELECT session_epoch FROM host")[0][0].as<int64_t>(), *epochs.rbegin());
}

}  // namespace
}  // namespace plimsoll::store
