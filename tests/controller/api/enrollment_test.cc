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
  EXPECT_TRUE(absl::StartsWith(created->secret(), access::kEnrollmentPrefix));
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

TEST_F(EnrollmentTokensTest, LabelsApprovalAndHostAreKept) {
  ASSERT_TRUE(store::AddHost(*parts_.store, "h-1", "web-1").ok());
  v1::CreateEnrollmentTokenRequest request;
  request.set_requires_approval(true);
  (*request.mutable_labels())["env"] = "prod";
  request.set_host("web-1");
  const auto created = parts_.enrollment->Create(Admin(), request);
  ASSERT_TRUE(created.ok()) << created.status();
  const auto all = parts_.enrollment->List(Admin(), {});
  const auto listed = std::find_if(
      all->tokens().begin(), all->tokens().end(),
      [&](const v1::EnrollmentToken& token) { return token.id() == created->token().id(); });
  ASSERT_NE(listed, all->tokens().end());
  EXPECT_TRUE(listed->requires_approval());
  EXPECT_EQ(listed->labels().at("env"), "prod");
  EXPECT_EQ(listed->host_id(), "h-1");

  request.set_max_uses(2);
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.enrollment->Create(Admin(), request).status()));
  request.set_max_uses(1);
  request.set_host("none");
  EXPECT_TRUE(absl::IsNotFound(parts_.enrollment->Create(Admin(), request).status()));
  request.set_host("h-1");
  ASSERT_TRUE(parts_.store->hosts().Remove("h-1", "", parts_.clock.Now()).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.enrollment->Create(Admin(), request).status()));
}

TEST_F(EnrollmentTokensTest, LabelsAreHeldToTheirBounds) {
  const struct {
    std::string key;
    std::string value;
    bool good;
  } cases[] = {{"env", "prod", true},
               {std::string(63, 'k'), std::string(255, 'v'), true},
               {"a.b/c-d_e", "", true},
               {"", "v", false},
               {std::string(64, 'k'), "v", false},
               {"Env", "v", false},
               {"a b", "v", false},
               {"env", std::string(256, 'v'), false}};
  for (const auto& c : cases) {
    v1::CreateEnrollmentTokenRequest request;
    (*request.mutable_labels())[c.key] = c.value;
    const absl::Status status = parts_.enrollment->Create(Admin(), request).status();
    EXPECT_EQ(status.ok(), c.good) << c.key << ": " << status;
    if (!c.good) {
      EXPECT_TRUE(absl::StartsWith(status.message(), "labels: ")) << status;
    }
    v1::ApproveEnrollmentRequest approval;
    approval.set_id("e-none");
    (*approval.mutable_labels())[c.key] = c.value;
    EXPECT_EQ(absl::IsNotFound(parts_.enrollment->Approve(Admin(), approval).status()), c.good);
  }
  v1::CreateEnrollmentTokenRequest many;
  for (int i = 0; i < 65; ++i) (*many.mutable_labels())[absl::StrCat("k", i)] = "v";
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.enrollment->Create(Admin(), many).status()));
}

TEST_F(EnrollmentTokensTest, OperatorsDecideAboutThoseWhoWait) {
  v1::CreateEnrollmentTokenRequest request;
  request.set_requires_approval(true);
  request.set_max_uses(2);
  const auto created = parts_.enrollment->Create(Admin(), request);
  ASSERT_TRUE(created.ok()) << created.status();
  const auto ask = [&](const std::string& id) {
    return parts_.store->enrollment().Ask({.secret_hash = access::HashSecret(created->secret()),
                                           .key = "key of " + id,
                                           .can_wait = true,
                                           .id = id},
                                          parts_.clock.Now(), parts_.clock.Now() + absl::Hours(1));
  };
  ASSERT_TRUE(ask("e-1").ok());
  ASSERT_TRUE(ask("e-2").ok());
  EXPECT_EQ(parts_.enrollment->ListEnrollments(Admin(), {})->enrollments_size(), 2);

  v1::ApproveEnrollmentRequest approve;
  approve.set_id("e-1");
  (*approve.mutable_labels())["env"] = "prod";
  const auto approved = parts_.enrollment->Approve(Admin(), approve);
  ASSERT_TRUE(approved.ok()) << approved.status();
  EXPECT_EQ(approved->state(), v1::Enrollment::APPROVED);
  EXPECT_EQ(approved->decided_by(), "ada");
  EXPECT_EQ(approved->labels().at("env"), "prod");
  v1::RejectEnrollmentRequest reject;
  reject.set_id("e-2");
  EXPECT_EQ(parts_.enrollment->Reject(Admin(), reject)->state(), v1::Enrollment::REJECTED);
  v1::ListEnrollmentsRequest list;
  list.set_state(v1::Enrollment::PENDING);
  EXPECT_EQ(parts_.enrollment->ListEnrollments(Admin(), list)->enrollments_size(), 0);
  list.set_state(v1::Enrollment::REJECTED);
  EXPECT_EQ(parts_.enrollment->ListEnrollments(Admin(), list)->enrollments(0).id(), "e-2");
}

TEST_F(EnrollmentTokensTest, WhoSeesAPartOfTheFleetDecidesNothing) {
  Principal limited = Admin();
  limited.scope = "env=prod";
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.enrollment->ListEnrollments(limited, {}).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.enrollment->Approve(limited, {}).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.enrollment->Reject(limited, {}).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.authority_api->Get(limited, {}).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.authority_api->Begin(limited, {}).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.authority_api->Switch(limited, {}).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.authority_api->Finish(limited, {}).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.authority_api->Cancel(limited, {}).status()));
}

}  // namespace
}  // namespace plimsoll::api
