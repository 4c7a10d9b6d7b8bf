#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "controller/access/tokens.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

class EnrollmentTokensTest : public ::testing::Test {
 protected:
  // Enrols a host with this secret at the clock's time.
  absl::Status Enroll(const std::string& secret, const std::string& host_id) {
    return parts_.store->enrollment().Enroll(
        access::HashSecret(secret), "name of " + host_id,
        {"serial of " + host_id, host_id, parts_.clock.Now(), parts_.clock.Now() + absl::Hours(1)},
        parts_.clock.Now());
  }
  Parts parts_;
};

TEST_F(EnrollmentTokensTest, ThereAreNoneAtFirst) {
  const auto none = parts_.enrollment->List(Admin(), {});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->tokens_size(), 0);
}

TEST_F(EnrollmentTokensTest, ADefaultTokenEnrolsOneHostWithinAnHour) {
  const auto created = parts_.enrollment->Create(Admin(), {});
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_TRUE(absl::StartsWith(created->secret(), "plt_"));
  EXPECT_EQ(created->ca_bundle_pem(), parts_.authority->BundlePem());
  EXPECT_EQ(created->token().max_uses(), 1);
  EXPECT_EQ(created->token().expire_time().seconds() - created->token().create_time().seconds(),
            3600);
  EXPECT_TRUE(Enroll(created->secret(), "h-1").ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll(created->secret(), "h-2")));

  const auto other = parts_.enrollment->Create(Admin(), {});
  ASSERT_TRUE(other.ok());
  EXPECT_NE(other->secret(), created->secret());
  parts_.clock.Advance(absl::Minutes(61));
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll(other->secret(), "h-3")));
}

TEST_F(EnrollmentTokensTest, UsesAndLifetimesHaveLimits) {
  const struct {
    int uses;
    int64_t seconds;
    int32_t nanos;
    size_t description;
    bool good;
  } cases[] = {
      {1, 1, 0, 0, true},     {100'000, 30 * 86400, 0, 512, true}, {5, 0, 1000, 0, true},
      {-1, 60, 0, 0, false},  {100'001, 60, 0, 0, false},          {1, 0, 0, 0, false},
      {1, -60, 0, 0, false},  {1, 30 * 86400 + 1, 0, 0, false},    {1, INT64_MAX, 0, 0, false},
      {1, 60, 0, 513, false},
  };
  int good = 0;
  for (const auto& c : cases) {
    v1::CreateEnrollmentTokenRequest request;
    request.set_max_uses(c.uses);
    request.mutable_lifetime()->set_seconds(c.seconds);
    request.mutable_lifetime()->set_nanos(c.nanos);
    request.set_description(std::string(c.description, 'd'));
    const auto created = parts_.enrollment->Create(Admin(), request);
    EXPECT_EQ(created.status().code(),
              c.good ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument)
        << request.ShortDebugString() << ": " << created.status();
    good += c.good;
  }
  EXPECT_EQ(parts_.enrollment->List(Admin(), {})->tokens_size(), good);
}

TEST_F(EnrollmentTokensTest, ListsWithoutSecretsAndRevokesForGood) {
  v1::CreateEnrollmentTokenRequest request;
  request.set_max_uses(3);
  request.set_description("for the lab");
  const auto created = parts_.enrollment->Create(Admin(), request);
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_TRUE(Enroll(created->secret(), "h-1").ok());
  auto all = parts_.enrollment->List(Admin(), {});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->tokens_size(), 1);
  EXPECT_EQ(all->tokens(0).use_count(), 1);
  EXPECT_EQ(all->tokens(0).description(), "for the lab");
  EXPECT_FALSE(all->tokens(0).revoked());
  EXPECT_FALSE(absl::StrContains(all->SerializeAsString(), created->secret()));

  v1::RevokeEnrollmentTokenRequest revoke;
  revoke.set_id(created->token().id());
  for (int i = 0; i < 2; ++i) {
    const auto revoked = parts_.enrollment->Revoke(Admin(), revoke);
    ASSERT_TRUE(revoked.ok()) << revoked.status();
    EXPECT_TRUE(revoked->revoked());
  }
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll(created->secret(), "h-2")));
  revoke.set_id("t-none");
  EXPECT_TRUE(absl::IsNotFound(parts_.enrollment->Revoke(Admin(), revoke).status()));
}

TEST_F(EnrollmentTokensTest, RevokingAHostTellsItsSession) {
  ASSERT_TRUE(store::AddHost(*parts_.store, "h-1", "web-1").ok());
  std::vector<std::string> told;
  const int handle = parts_.revocations.Add([&](const std::string& id) { told.push_back(id); });
  v1::RevokeHostRequest request;
  request.set_host("none");
  EXPECT_TRUE(absl::IsNotFound(parts_.enrollment->RevokeHost(Admin(), request).status()));
  request.set_host("web-1");
  request.set_reason(std::string(513, 'r'));
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.enrollment->RevokeHost(Admin(), request).status()));
  EXPECT_TRUE(told.empty());
  EXPECT_TRUE(parts_.store->enrollment().CheckCertificate("serial of h-1", "h-1").ok());

  request.set_reason("stolen");
  const auto revoked = parts_.enrollment->RevokeHost(Admin(), request);
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->host_id(), "h-1");
  EXPECT_EQ(told, std::vector<std::string>{"h-1"});
  EXPECT_FALSE(parts_.store->enrollment().CheckCertificate("serial of h-1", "h-1").ok());
  // Again by id: the same answer.
  request.set_host("h-1");
  EXPECT_TRUE(parts_.enrollment->RevokeHost(Admin(), request).ok());
  parts_.revocations.Remove(handle);
}

}  // namespace
}  // namespace plimsoll::api
