// The collector against a controller one protocol version behind.
#include "collector/agent/agent.h"
#include "proto/support/digest.h"
#include "tests/collector/agent/agent_fixture.h"

namespace plimsoll::agent {
namespace {

TEST_F(AgentTest, AControllerOfTheOldProtocolGetsFlatDigests) {
  welcome_.set_protocol_version(1);
  host_->Run("a");
  Start();
  auto session = Session();
  v1::HostFacts facts;
  const auto take = [&](test::FarSession& from) {
    const auto delta = from.NextDelta();
    EXPECT_TRUE(delta.has_value());
    if (!delta->base_digest().empty()) {
      EXPECT_EQ(delta->base_digest(), support::FactsDigest(facts));
    }
    EXPECT_TRUE(support::ApplyDelta(*delta, facts).ok());
    EXPECT_EQ(delta->new_digest(), support::FactsDigest(facts));
    EXPECT_FALSE(delta->has_gap());
    from.Ack(delta->sequence());
    return *delta;
  };
  EXPECT_TRUE(take(*session).base_digest().empty());
  host_->Run("b");
  const v1::FactsDelta second = take(*session);
  EXPECT_FALSE(second.base_digest().empty());
  session->Scan("scan-1");
  const auto answer = session->NextAnswer();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->facts_digest(), support::FactsDigest(facts));
  session->Drop();
  // The next Hello speaks its language, so nothing is sent twice.
  session = gateway_.Accept();
  ASSERT_NE(session, nullptr);
  hello_ = session->Next()->hello();
  EXPECT_EQ(hello_.facts_digest(), support::FactsDigest(facts));
  welcome_.set_last_sequence(2);
  welcome_.set_resync(false);
  session->Welcome(welcome_);
  host_->Run("c");
  const v1::FactsDelta third = take(*session);
  EXPECT_EQ(third.sequence(), 3u);
  EXPECT_FALSE(third.base_digest().empty());
  session->Resync();
  EXPECT_TRUE(take(*session).base_digest().empty());
  EXPECT_EQ(facts.containers().containers_size(), 3);
}

}  // namespace
}  // namespace plimsoll::agent
