// The collector against a controller that keeps to the protocol.
#include "collector/agent/agent.h"

#include <gmock/gmock.h>

#include <set>

#include "collector/agent/offline_plan.h"
#include "tests/collector/agent/agent_fixture.h"

namespace plimsoll::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(AgentTest, SendsEverythingOnceAndThenWhatChanged) {
  host_->Run("a");
  Start();
  auto session = Session();
  EXPECT_EQ(hello_.protocol_version(), 2u);
  EXPECT_EQ(hello_.boot_id(), "boot-1");
  EXPECT_EQ(hello_.labels().at("env"), "prod");
  EXPECT_EQ(hello_.last_acknowledged_sequence(), 0u);
  EXPECT_EQ(hello_.facts_digest(), "");
  const v1::FactsDelta first = Take(*session);
  EXPECT_EQ(first.sequence(), 1u);
  EXPECT_TRUE(first.base_digest().empty());
  EXPECT_THAT(host_->plan_paths(), ElementsAre("/etc/docker"));
  host_->Run("b");
  const v1::FactsDelta second = Take(*session);
  EXPECT_EQ(second.sequence(), 2u);
  EXPECT_EQ(second.base_digest(), first.new_digest());
  ASSERT_EQ(second.changed().containers().containers_size(), 1);
  EXPECT_EQ(second.changed().containers().containers(0).id(), "b");
  EXPECT_FALSE(second.has_gap());
  EXPECT_THAT(Stored(), ElementsAre("a", "b"));
  EXPECT_TRUE(Stop().ok());
}

TEST_F(AgentTest, WhatChangesDuringTheFirstCollectionIsADeltaOfItsOwn) {
  welcome_.mutable_heartbeat_interval()->set_seconds(0);
  welcome_.mutable_heartbeat_interval()->set_nanos(100'000'000);
  host_->Hold(true);
  Start();
  auto session = Session();
  ASSERT_TRUE(host_->AwaitCollections(1));
  // By now the session found nothing to send and asked for a snapshot.
  ASSERT_TRUE(session->Next().has_value());
  host_->Run("a");
  host_->Hold(false);
  const auto first = session->NextDelta();
  const auto second = session->NextDelta();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_TRUE(first->base_digest().empty());
  EXPECT_EQ(second->base_digest(), first->new_digest());
  EXPECT_FALSE(second->has_gap());
  session->Ack(second->sequence());
}

TEST_F(AgentTest, NoMoreIsUnderWayThanTheControllerAllows) {
  welcome_.mutable_limits()->set_max_unacknowledged_deltas(2);
  Start();
  auto session = Session();
  Take(*session);
  for (int i = 0; i < 4; ++i) {
    const int before = host_->collections();
    host_->Run(absl::StrCat("c", i));
    ASSERT_TRUE(host_->AwaitCollections(before + 1));
  }
  const auto one = session->NextDelta();
  const auto two = session->NextDelta();
  ASSERT_TRUE(one.has_value() && two.has_value());
  EXPECT_FALSE(session->NextDelta(absl::Milliseconds(200)).has_value());
  EXPECT_TRUE(store_.Take(*one));
  EXPECT_TRUE(store_.Take(*two));
  session->Ack(two->sequence());
  EXPECT_EQ(Take(*session).sequence(), 4u);
  EXPECT_EQ(Take(*session).sequence(), 5u);
  EXPECT_THAT(Stored(), ElementsAre("c0", "c1", "c2", "c3"));
}

TEST_F(AgentTest, ALostConnectionLosesAndRepeatsNothing) {
  Start();
  auto session = Session();
  Take(*session);
  Settle(*session);
  host_->Run("a");
  const auto lost = session->NextDelta();
  ASSERT_TRUE(lost.has_value());
  session->Drop();
  host_->Run("b");
  session = Session();
  EXPECT_EQ(hello_.last_acknowledged_sequence(), 1u);
  EXPECT_EQ(hello_.facts_digest(), store_.digest);
  EXPECT_EQ(hello_.engine_id(), "engine-1");
  const v1::FactsDelta again = Take(*session);
  EXPECT_EQ(again.sequence(), 2u);
  EXPECT_EQ(again.SerializeAsString(), lost->SerializeAsString());
  EXPECT_EQ(Take(*session).sequence(), 3u);
  EXPECT_THAT(Stored(), ElementsAre("a", "b"));
}

TEST_F(AgentTest, AControllerThatIsAheadIsNotToldAgain) {
  Start();
  auto session = Session();
  Take(*session);
  host_->Run("a");
  const auto committed = session->NextDelta();
  ASSERT_TRUE(committed.has_value());
  ASSERT_TRUE(store_.Take(*committed));
  session->Drop();
  session = Session();
  EXPECT_FALSE(welcome_.resync());
  const auto next = session->Next();
  ASSERT_TRUE(next.has_value() && next->has_heartbeat()) << next->ShortDebugString();
  EXPECT_EQ(next->heartbeat().facts_digest(), store_.digest);
  host_->Run("b");
  EXPECT_EQ(Take(*session).sequence(), 3u);
}

TEST_F(AgentTest, AControllerThatLostEverythingGetsItWithItsOwnCount) {
  Start();
  auto session = Session();
  for (const char* id : {"a", "b", "c"}) {
    Take(*session);
    host_->Run(id);
  }
  Take(*session);
  session->Drop();
  store_ = test::FarStore();
  store_.sequence = 1;
  session = Session();
  const v1::FactsDelta everything = Take(*session);
  EXPECT_EQ(everything.sequence(), 2u);
  EXPECT_TRUE(everything.base_digest().empty());
  EXPECT_FALSE(everything.has_gap());
  EXPECT_THAT(Stored(), ElementsAre("a", "b", "c"));
  host_->Run("d");
  EXPECT_EQ(Take(*session).sequence(), 3u);
}

TEST_F(AgentTest, AResyncKeepsTheHistoryOfWhatIsQueued) {
  Start();
  auto session = Session();
  Take(*session);
  session->Drop();
  for (const char* id : {"a", "b", "c"}) {
    const int before = host_->collections();
    host_->Run(id);
    ASSERT_TRUE(host_->AwaitCollections(before + 1));
  }
  store_.digest.clear();
  store_.history.clear();
  session = Session();
  ASSERT_TRUE(welcome_.resync());
  const v1::FactsDelta first = Take(*session);
  EXPECT_TRUE(first.base_digest().empty());
  EXPECT_THAT(Stored(), ElementsAre("a"));
  EXPECT_FALSE(Take(*session).base_digest().empty());
  Take(*session);
  EXPECT_THAT(Stored(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(store_.history.size(), 3u);
}

TEST_F(AgentTest, AResyncInTheMiddleIsAnsweredByOneSnapshot) {
  Start();
  auto session = Session();
  Take(*session);
  std::vector<v1::FactsDelta> refused;
  for (const char* id : {"a", "b", "c"}) {
    host_->Run(id);
    auto delta = session->NextDelta();
    ASSERT_TRUE(delta.has_value());
    refused.push_back(*delta);
  }
  // Each of the three is refused, as an honest controller does.
  for (size_t i = 0; i < refused.size(); ++i) session->Resync();
  const v1::FactsDelta snapshot = Take(*session);
  EXPECT_EQ(snapshot.sequence(), refused[0].sequence());
  EXPECT_TRUE(snapshot.base_digest().empty());
  EXPECT_EQ(snapshot.observed_time().nanos(), refused[0].observed_time().nanos());
  EXPECT_EQ(Take(*session).base_digest(), refused[1].base_digest());
  Take(*session);
  EXPECT_THAT(Stored(), ElementsAre("a", "b", "c"));
  EXPECT_FALSE(session->NextDelta(absl::Milliseconds(200)).has_value());
}

TEST_F(AgentTest, AResyncAfterAHeartbeatGetsASnapshot) {
  welcome_.mutable_heartbeat_interval()->set_seconds(0);
  welcome_.mutable_heartbeat_interval()->set_nanos(100'000'000);
  Start();
  auto session = Session();
  Take(*session);
  std::optional<v1::FromCollector> beat;
  do {
    beat = session->Next();
    ASSERT_TRUE(beat.has_value() && beat->has_heartbeat());
  } while (beat->heartbeat().facts_digest().empty());
  EXPECT_EQ(beat->heartbeat().facts_digest(), store_.digest);
  EXPECT_TRUE(beat->heartbeat().has_host_time());
  session->Resync();
  const v1::FactsDelta snapshot = Take(*session);
  EXPECT_EQ(snapshot.sequence(), 2u);
  EXPECT_TRUE(snapshot.base_digest().empty());
}

TEST_F(AgentTest, WhatHappensWhileDisconnectedArrivesWithItsTimesAfterARestart) {
  Start();
  auto session = Session();
  Take(*session);
  Settle(*session);
  gateway_.RefuseAll(grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now"));
  session->Drop();
  for (const char* id : {"a", "b"}) {
    const int before = host_->collections();
    host_->Run(id);
    ASSERT_TRUE(host_->AwaitCollections(before + 1));
  }
  ASSERT_TRUE(Stop().ok());
  const absl::Time restarted = support::Clock::Real().Now();
  host_->ChangeUnnoticed(
      [](v1::HostFacts& facts) { facts.mutable_containers()->add_containers()->set_id("c"); });
  gateway_.RefuseAll(grpc::Status::OK);
  Start();
  session = Session();
  EXPECT_EQ(hello_.facts_digest(), store_.digest);
  for (uint64_t sequence = 2; sequence <= 4; ++sequence) {
    const v1::FactsDelta delta = Take(*session);
    EXPECT_EQ(delta.sequence(), sequence);
    EXPECT_FALSE(delta.base_digest().empty());
    const absl::Time observed = absl::FromUnixSeconds(delta.observed_time().seconds()) +
                                absl::Nanoseconds(delta.observed_time().nanos());
    EXPECT_EQ(observed < restarted, sequence < 4) << sequence;
  }
  EXPECT_THAT(Stored(), ElementsAre("a", "b", "c"));
}

TEST_F(AgentTest, ThePlanOutlivesARestart) {
  Start();
  auto session = Session();
  Take(*session);
  v1::ToCollector message;
  v1::CollectionPlan& plan = *message.mutable_plan_changed()->mutable_plan();
  plan.add_paths("/other");
  plan.set_digest("plan-2");
  const int before = host_->full_collections();
  const int all = host_->collections();
  session->Send(message);
  ASSERT_TRUE(host_->AwaitCollections(all + 1));
  EXPECT_EQ(host_->full_collections(), before + 1);
  EXPECT_THAT(host_->plan_paths(), ElementsAre("/other"));
  ASSERT_TRUE(Stop().ok());
  gateway_.RefuseAll(grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now"));
  const int collections = host_->collections();
  Start();
  ASSERT_TRUE(host_->AwaitCollections(collections + 1));
  EXPECT_THAT(host_->plan_paths(), ElementsAre("/other"));
}

TEST_F(AgentTest, ScansThatFindNothingNewAreConfirmedTogether) {
  host_->Run("a");
  Start();
  auto session = Session();
  Take(*session);
  // Three arrive while a collection is under way: one more collection is begun for all of them.
  host_->Hold(true);
  const int before = host_->collections();
  session->Scan("scan-0");
  ASSERT_TRUE(host_->AwaitCollections(before + 1));
  for (const char* id : {"scan-1", "scan-2", "scan-2", "scan-3"}) session->Scan(id);
  // They were read when the one behind them, of a collector full of scans, is refused.
  for (int i = 0; i < 254; ++i) session->Scan(absl::StrCat("more-", i));
  std::optional<v1::FromCollector> refused;
  do {
    refused = session->Next();
    ASSERT_TRUE(refused.has_value());
  } while (!refused->has_scan_failed());
  EXPECT_EQ(refused->scan_failed().scan_id(), "more-253");
  EXPECT_FALSE(refused->scan_failed().reason().empty());
  host_->Hold(false);
  std::vector<std::string> answered;
  while (answered.size() < 257) {
    const auto answer = session->NextAnswer();
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->facts_digest(), store_.digest);
    answered.insert(answered.end(), answer->scan_ids().begin(), answer->scan_ids().end());
  }
  EXPECT_EQ(std::set<std::string>(answered.begin(), answered.end()).size(), answered.size());
  answered.resize(4);
  EXPECT_THAT(answered, ElementsAre("scan-0", "scan-1", "scan-2", "scan-3"));
  EXPECT_EQ(host_->collections(), before + 2);
}

TEST_F(AgentTest, AScanThatFindsSomethingIsAnsweredByTheDelta) {
  Start();
  auto session = Session();
  Take(*session);
  host_->ChangeUnnoticed(
      [](v1::HostFacts& facts) { facts.mutable_containers()->add_containers()->set_id("hidden"); });
  session->Scan("scan-1");
  const v1::FactsDelta delta = Take(*session);
  EXPECT_THAT(delta.scan_ids(), ElementsAre("scan-1"));
  EXPECT_THAT(Stored(), ElementsAre("hidden"));
}

TEST_F(AgentTest, NothingIsConfirmedBeforeWhatWasSeenEarlierIsAcknowledged) {
  Start();
  auto session = Session();
  Take(*session);
  host_->Run("a");
  const auto delta = session->NextDelta();
  ASSERT_TRUE(delta.has_value());
  const int before = host_->collections();
  session->Scan("scan-1");
  ASSERT_TRUE(host_->AwaitCollections(before + 1));
  const auto early = session->Next(absl::Milliseconds(200));
  EXPECT_FALSE(early.has_value()) << early->ShortDebugString();
  EXPECT_TRUE(store_.Take(*delta));
  session->Ack(delta->sequence());
  const auto answer = session->NextAnswer();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->facts_digest(), store_.digest);
}

TEST_F(AgentTest, AScanWhoseConfirmationDidNotFitIsAnsweredByTheSnapshot) {
  Start();
  auto session = Session();
  Take(*session);
  session->Scan("scan-1");
  ASSERT_TRUE(session->NextAnswer().has_value());
  session->Resync();
  EXPECT_THAT(Take(*session).scan_ids(), ElementsAre("scan-1"));
}

TEST_F(AgentTest, SlowDownIsObeyedAndTheNewestStateKept) {
  Start();
  auto session = Session();
  Take(*session);
  v1::ToCollector message;
  message.mutable_slow_down()->mutable_pause()->set_nanos(600'000'000);
  const absl::Time start = support::Clock::Real().Now();
  session->Send(message);
  // Its arrival is known by the scan behind it, whose answer is a heartbeat and so allowed.
  session->Scan("scan-1");
  ASSERT_TRUE(session->NextAnswer().has_value());
  host_->Run("a");
  host_->Run("a", true);
  Take(*session);
  EXPECT_GE(support::Clock::Real().Now() - start, absl::Milliseconds(600));
  while (Stored() != std::vector<std::string>{"a!"}) Take(*session);
}

TEST_F(AgentTest, TheCertificateIsRenewedBeforeItsEnd) {
  Enrol(absl::Minutes(20));
  Start();
  auto session = Session();
  std::optional<v1::FromCollector> message;
  do {
    message = session->Next();
    ASSERT_TRUE(message.has_value());
  } while (!message->has_renew());
  v1::ToCollector renewed;
  renewed.mutable_renewed()->set_certificate_pem(authority_.Sign(
      message->renew().certificate_signing_request(), "URI:plimsoll://host/h-1", absl::Hours(5)));
  renewed.mutable_renewed()->set_ca_bundle_pem(authority_.pem());
  session->Send(renewed);
  // It comes back with the new one and does not ask again.
  EXPECT_TRUE(session->AwaitOver());
  session = Session();
  const auto loaded = uplink::LoadIdentity(config_.state_dir, support::Clock::Real().Now());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_GT(loaded->not_after, support::Clock::Real().Now() + absl::Hours(4));
  Take(*session);
  EXPECT_FALSE(session->Next(absl::Milliseconds(100)).has_value());
}

}  // namespace
}  // namespace plimsoll::agent
