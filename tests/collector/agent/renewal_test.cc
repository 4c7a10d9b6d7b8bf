// How a collector renews its certificate, and what it does while it cannot.
#include <gmock/gmock.h>

#include <atomic>

#include "tests/collector/agent/agent_fixture.h"

namespace plimsoll::agent {
namespace {

using ::testing::ElementsAre;

class RenewalTest : public AgentTest {
 protected:
  // In the last third of its life.
  static constexpr absl::Duration kDue = absl::Minutes(20);

  RenewalTest() { config_.drain_time = absl::Milliseconds(100); }

  absl::StatusOr<uplink::Identity> Identity() const {
    return uplink::LoadIdentity(config_.state_dir, support::Clock::Real().Now());
  }
  bool IsRenewed() const {
    const auto identity = Identity();
    return identity.ok() && identity->not_after > support::Clock::Real().Now() + absl::Hours(4);
  }
  v1::RenewResponse Renewed(const std::string& request_der) const {
    v1::RenewResponse response;
    response.set_certificate_pem(
        authority_.Sign(request_der, "URI:plimsoll://host/h-1", absl::Hours(5)));
    response.set_ca_bundle_pem(authority_.pem());
    return response;
  }
  // Gives the session a new certificate, asked for or not.
  void Renew(test::FarSession& session) const {
    v1::ToCollector message;
    *message.mutable_renewed() = Renewed(*uplink::MakeRequest(Identity()->key_pem));
    session.Send(message);
  }
  // Waits until a renewal is asked for.
  static bool Asks(test::FarSession& session) {
    while (auto message = session.Next()) {
      if (message->has_renew()) return true;
    }
    return false;
  }
  void BeatOften() {
    welcome_.mutable_heartbeat_interval()->set_seconds(0);
    welcome_.mutable_heartbeat_interval()->set_nanos(100'000'000);
  }
  void RefuseAll(grpc::StatusCode code) { gateway_.RefuseAll(grpc::Status(code, "not this one")); }
};

TEST_F(RenewalTest, TheFirstIsFollowedAtOnceAndMoreTakeTheirTime) {
  config_.reconnect_min = config_.reconnect_max = absl::Milliseconds(1500);
  Start();
  std::vector<absl::Duration> waited;
  for (int i = 0; i < 3; ++i) {
    const absl::Time start = support::Clock::Real().Now();
    auto session = Session();
    waited.push_back(support::Clock::Real().Now() - start);
    Renew(*session);
  }
  EXPECT_LT(waited[1], absl::Milliseconds(1500));
  EXPECT_GE(waited[2], absl::Milliseconds(1490));
}

TEST_F(RenewalTest, AHostInQuarantineRenewsWithoutASession) {
  Enrol(kDue);
  config_.refused_pause = absl::Milliseconds(50);
  std::atomic<int> asked = 0;
  gateway_.OnRenew([&](const v1::RenewRequest& request, v1::RenewResponse* response) {
    ++asked;
    *response = Renewed(request.certificate_signing_request());
    return grpc::Status::OK;
  });
  const std::string key = Identity()->key_pem;
  RefuseAll(grpc::StatusCode::FAILED_PRECONDITION);
  Start();
  EXPECT_TRUE(gateway_.AwaitRefused(4));
  gateway_.RefuseAll(grpc::Status::OK);
  auto session = Session();
  Take(*session);
  EXPECT_FALSE(session->Next(absl::Milliseconds(100)).has_value()) << "asks once more";
  EXPECT_TRUE(Stop().ok());
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(IsRenewed());
  EXPECT_EQ(Identity()->key_pem, key);
}

TEST_F(RenewalTest, WithoutOneTheSessionIsTriedAllTheSame) {
  Enrol(kDue);
  config_.refused_pause = absl::Milliseconds(50);
  RefuseAll(grpc::StatusCode::FAILED_PRECONDITION);
  Start();
  EXPECT_TRUE(gateway_.AwaitRefused(3));
  gateway_.RefuseAll(grpc::Status::OK);
  auto session = Session();
  EXPECT_TRUE(Asks(*session));
  Renew(*session);
  Session();
  EXPECT_TRUE(IsRenewed());
}

TEST_F(RenewalTest, ARevokedHostEndsByIt) {
  Enrol(kDue);
  config_.refused_pause = absl::Milliseconds(50);
  gateway_.OnRenew([](const v1::RenewRequest&, v1::RenewResponse*) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "host removed");
  });
  RefuseAll(grpc::StatusCode::FAILED_PRECONDITION);
  Start();
  EXPECT_TRUE(absl::IsPermissionDenied(Join()));
}

TEST_F(RenewalTest, AnExpiredCertificateEndsOnlyWhatHasNotBegun) {
  config_.refused_pause = absl::Milliseconds(50);
  Start();
  auto session = Session();
  Take(*session);
  clock_.Set(absl::Hours(2));
  session->Drop();
  EXPECT_EQ(gateway_.Accept(absl::Milliseconds(300)), nullptr);
  const int before = host_->collections();
  host_->Run("a");
  EXPECT_TRUE(host_->AwaitCollections(before + 1));
  // As by a new token.
  Enrol(absl::Hours(5));
  session = Session();
  Take(*session);
  EXPECT_THAT(Stored(), ElementsAre("a"));
  EXPECT_TRUE(Stop().ok());
  Enrol(absl::Hours(1));
  Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(Join()));
}

TEST_F(RenewalTest, OneThatCouldNotBeSavedIsAskedForAgain) {
  config_.renewal_pause = absl::Milliseconds(100);
  BeatOften();
  // Due or not: a controller gives new ones unasked as well.
  for (const absl::Duration left : {kDue, absl::Hours(1)}) {
    Enrol(left);
    Start();
    auto session = Session();
    if (left == kDue) {
      EXPECT_TRUE(Asks(*session));
    }
    const std::string obstacle = config_.state_dir + "/host.key.new";
    ASSERT_TRUE(std::filesystem::create_directory(obstacle));
    Renew(*session);
    EXPECT_TRUE(Asks(*session));
    std::filesystem::remove(obstacle);
    Renew(*session);
    Session();
    EXPECT_TRUE(IsRenewed());
    EXPECT_TRUE(Stop().ok());
  }
}

}  // namespace
}  // namespace plimsoll::agent
