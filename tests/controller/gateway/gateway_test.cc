// Sessions: what goes up, what comes down, and how they end.
#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/controller/gateway/gateway_fixture.h"

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;

v1::FromCollector Heartbeat(const std::string& digest, const std::vector<std::string>& scans = {}) {
  v1::FromCollector message;
  message.mutable_heartbeat()->set_facts_digest(digest);
  for (const std::string& id : scans) message.mutable_heartbeat()->add_scan_ids(id);
  return message;
}

TEST_F(GatewayTest, FactsOfAnEnrolledHostAreJudgedAndStored) {
  const uplink::Identity identity = Enrolled("web-1");
  TestCollector uplink = Open(identity);
  const v1::Welcome welcome = Greet(uplink, "web-1.example");
  EXPECT_EQ(welcome.protocol_version(), 2u);
  EXPECT_EQ(welcome.host_id(), identity.host_id);
  EXPECT_EQ(welcome.plan().digest(), ingest_->plan()->digest());
  EXPECT_GT(welcome.plan().paths_size(), 0);
  EXPECT_EQ(welcome.limits().max_message_bytes(), kMaxMessageBytes);
  EXPECT_TRUE(welcome.resync());
  EXPECT_EQ(welcome.last_sequence(), 0u);
  EXPECT_GT(welcome.heartbeat_interval().seconds(), 0);

  const v1::HostFacts facts = Facts({"c1", "c2"});
  ASSERT_TRUE(Send(uplink, Snapshot(1, facts)));
  EXPECT_EQ(Next(uplink).ack().sequence(), 1u);
  const auto stored = store_->reports().GetFacts(identity.host_id);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(Digest(stored->facts), Digest(facts));
  EXPECT_EQ(stored->digest, Digest(facts));
  const auto host = store_->hosts().Get(identity.host_id);
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->hostname(), "web-1.example");
  EXPECT_EQ(host->labels().at("env"), "prod");
  EXPECT_EQ(host->clock_skew().seconds(), 3);
  EXPECT_EQ(host->connection(), v1::Host::CONNECTED);
  EXPECT_EQ(host->counts_size(), baselines_.size());
  EXPECT_EQ(stats_.sessions_begun, 1);
  absl::MutexLock lock(&controller_->mutex);
  EXPECT_THAT(controller_->committed, ElementsAre(identity.host_id));
  EXPECT_THAT(controller_->changed, ElementsAre(identity.host_id));
}

TEST_F(GatewayTest, ARepeatedSequenceIsAcknowledgedAndChangesNothing) {
  const uplink::Identity identity = Enrolled();
  TestCollector uplink = Open(identity);
  Greet(uplink);
  Send(uplink, Snapshot(1, Facts({"c1"})));
  EXPECT_EQ(Next(uplink).ack().sequence(), 1u);
  Send(uplink, Snapshot(1, Facts({"c2"})));
  EXPECT_EQ(Next(uplink).ack().sequence(), 1u);
  EXPECT_THAT(StoredContainers(identity.host_id), ElementsAre("c1"));
}

TEST_F(GatewayTest, ADeltaUpsertsAndRemoves) {
  const uplink::Identity identity = Enrolled();
  TestCollector uplink = Open(identity);
  Greet(uplink);
  v1::HostFacts facts = Facts({"c1", "c2"});
  Send(uplink, Snapshot(1, facts));
  EXPECT_EQ(Next(uplink).ack().sequence(), 1u);
  Send(uplink, Change(2, facts, {"c3"}, {"c1"}));
  EXPECT_EQ(Next(uplink).ack().sequence(), 2u);
  EXPECT_THAT(StoredContainers(identity.host_id), ElementsAre("c2", "c3"));
  EXPECT_EQ(store_->reports().GetFacts(identity.host_id)->facts.machine().hostname(), "web-1");
}

TEST_F(GatewayTest, WhatDoesNotFitIsAskedForAnew) {
  const uplink::Identity identity = Enrolled();
  TestCollector uplink = Open(identity);
  Greet(uplink);
  v1::HostFacts facts = Facts({"c1"});
  Send(uplink, Snapshot(1, facts));
  EXPECT_TRUE(Next(uplink).has_ack());

  v1::HostFacts unknown = Facts({"c9"});
  Send(uplink, Change(2, unknown, {"c2"}, {}));
  EXPECT_TRUE(Next(uplink).has_resync()) << "wrong base";
  v1::HostFacts copy = facts;
  v1::FactsDelta lie = Change(2, copy, {"c2"}, {});
  lie.set_new_digest(std::string(32, 'x'));
  Send(uplink, lie);
  EXPECT_TRUE(Next(uplink).has_resync()) << "wrong result";
  EXPECT_THAT(StoredContainers(identity.host_id), ElementsAre("c1"));

  Send(uplink, Snapshot(2, Facts({"c2"})));
  EXPECT_EQ(Next(uplink).ack().sequence(), 2u);
  EXPECT_THAT(StoredContainers(identity.host_id), ElementsAre("c2"));
}

TEST_F(GatewayTest, AHeartbeatWithOtherFactsIsAnsweredByResync) {
  const uplink::Identity identity = Enrolled();
  TestCollector uplink = Open(identity);
  Greet(uplink);
  const v1::HostFacts facts = Facts({"c1"});
  Send(uplink, Snapshot(1, facts));
  EXPECT_TRUE(Next(uplink).has_ack());
  uplink.Send(Heartbeat(Digest(facts)));
  uplink.Send(Heartbeat(""));
  uplink.Send(Heartbeat(std::string(32, 'x')));
  EXPECT_TRUE(Next(uplink).has_resync());
  // One Resync for three heartbeats: the next answer is to the next question.
  Send(uplink, Snapshot(1, facts));
  EXPECT_EQ(Next(uplink).ack().sequence(), 1u);
}

TEST_F(GatewayTest, AReturningCollectorThatKnowsTheFactsNeedNotSendThem) {
  const uplink::Identity identity = Enrolled();
  const v1::HostFacts facts = Facts({"c1"});
  {
    TestCollector uplink = Open(identity);
    Greet(uplink);
    Send(uplink, Snapshot(1, facts));
    EXPECT_TRUE(Next(uplink).has_ack());
    EXPECT_TRUE(uplink.Finish().ok());
  }
  const struct {
    std::string digest;
    uint64_t sequence;
    bool resync;
  } cases[] = {{Digest(facts), 1, false},
               {std::string(32, 'x'), 1, true},
               // The controller is merely ahead: acknowledgements were lost.
               {Digest(facts), 0, false},
               {"", 0, false},
               // The controller is behind: it lost what it acknowledged.
               {Digest(facts), 2, true}};
  for (const auto& c : cases) {
    TestCollector uplink = Open(identity);
    v1::FromCollector hello;
    hello.mutable_hello()->set_protocol_version(2);
    hello.mutable_hello()->set_facts_digest(c.digest);
    hello.mutable_hello()->set_last_acknowledged_sequence(c.sequence);
    uplink.Send(hello);
    const v1::ToCollector answer = Next(uplink);
    EXPECT_EQ(answer.welcome().resync(), c.resync) << c.sequence << c.digest.size();
    EXPECT_EQ(answer.welcome().last_sequence(), 1u);
    EXPECT_TRUE(uplink.Finish().ok());
  }
}

TEST_F(GatewayTest, BreakingTheProtocolEndsTheSession) {
  const v1::FromCollector hello = Hello();
  v1::FromCollector old;
  old.mutable_hello()->set_protocol_version(0);
  v1::FromCollector zero;
  *zero.mutable_facts_delta() = Snapshot(0, Facts({"c1"}));
  v1::FromCollector lie;
  *lie.mutable_facts_delta() = Snapshot(1, Facts({"c1"}));
  lie.mutable_facts_delta()->set_new_digest(std::string(32, 'x'));
  v1::FromCollector large;
  large.mutable_scan_failed()->set_reason(std::string(2 * kMaxMessageBytes, 'x'));
  const struct {
    const char* name;
    std::vector<v1::FromCollector> messages;
    absl::StatusCode code;
  } cases[] = {
      {"no Hello", {Heartbeat("")}, absl::StatusCode::kInvalidArgument},
      {"two Hellos", {hello, hello}, absl::StatusCode::kInvalidArgument},
      {"too old", {old}, absl::StatusCode::kFailedPrecondition},
      {"sequence 0", {hello, zero}, absl::StatusCode::kInvalidArgument},
      {"a snapshot that is not what it says", {hello, lie}, absl::StatusCode::kInvalidArgument},
      {"too large", {hello, large}, absl::StatusCode::kResourceExhausted},
  };
  const uplink::Identity identity = Enrolled();
  for (const auto& c : cases) {
    TestCollector uplink = Open(identity);
    for (const v1::FromCollector& message : c.messages) uplink.Send(message);
    const absl::Status end = EndOf(uplink);
    EXPECT_EQ(end.code(), c.code) << c.name << ": " << end;
  }
  EXPECT_TRUE(absl::IsNotFound(store_->reports().GetFacts(identity.host_id).status()));
}

TEST_F(GatewayTest, AMessageOfALaterProtocolIsPassedOver) {
  TestCollector uplink = Open(Enrolled());
  Greet(uplink);
  uplink.Send(v1::FromCollector());
  Send(uplink, Snapshot(1, Facts({"c1"})));
  EXPECT_EQ(Next(uplink).ack().sequence(), 1u);
}

TEST_F(GatewayTest, ANewerSessionDisplacesTheOlder) {
  const uplink::Identity identity = Enrolled();
  TestCollector older = Open(identity);
  Greet(older);
  TestCollector newer = Open(identity);
  Greet(newer);
  const absl::Status end = EndOf(older);
  EXPECT_TRUE(absl::IsAborted(end)) << end;
  Send(newer, Snapshot(1, Facts({"c1"})));
  EXPECT_EQ(Next(newer).ack().sequence(), 1u);
  Settle();
  EXPECT_EQ(sessions_.Count(), 1u);
  EXPECT_EQ(Connection(identity.host_id), v1::Host::CONNECTED);
}

TEST_F(GatewayTest, AQuickReturnIsNotTakenForAnAbsence) {
  const uplink::Identity identity = Enrolled();
  for (int i = 0; i < 20; ++i) {
    TestCollector uplink = Open(identity);
    Greet(uplink);
    EXPECT_TRUE(uplink.Finish().ok());
  }
  TestCollector last = Open(identity);
  Greet(last);
  Settle();
  EXPECT_EQ(Connection(identity.host_id), v1::Host::CONNECTED);
}

TEST_F(GatewayTest, TheEndOfASessionIsStored) {
  const uplink::Identity left = Enrolled("web-1");
  const uplink::Identity drained = Enrolled("web-2");
  TestCollector leaving = Open(left);
  Greet(leaving, "web-1");
  TestCollector staying = Open(drained);
  Greet(staying, "web-2");
  EXPECT_TRUE(leaving.Finish().ok());
  Stop();
  const absl::Status end = EndOf(staying);
  EXPECT_TRUE(absl::IsUnavailable(end)) << end;
  EXPECT_EQ(sessions_.Count(), 0u);
  EXPECT_EQ(Connection(left.host_id), v1::Host::DISCONNECTED);
  EXPECT_EQ(Connection(drained.host_id), v1::Host::DISCONNECTED);
}

TEST_F(GatewayTest, AScanReachesTheCollectorAndIsAnswered) {
  const uplink::Identity identity = Enrolled();
  TestCollector uplink = Open(identity);
  Greet(uplink);
  const v1::HostFacts facts = Facts({"c1"});
  Send(uplink, Snapshot(1, facts));
  EXPECT_TRUE(Next(uplink).has_ack());

  ASSERT_TRUE(board_->Create(Scan("by-facts", {identity.host_id})).ok());
  const v1::ToCollector asked = Next(uplink);
  EXPECT_EQ(asked.scan_request().scan_id(), "by-facts");
  EXPECT_EQ(asked.scan_request().deadline().seconds(),
            absl::ToUnixSeconds(clock_.Now() + absl::Minutes(1)));
  EXPECT_EQ(ScanState("by-facts"), "RUNNING: REQUESTED ");
  v1::FactsDelta delta = Snapshot(2, Facts({"c1", "c2"}));
  delta.add_scan_ids("by-facts");
  Send(uplink, delta);
  EXPECT_EQ(Next(uplink).ack().sequence(), 2u);
  EXPECT_TRUE(AwaitTrue([&] { return ScanState("by-facts") == "DONE: EVALUATED "; }));

  ASSERT_TRUE(board_->Create(Scan("by-heartbeat", {identity.host_id})).ok());
  EXPECT_EQ(Next(uplink).scan_request().scan_id(), "by-heartbeat");
  uplink.Send(Heartbeat(Digest(Facts({"c1", "c2"})), {"by-heartbeat"}));
  Send(uplink, Snapshot(2, facts));
  EXPECT_TRUE(Next(uplink).has_ack());
  EXPECT_EQ(ScanState("by-heartbeat"), "DONE: EVALUATED ");

  ASSERT_TRUE(board_->Create(Scan("failing", {identity.host_id})).ok());
  EXPECT_EQ(Next(uplink).scan_request().scan_id(), "failing");
  v1::FromCollector failed;
  failed.mutable_scan_failed()->set_scan_id("failing");
  failed.mutable_scan_failed()->set_reason("no engine");
  uplink.Send(failed);
  Send(uplink, Snapshot(2, facts));
  EXPECT_TRUE(Next(uplink).has_ack());
  EXPECT_EQ(ScanState("failing"), "DONE: FAILED no engine");
}

TEST_F(GatewayTest, AScanWaitsForAHostThatIsAway) {
  const uplink::Identity identity = Enrolled();
  ASSERT_TRUE(board_->Create(Scan("s1", {identity.host_id})).ok());
  EXPECT_EQ(ScanState("s1"), "RUNNING: OFFLINE ");
  TestCollector uplink = Open(identity);
  Greet(uplink);
  EXPECT_EQ(Next(uplink).scan_request().scan_id(), "s1");
  EXPECT_EQ(ScanState("s1"), "RUNNING: REQUESTED ");
}

}  // namespace
}  // namespace plimsoll::gateway
