// Two controllers, two machines with one identity, a database that goes away.
#include <gmock/gmock.h>

#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/store/embedded_cluster.h"
#include "proto/support/digest.h"
#include "tests/controller/gateway/gateway_fixture.h"

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class FaultsTest : public GatewayTest {
 protected:
  // Some last-seen interval later.
  void Flush(TestController& controller) {
    clock_.Advance(absl::Seconds(11));
    controller.service->Tick();
    controller.Settle();
  }
  // The next message, but for words to slow down: a clock that leaps makes whatever is under way
  // slow.
  v1::ToCollector Answer(TestCollector& collector) {
    v1::ToCollector message = Next(collector);
    while (message.has_slow_down()) message = Next(collector);
    return message;
  }
  static v1::FromCollector Heartbeat(const std::string& digest, const std::string& scan_id) {
    v1::FromCollector message;
    message.mutable_heartbeat()->set_facts_digest(digest);
    message.mutable_heartbeat()->add_scan_ids(scan_id);
    return message;
  }
  void ExpectLeaseLost(TestCollector& collector) {
    const absl::Status end = EndOf(collector);
    EXPECT_TRUE(absl::IsAborted(end)) << end;
    EXPECT_EQ(end.message(), "this session does not have the host's lease any more");
  }
};

TEST_F(FaultsTest, OfTwoControllersOnlyTheOneWithTheLeaseWrites) {
  auto second = Another("controller-2");
  const uplink::Identity identity = Enrolled();
  uint64_t sequence = 0;
  for (int round = 0; round < 5; ++round) {
    const bool swapped = round % 2 == 1;
    TestCollector loser(swapped ? second->address : address_, identity);
    Greet(loser);
    v1::HostFacts old_facts = Facts({absl::StrCat("old-", round)});
    Send(loser, Snapshot(++sequence, old_facts));
    EXPECT_EQ(Next(loser).ack().sequence(), sequence);

    TestCollector winner(swapped ? address_ : second->address, identity);
    const v1::Welcome welcome = Greet(winner);
    EXPECT_EQ(welcome.last_sequence(), sequence);
    const std::string name = absl::StrCat("new-", round);
    // Both write the same number: only one of them counts.
    Send(loser, Change(sequence + 1, old_facts, {"stale"}, {}));
    Send(winner, Snapshot(sequence + 1, Facts({name})));
    ++sequence;
    ExpectLeaseLost(loser);
    EXPECT_EQ(Next(winner).ack().sequence(), sequence);
    EXPECT_THAT(StoredContainers(identity.host_id), ElementsAre(name));
    EXPECT_EQ(store_->hosts().Get(identity.host_id)->controller(),
              swapped ? "controller-1" : "controller-2");
  }
  EXPECT_EQ(stats_.sessions_fenced + second->stats.sessions_fenced, 5);
}

TEST_F(FaultsTest, AnIdleSessionIsToldThatItLostItsLease) {
  auto second = Another("controller-2");
  const uplink::Identity identity = Enrolled();
  TestCollector loser = Open(identity);
  Greet(loser);
  TestCollector bystander = Open(Enrolled("web-2"));
  Greet(bystander, "web-2");
  Flush(*controller_);
  EXPECT_EQ(stats_.sessions_fenced, 0);

  TestCollector winner(second->address, identity);
  Greet(winner);
  ASSERT_TRUE(Await(second->stats.sessions_begun, 1));
  const int64_t heard = stats_.heartbeats;
  v1::FromCollector word;
  word.mutable_heartbeat();
  for (TestCollector* collector : {&loser, &bystander}) collector->Send(word);
  ASSERT_TRUE(Await(stats_.heartbeats, heard + 2));
  Flush(*controller_);
  ExpectLeaseLost(loser);
  Flush(*second);
  Flush(*controller_);
  Send(winner, Snapshot(1, Facts({"c1"})));
  EXPECT_EQ(Answer(winner).ack().sequence(), 1u);
  Send(bystander, Snapshot(1, Facts({"c1"})));
  EXPECT_EQ(Answer(bystander).ack().sequence(), 1u);
  EXPECT_EQ(stats_.sessions_fenced, 1);
  EXPECT_EQ(second->stats.sessions_fenced, 0);
  EXPECT_EQ(store_->hosts().Get(identity.host_id)->controller(), "controller-2");
  EXPECT_EQ(Connection(identity.host_id), v1::Host::CONNECTED);
}

TEST_F(FaultsTest, SessionsOfAControllerThatWasTakenForDeadComeAgain) {
  const uplink::Identity identity = Enrolled();
  TestCollector collector = Open(identity);
  Greet(collector);
  ASSERT_TRUE(Await(stats_.sessions_begun, 1));
  ASSERT_TRUE(store_->controllers().ExpireDead(-absl::Hours(1)).ok());
  EXPECT_EQ(Connection(identity.host_id), v1::Host::DISCONNECTED);
  Flush(*controller_);
  ExpectLeaseLost(collector);
  TestCollector again = Open(identity);
  Greet(again);
  ASSERT_TRUE(Await(stats_.sessions_begun, 2));
  Flush(*controller_);
  EXPECT_EQ(Connection(identity.host_id), v1::Host::CONNECTED);
  EXPECT_EQ(stats_.sessions_fenced, 1);
}

TEST_F(FaultsTest, ASessionWithoutTheLeaseAnswersNoScan) {
  auto second = Another("controller-2");
  const uplink::Identity identity = Enrolled();
  TestCollector loser = Open(identity);
  Greet(loser);
  const v1::HostFacts old_facts = Facts({"old"});
  Send(loser, Snapshot(1, old_facts));
  EXPECT_EQ(Next(loser).ack().sequence(), 1u);
  TestCollector winner(second->address, identity);
  Greet(winner);
  const v1::HostFacts new_facts = Facts({"new"});
  Send(winner, Snapshot(2, new_facts));
  EXPECT_EQ(Next(winner).ack().sequence(), 2u);

  ASSERT_TRUE(board_->Create(Scan("s1", {identity.host_id})).ok());
  loser.Send(Heartbeat(Digest(old_facts), "s1"));
  ExpectLeaseLost(loser);
  EXPECT_EQ(stats_.sessions_fenced, 1);
  EXPECT_THAT(ScanState("s1"), Not(HasSubstr("EVALUATED")));
  winner.Send(Heartbeat(Digest(new_facts), "s1"));
  EXPECT_TRUE(AwaitTrue([&] { return ScanState("s1") == "DONE: EVALUATED "; }));
}

TEST_F(FaultsTest, TwoMachinesWithOneIdentityAreQuarantined) {
  const uplink::Identity identity = Enrolled();
  TestCollector first = Open(identity);
  first.Send(Hello("boot-1"));
  EXPECT_TRUE(Next(first).has_welcome());
  Send(first, Snapshot(1, Facts({"c1"})));
  EXPECT_TRUE(Next(first).has_ack());
  // Another boot id alone is a machine that was restarted.
  TestCollector second = Open(identity);
  second.Send(Hello("boot-2"));
  EXPECT_TRUE(Next(second).has_welcome());
  EXPECT_TRUE(absl::IsAborted(EndOf(first)));
  // Coming back as what it was before, it is two.
  TestCollector third = Open(identity);
  third.Send(Hello("boot-1"));
  const absl::Status refused = EndOf(third);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("quarantine"));
  EXPECT_THAT(refused.message(), HasSubstr("operator"));
  EXPECT_EQ(Connection(identity.host_id), v1::Host::QUARANTINED);
  // Whoever is still there writes nothing any more.
  Send(second, Snapshot(2, Facts({"c2"})));
  EXPECT_TRUE(absl::IsAborted(EndOf(second)));
  EXPECT_THAT(StoredContainers(identity.host_id), ElementsAre("c1"));
  TestCollector fourth = Open(identity);
  fourth.Send(Hello("boot-2"));
  EXPECT_TRUE(absl::IsFailedPrecondition(EndOf(fourth)));

  ASSERT_TRUE(store_->hosts().Release(identity.host_id).ok());
  TestCollector fifth = Open(identity);
  fifth.Send(Hello("boot-1"));
  EXPECT_TRUE(Next(fifth).has_welcome());
}

TEST_F(FaultsTest, ACollectorOfVersionOneIsServedAsBefore) {
  const uplink::Identity identity = Enrolled();
  const v1::HostFacts facts = Facts({"c1"});
  v1::FromCollector hello = Hello();
  hello.mutable_hello()->set_protocol_version(1);
  {
    TestCollector collector = Open(identity);
    collector.Send(hello);
    const v1::ToCollector welcome = Next(collector);
    EXPECT_EQ(welcome.welcome().protocol_version(), 1u);
    EXPECT_TRUE(welcome.welcome().resync());

    v1::FactsDelta first = Snapshot(1, facts);
    first.set_new_digest(support::FactsDigest(facts));
    Send(collector, first);
    EXPECT_EQ(Next(collector).ack().sequence(), 1u);
    v1::HostFacts now = facts;
    v1::FactsDelta second = Change(2, now, {"c2"}, {"c1"});
    second.set_base_digest(support::FactsDigest(facts));
    second.set_new_digest(support::FactsDigest(now));
    Send(collector, second);
    EXPECT_EQ(Next(collector).ack().sequence(), 2u);
    EXPECT_THAT(StoredContainers(identity.host_id), ElementsAre("c2"));

    v1::FromCollector heartbeat;
    heartbeat.mutable_heartbeat()->set_facts_digest(support::FactsDigest(now));
    collector.Send(heartbeat);
    heartbeat.mutable_heartbeat()->set_facts_digest(Digest(now));
    collector.Send(heartbeat);
    EXPECT_TRUE(Next(collector).has_resync()) << "a tree's digest is none of version 1";
    EXPECT_EQ(stats_.resyncs, 1);

    // Upgraded in between: its flat digest is known, its next one is of the tree.
    EXPECT_TRUE(collector.Finish().ok());
    TestCollector upgraded = Open(identity);
    hello = Hello();
    hello.mutable_hello()->set_facts_digest(support::FactsDigest(now));
    hello.mutable_hello()->set_last_acknowledged_sequence(2);
    upgraded.Send(hello);
    const v1::ToCollector again = Next(upgraded);
    EXPECT_EQ(again.welcome().protocol_version(), 2u);
    EXPECT_FALSE(again.welcome().resync());
    const std::string flat = support::FactsDigest(now);
    v1::FactsDelta third = Change(3, now, {"c3"}, {});
    third.set_base_digest(flat);
    Send(upgraded, third);
    EXPECT_EQ(Next(upgraded).ack().sequence(), 3u);
  }
  TestCollector newer = Open(identity);
  hello = Hello();
  hello.mutable_hello()->set_protocol_version(7);
  newer.Send(hello);
  EXPECT_EQ(Next(newer).welcome().protocol_version(), 2u) << "the lower of both";
}

// A cluster of its own, to stop and start.
class OutageTest : public ::testing::Test {
 protected:
  static std::string MakeDirectory() {
    char dir[] = "/tmp/plimsoll-outage-XXXXXX";
    return mkdtemp(dir);
  }
  void Start() {
    store::EmbeddedCluster::Options options;
    options.data_dir = dir_;
    auto started = store::EmbeddedCluster::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }
  void TearDown() override {
    cluster_.reset();
    std::filesystem::remove_all(dir_);
  }
  const std::string dir_ = MakeDirectory();
  std::unique_ptr<store::EmbeddedCluster> cluster_;
};

// The gateway's fixture on that cluster.
class OnCluster : public GatewayTest {
 public:
  explicit OnCluster(const std::string& url) : GatewayTest(Options(), url) {}
  void TestBody() override {}
  using GatewayTest::Await;
  using GatewayTest::AwaitTrue;
  using GatewayTest::Change;
  using GatewayTest::clock_;
  using GatewayTest::Connection;
  using GatewayTest::controller_;
  using GatewayTest::EndOf;
  using GatewayTest::Enrolled;
  using GatewayTest::Facts;
  using GatewayTest::Greet;
  using GatewayTest::Hello;
  using GatewayTest::Next;
  using GatewayTest::Open;
  using GatewayTest::Send;
  using GatewayTest::Snapshot;
  using GatewayTest::stats_;
  using GatewayTest::StoredContainers;
};

TEST_F(OutageTest, SessionsWaitForADatabaseThatIsAway) {
  Start();
  OnCluster gateway(cluster_->url());
  const uplink::Identity identity = gateway.Enrolled();
  const uplink::Identity late = gateway.Enrolled("web-2");
  TestCollector collector = gateway.Open(identity);
  gateway.Greet(collector);
  v1::HostFacts facts = gateway.Facts({"c1"});
  gateway.Send(collector, gateway.Snapshot(1, facts));
  EXPECT_EQ(gateway.Next(collector).ack().sequence(), 1u);

  const uplink::Identity gone = gateway.Enrolled("web-3");
  auto leaving = std::make_unique<TestCollector>(gateway.controller_->address, gone);
  gateway.Greet(*leaving, "web-3");
  EXPECT_EQ(gateway.Connection(gone.host_id), v1::Host::CONNECTED);

  cluster_.reset();
  gateway.Send(collector, gateway.Change(2, facts, {"c2"}, {}));
  ASSERT_TRUE(gateway.Await(gateway.stats_.commit_retries, 2));
  // A session that ends meanwhile is not forgotten.
  EXPECT_TRUE(leaving->Finish().ok());
  TestCollector refused = gateway.Open(late);
  refused.Send(gateway.Hello());
  const absl::Status away = gateway.EndOf(refused);
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
  EXPECT_TRUE(absl::IsDeadlineExceeded(collector.Receive(absl::Milliseconds(50)).status()))
      << "nothing is acknowledged that is not committed";

  Start();
  EXPECT_EQ(gateway.Next(collector).ack().sequence(), 2u);
  EXPECT_THAT(gateway.StoredContainers(identity.host_id), ElementsAre("c1", "c2"));

  EXPECT_TRUE(gateway.AwaitTrue([&] {
    gateway.clock_.Advance(absl::Seconds(11));
    gateway.controller_->service->Tick();
    gateway.controller_->Settle();
    return gateway.Connection(gone.host_id) == v1::Host::DISCONNECTED;
  }));

  // Away again, and the controller has to stop: the collector keeps what it has.
  cluster_.reset();
  gateway.Send(collector, gateway.Change(3, facts, {"c3"}, {}));
  ASSERT_TRUE(gateway.Await(gateway.stats_.commits_waiting, 1));
  gateway.controller_->Stop(absl::Milliseconds(100));
  const auto answer = collector.Receive(absl::Seconds(30));
  EXPECT_TRUE(absl::IsUnavailable(answer.status())) << "no acknowledgement";
  EXPECT_TRUE(absl::IsUnavailable(collector.Finish()));
}

}  // namespace
}  // namespace plimsoll::gateway
