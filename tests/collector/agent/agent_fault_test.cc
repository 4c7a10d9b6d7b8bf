// The collector against controllers that refuse, lie, hang and come and go.
#include <gmock/gmock.h>

#include "collector/agent/agent.h"
#include "tests/collector/agent/agent_fixture.h"

namespace plimsoll::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AgentFaultTest : public AgentTest {
 protected:
  // The collector left the session for what the controller did, and comes back.
  void ExpectLeft(test::FarSession& session) {
    EXPECT_TRUE(session.AwaitOver());
    EXPECT_NE(gateway_.Accept(), nullptr);
  }
};

TEST_F(AgentFaultTest, AQuarantinedHostWaitsLongAndGoesOnObserving) {
  config_.first_plan_wait = absl::ZeroDuration();
  config_.refused_pause = absl::Minutes(5);
  gateway_.RefuseAll(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "in quarantine"));
  Start();
  ASSERT_TRUE(host_->AwaitCollections(1));
  const int before = host_->collections();
  host_->Run("a");
  EXPECT_TRUE(host_->AwaitCollections(before + 1));
  EXPECT_TRUE(gateway_.AwaitRefused());
  const absl::Time start = support::Clock::Real().Now();
  EXPECT_TRUE(Stop().ok());
  EXPECT_LT(support::Clock::Real().Now() - start, absl::Seconds(2));
  EXPECT_EQ(gateway_.refused(), 1);
}

TEST_F(AgentFaultTest, ACertificateThatIsNotAcceptedWaitsLongAndIsTriedAgain) {
  config_.refused_pause = absl::Minutes(5);
  gateway_.RefuseAll(grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "certificate revoked"));
  Start();
  EXPECT_TRUE(gateway_.AwaitRefused());
  EXPECT_EQ(gateway_.Accept(absl::Milliseconds(300)), nullptr);
  EXPECT_EQ(gateway_.refused(), 1);
  EXPECT_TRUE(Stop().ok());
  // A database that was restored once more: the certificate is known again.
  config_.refused_pause = absl::Milliseconds(50);
  Start();
  EXPECT_TRUE(gateway_.AwaitRefused(3));
  gateway_.RefuseAll(grpc::Status::OK);
  Session();
  EXPECT_TRUE(Stop().ok());
}

TEST_F(AgentFaultTest, AReleasedHostDeliversWhatItSawInQuarantine) {
  config_.refused_pause = absl::Milliseconds(100);
  config_.first_plan_wait = absl::ZeroDuration();
  gateway_.RefuseAll(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "in quarantine"));
  Start();
  ASSERT_TRUE(host_->AwaitCollections(1));
  host_->Run("a");
  gateway_.RefuseAll(grpc::Status::OK);
  auto session = Session();
  while (Stored().empty()) Take(*session);
  EXPECT_THAT(Stored(), ElementsAre("a"));
}

TEST_F(AgentFaultTest, ARevokedHostEndsWithAnError) {
  gateway_.RefuseAll(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "host removed"));
  Start();
  const absl::Status ended = Join();
  EXPECT_TRUE(absl::IsPermissionDenied(ended)) << ended;
  EXPECT_THAT(std::string(ended.message()), HasSubstr("host removed"));
}

TEST_F(AgentFaultTest, ShortSessionsDoNotMakeThePausesShort) {
  config_.reconnect_min = absl::Milliseconds(20);
  config_.reconnect_max = absl::Seconds(10);
  config_.worthwhile_session = absl::Hours(1);
  Start();
  const absl::Time start = support::Clock::Real().Now();
  for (int i = 0; i < 6; ++i) {
    auto session = gateway_.Accept();
    ASSERT_NE(session, nullptr);
    session->Drop();
  }
  // Windows of 80, 160, 320, 640 and 1280 ms: all five pauses short is one chance in a million.
  EXPECT_GT(support::Clock::Real().Now() - start, absl::Milliseconds(150));
}

TEST_F(AgentFaultTest, AnAcknowledgementOfWhatWasNeverSentIsNotBelieved) {
  Start();
  auto session = Session();
  const auto delta = session->NextDelta();
  ASSERT_TRUE(delta.has_value());
  session->Ack(delta->sequence() + 1);
  EXPECT_TRUE(session->AwaitOver());
  session = Session();
  EXPECT_EQ(hello_.last_acknowledged_sequence(), 0u);
  EXPECT_EQ(Take(*session).sequence(), delta->sequence());
}

TEST_F(AgentFaultTest, WhatBreaksTheProtocolEndsTheSession) {
  Start();
  auto session = Session();
  session->Welcome(welcome_);
  ExpectLeft(*session);
  Stop().IgnoreError();
  Start();
  session = gateway_.Accept();
  ASSERT_NE(session, nullptr);
  session->Ack(1);
  ExpectLeft(*session);
  Stop().IgnoreError();
  Start();
  session = gateway_.Accept();
  ASSERT_NE(session, nullptr);
  welcome_.set_protocol_version(3);
  session->Welcome(welcome_);
  ExpectLeft(*session);
}

TEST_F(AgentFaultTest, EndlessResyncsAreLeft) {
  Start();
  auto session = Session();
  int snapshots = 0;
  while (auto delta = session->NextDelta(absl::Seconds(5))) {
    EXPECT_TRUE(delta->base_digest().empty());
    ++snapshots;
    session->Resync();
  }
  EXPECT_EQ(snapshots, 4);
  ExpectLeft(*session);
}

TEST_F(AgentFaultTest, FactsLargerThanTheControllerAcceptsAreNotSentAgainAndAgain) {
  config_.refused_pause = absl::Minutes(5);
  welcome_.mutable_limits()->set_max_message_bytes(20'000);
  host_->ChangeUnnoticed([](v1::HostFacts& facts) {
    facts.mutable_machine()->set_hostname(std::string(30'000, 'x'));
  });
  Start();
  auto session = Session();
  EXPECT_FALSE(session->NextDelta().has_value());
  EXPECT_TRUE(session->AwaitOver());
  EXPECT_EQ(gateway_.Accept(absl::Milliseconds(300)), nullptr);
}

// What the controller says to every delta that is no full snapshot.
class RefusedDeltaTest : public AgentTest,
                         public ::testing::WithParamInterface<grpc::StatusCode> {};

TEST_P(RefusedDeltaTest, TheNewestStateIsSentInstead) {
  Start();
  auto session = Session();
  Take(*session);
  gateway_.RefuseAll(grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now"));
  session->Drop();
  for (const char* id : {"a", "b"}) {
    const int before = host_->collections();
    host_->Run(id);
    ASSERT_TRUE(host_->AwaitCollections(before + 1));
  }
  gateway_.JudgeDeltas([](const v1::FactsDelta& delta) {
    return delta.base_digest().empty() ? grpc::Status::OK : grpc::Status(GetParam(), "not this");
  });
  gateway_.RefuseAll(grpc::Status::OK);
  std::optional<v1::FactsDelta> delta;
  for (int i = 0; i < 8 && !delta.has_value(); ++i) {
    session = Session();
    EXPECT_FALSE(welcome_.resync());
    delta = session->NextDelta();
  }
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->gap().dropped_count(), 1);
  EXPECT_TRUE(store_.Take(*delta));
  session->Ack(delta->sequence());
  EXPECT_THAT(Stored(), ElementsAre("a", "b"));
}

INSTANTIATE_TEST_SUITE_P(Codes, RefusedDeltaTest,
                         ::testing::Values(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                           grpc::StatusCode::INVALID_ARGUMENT,
                                           grpc::StatusCode::NOT_FOUND,
                                           grpc::StatusCode::INTERNAL));

TEST_F(AgentFaultTest, AnInternalErrorOnceKeepsTheHistory) {
  Start();
  auto session = Session();
  Take(*session);
  std::atomic<int> judged = 0;
  gateway_.JudgeDeltas([&](const v1::FactsDelta&) {
    return judged++ > 0 ? grpc::Status::OK
                        : grpc::Status(grpc::StatusCode::INTERNAL, "a proxy lost the connection");
  });
  gateway_.RefuseAll(grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now"));
  session->Drop();
  for (const char* id : {"a", "b"}) {
    const int before = host_->collections();
    host_->Run(id);
    ASSERT_TRUE(host_->AwaitCollections(before + 1));
  }
  gateway_.RefuseAll(grpc::Status::OK);
  session = Session();
  EXPECT_FALSE(session->NextDelta().has_value());
  session = Session();
  EXPECT_EQ(Take(*session).sequence(), 2u);
  EXPECT_EQ(Take(*session).sequence(), 3u);
  EXPECT_THAT(Stored(), ElementsAre("a", "b"));
  EXPECT_TRUE(Stop().ok());
}

TEST_F(AgentFaultTest, AClockThatWasSetBackPutsNoHeartbeatOff) {
  welcome_.mutable_heartbeat_interval()->set_seconds(0);
  welcome_.mutable_heartbeat_interval()->set_nanos(100'000'000);
  Start();
  auto session = Session();
  Take(*session);
  clock_.Set(-absl::Hours(3));
  for (int i = 0; i < 3; ++i) {
    const auto message = session->Next();
    ASSERT_TRUE(message.has_value() && message->has_heartbeat()) << i;
  }
}

TEST_F(AgentFaultTest, AtTheEndWhatIsQueuedIsStillDelivered) {
  config_.drain_time = absl::Minutes(1);
  Start();
  auto session = Session();
  Take(*session);
  host_->Run("a");
  const auto delta = session->NextDelta();
  ASSERT_TRUE(delta.has_value());
  std::thread stopper([this] { agent_->Stop(); });
  EXPECT_FALSE(session->NextDelta(absl::Milliseconds(200)).has_value());
  const absl::Time start = support::Clock::Real().Now();
  session->Ack(delta->sequence());
  stopper.join();
  EXPECT_LT(support::Clock::Real().Now() - start, absl::Seconds(30));
  EXPECT_TRUE(Join().ok());
  spool::Spool::Options options;
  options.dir = config_.state_dir + "/spool";
  const auto spool = spool::Spool::Open(options, support::Clock::Real());
  ASSERT_TRUE(spool.ok()) << spool.status();
  EXPECT_EQ((*spool)->state().pending, 0u);
  EXPECT_EQ((*spool)->state().acknowledged_sequence, delta->sequence());
}

TEST_F(AgentFaultTest, AControllerThatHangsDoesNotHoldUpTheEnd) {
  config_.drain_time = absl::Milliseconds(500);
  Start();
  auto session = Session();
  Take(*session);
  host_->Run("a");
  ASSERT_TRUE(session->NextDelta().has_value());
  const absl::Time start = support::Clock::Real().Now();
  EXPECT_TRUE(Stop().ok());
  const absl::Duration took = support::Clock::Real().Now() - start;
  EXPECT_GE(took, absl::Milliseconds(450));
  EXPECT_LT(took, absl::Seconds(4));
  Start();
  session = Session();
  EXPECT_EQ(Take(*session).sequence(), 2u);
  EXPECT_THAT(Stored(), ElementsAre("a"));
}

TEST_F(AgentFaultTest, ASecondCollectorOfTheSameStateIsRefused) {
  Start();
  auto session = Session();
  Take(*session);
  Agent second(env_, config_, std::make_unique<FakeSight>(std::make_shared<FakeHost>()));
  EXPECT_TRUE(absl::IsFailedPrecondition(second.Run()));
}

// Drops, lost acknowledgements, resyncs and restarts at random: the controller has every state in
// order, once, and the last one in the end.
TEST_F(AgentFaultTest, WhateverTheNetworkDoesEveryChangeArrivesInOrder) {
  std::mt19937 random(std::random_device{}());
  config_.reconnect_max = absl::Milliseconds(30);
  Start();
  int change = 0;
  for (int round = 0; round < 30; ++round) {
    auto session = Session();
    for (int i = static_cast<int>(random() % 6); i > 0; --i) {
      if (random() % 2 == 0) {
        ++change;
        host_->Run(absl::StrCat("c", change % 7), change % 2 == 0);
      }
      if (random() % 4 == 0) session->Scan(absl::StrCat("scan-", round, "-", i));
      const auto delta = session->NextDelta(absl::Milliseconds(20));
      if (!delta.has_value()) continue;
      if (random() % 8 == 0) {
        session->Resync();
        continue;
      }
      if (!store_.Take(*delta)) {
        session->Resync();
      } else if (random() % 4 != 0) {
        session->Ack(delta->sequence());
      }
    }
    if (random() % 6 == 0) {
      config_.drain_time = absl::Milliseconds(10);
      ASSERT_TRUE(Stop().ok());
      Start();
    } else {
      session->Drop();
    }
  }
  host_->Run("last");
  auto session = Session();
  for (int i = 0; i < 200 && (Stored().empty() || Stored().back() != "last"); ++i) {
    const auto delta = session->NextDelta();
    ASSERT_TRUE(delta.has_value());
    if (store_.Take(*delta)) {
      session->Ack(delta->sequence());
    } else {
      session->Resync();
    }
  }
  EXPECT_EQ(Stored().back(), "last");
  for (size_t i = 1; i < store_.history.size(); ++i) {
    EXPECT_GT(store_.history[i].sequence(), store_.history[i - 1].sequence());
    EXPECT_FALSE(store_.history[i].has_gap());
    const auto nanos = [&](size_t k) {
      const auto& time = store_.history[k].observed_time();
      return time.seconds() * 1'000'000'000 + time.nanos();
    };
    EXPECT_GE(nanos(i), nanos(i - 1));
  }
}

}  // namespace
}  // namespace plimsoll::agent
