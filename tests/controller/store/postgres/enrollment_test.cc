#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/match.h"
#include "controller/store/postgres/sql_values.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::store {
namespace {

class EnrollmentTest : public ::testing::Test {
 protected:
  EnrollmentStore& enrollment() { return store_->enrollment(); }

  absl::Status Create(const std::string& id, int uses, absl::Time created = At(0)) {
    v1::EnrollmentToken token;
    token.set_id(id);
    token.set_max_uses(uses);
    token.set_description("for " + id);
    *token.mutable_create_time() = TimestampOf(created);
    *token.mutable_expire_time() = TimestampOf(At(100));
    return enrollment().CreateToken(token, "hash of " + id);
  }

  absl::Status Enroll(const std::string& token, const std::string& host, absl::Time now = At(1)) {
    return enrollment().Enroll("hash of " + token, "name", {"serial " + host, host, At(0), At(50)},
                               now);
  }

  std::unique_ptr<Store> store_ = plimsoll::testing::FreshStore();
};

TEST_F(EnrollmentTest, TokensAreListedNewestFirstWithoutSecrets) {
  ASSERT_TRUE(Create("a", 1, At(0)).ok());
  ASSERT_TRUE(Create("b", 3, At(10)).ok());
  ASSERT_TRUE(Enroll("b", "h1").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Create("a", 1)));
  auto tokens = enrollment().ListTokens();
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ASSERT_EQ(tokens->size(), 2u);
  const v1::EnrollmentToken& token = tokens->front();
  EXPECT_EQ(token.id(), "b");
  EXPECT_EQ(token.max_uses(), 3);
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(token.description(), "for b");
  EXPECT_EQ(TimeOf(token.create_time()), At(10));
  EXPECT_EQ(TimeOf(token.expire_time()), At(100));
  EXPECT_FALSE(token.revoked());
}

TEST_F(EnrollmentTest, RecordsOfExpiredCertificatesGoButForTheOneInUse) {
  ASSERT_TRUE(Create("a", 1).ok());
  ASSERT_TRUE(Enroll("a", "h1").ok());
  for (const auto& [serial, end] : {std::pair{"old", 20}, {"older", 10}, {"newer", 90}}) {
    ASSERT_TRUE(enrollment().RecordCertificate({serial, "h1", At(0), At(end)}, "serial h1").ok());
  }
  EXPECT_EQ(enrollment().RemoveCertificates(At(10), 9).value(), 0);
  EXPECT_EQ(enrollment().RemoveCertificates(At(60), 1).value(), 1);
  EXPECT_EQ(enrollment().RemoveCertificates(At(60), 9).value(), 1);
  for (const char* serial : {"serial h1", "newer"}) {
    EXPECT_TRUE(enrollment().CheckCertificate(serial, "h1").ok()) << serial;
  }
  EXPECT_TRUE(absl::IsUnauthenticated(enrollment().CheckCertificate("old", "h1")));
}

TEST_F(EnrollmentTest, OnlyAGoodTokenEnrols) {
  ASSERT_TRUE(Create("once", 1).ok());
  ASSERT_TRUE(Create("revoked", 1).ok());
  ASSERT_TRUE(enrollment().RevokeToken("revoked").ok());
  ASSERT_TRUE(Enroll("once", "h1").ok());
  const struct {
    const char* token;
    absl::Time now;
    const char* why;
  } cases[] = {{"none", At(1), "unknown"},
               {"once", At(1), "exhausted"},
               {"revoked", At(1), "revoked"},
               {"' OR true --", At(1), "unknown"}};
  for (const auto& c : cases) {
    const absl::Status status = Enroll(c.token, "h2", c.now);
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), c.why)) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), "hash of")) << status;
  }
  ASSERT_TRUE(Create("late", 1).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Enroll("late", "h2", At(100))));
  EXPECT_TRUE(absl::IsNotFound(store_->hosts().Get("h2").status()));
  EXPECT_TRUE(Enroll("late", "h2", At(99)).ok());
}

TEST_F(EnrollmentTest, AFailedEnrolmentTakesNoUse) {
  ASSERT_TRUE(Create("t", 2).ok());
  ASSERT_TRUE(Enroll("t", "h1").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Enroll("t", "h1")));
  EXPECT_TRUE(Enroll("t", "h2").ok());
}

TEST_F(EnrollmentTest, OfManyAtOnceExactlyOneWinsAOneUseToken) {
  for (int round = 0; round < 5; ++round) {
    const std::string token = absl::StrCat("t", round);
    ASSERT_TRUE(Create(token, 1).ok());
    std::vector<absl::Status> statuses(4);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back(
          [&, i] { statuses[i] = Enroll(token, absl::StrCat("h", round, "-", i)); });
    }
    for (std::thread& thread : threads) thread.join();
    int winners = 0;
    for (const absl::Status& status : statuses) {
      winners += status.ok() ? 1 : 0;
      EXPECT_TRUE(status.ok() || absl::IsUnauthenticated(status)) << status;
    }
    EXPECT_EQ(winners, 1);
  }
  int hosts = 0;
  ASSERT_TRUE(store_->fleet().Load([&hosts](HostState) { ++hosts; }).ok());
  EXPECT_EQ(hosts, 5);
}

TEST_F(EnrollmentTest, RevokingATokenIsIdempotent) {
  ASSERT_TRUE(Create("t", 1).ok());
  for (int i = 0; i < 2; ++i) {
    auto token = enrollment().RevokeToken("t");
    ASSERT_TRUE(token.ok()) << token.status();
    EXPECT_TRUE(token->revoked());
    EXPECT_EQ(token->id(), "t");
  }
  EXPECT_TRUE(absl::IsNotFound(enrollment().RevokeToken("none").status()));
}

TEST_F(EnrollmentTest, CertificatesAreCheckedAgainstTheirHost) {
  ASSERT_TRUE(Create("t", 2).ok());
  ASSERT_TRUE(Enroll("t", "h1").ok());
  ASSERT_TRUE(Enroll("t", "h2").ok());
  ASSERT_TRUE(enrollment().RecordCertificate({"renewed", "h1", At(10), At(90)}, "serial h1").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(
      enrollment().RecordCertificate({"renewed", "h1", At(1), At(2)}, "serial h1")));
  EXPECT_TRUE(
      absl::IsNotFound(enrollment().RecordCertificate({"x", "h9", At(1), At(2)}, "serial h9")));
  // Only who has a certificate gets the next one.
  EXPECT_TRUE(enrollment().RecordCertificate({"next", "h1", At(1), At(2)}, "renewed").ok());
  for (const char* presented : {"serial h2", "none", ""}) {
    EXPECT_TRUE(absl::IsUnauthenticated(
        enrollment().RecordCertificate({"z", "h1", At(1), At(2)}, presented)))
        << presented;
  }

  EXPECT_TRUE(enrollment().CheckCertificate("serial h1", "h1").ok());
  EXPECT_TRUE(enrollment().CheckCertificate("renewed", "h1").ok());
  EXPECT_TRUE(absl::IsUnauthenticated(enrollment().CheckCertificate("serial h1", "h2")));
  EXPECT_TRUE(absl::IsUnauthenticated(enrollment().CheckCertificate("none", "h1")));

  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(enrollment().RevokeHost("h1", "stolen", At(20 + i)).ok());
    EXPECT_TRUE(absl::IsPermissionDenied(enrollment().CheckCertificate("serial h1", "h1")));
    EXPECT_TRUE(absl::IsPermissionDenied(enrollment().CheckCertificate("renewed", "h1")));
    EXPECT_TRUE(absl::IsPermissionDenied(
        enrollment().RecordCertificate({"y", "h1", At(1), At(2)}, "serial h1")));
    EXPECT_TRUE(enrollment().CheckCertificate("serial h2", "h2").ok());
  }
  EXPECT_TRUE(absl::IsNotFound(enrollment().RevokeHost("h9", "", At(1))));
}

TEST_F(EnrollmentTest, CertificatesOfARemovedHostAreRefused) {
  ASSERT_TRUE(Create("t", 1).ok());
  ASSERT_TRUE(Enroll("t", "h1").ok());
  ASSERT_TRUE(store_->hosts().Remove("h1", "scrapped", At(2)).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(enrollment().CheckCertificate("serial h1", "h1")));
  EXPECT_TRUE(absl::IsPermissionDenied(
      enrollment().RecordCertificate({"y", "h1", At(1), At(2)}, "serial h1")));
}

TEST(TokensTest, LiveNamesAreUniqueAndSecretsFindTheirPrincipal) {
  auto store = plimsoll::testing::FreshStore();
  TokenStore& tokens = store->tokens();
  EXPECT_FALSE(*tokens.AnyExists());
  ASSERT_TRUE(tokens.Create({"1", "ann", Role::kAuditor}, "s1", At(0), At(10)).ok());
  EXPECT_TRUE(*tokens.AnyExists());
  EXPECT_TRUE(absl::IsAlreadyExists(tokens.Create({"2", "ann", Role::kViewer}, "s2", At(5), {})));
  auto found = tokens.Find("s1", At(9));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->token_id, "1");
  EXPECT_EQ(found->name, "ann");
  EXPECT_EQ(found->role, Role::kAuditor);
  EXPECT_TRUE(absl::IsUnauthenticated(tokens.Find("s1", At(10)).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(tokens.Find("s2", At(9)).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(tokens.Find("' OR true --", At(9)).status()));
  // Expired, the name is free again; revoked too.
  ASSERT_TRUE(tokens.Create({"2", "ann", Role::kViewer}, "s2", At(10), {}).ok());
  EXPECT_EQ(tokens.Find("s2", At(10000))->role, Role::kViewer);
  ASSERT_TRUE(tokens.Revoke("2").ok());
  EXPECT_TRUE(absl::IsUnauthenticated(tokens.Find("s2", At(11)).status()));
  EXPECT_TRUE(tokens.Revoke("2").ok());
  EXPECT_TRUE(absl::IsNotFound(tokens.Revoke("9")));
  for (const Role role : {Role::kOperator, Role::kAdmin}) {
    const std::string id = absl::StrCat("role", static_cast<int>(role));
    ASSERT_TRUE(tokens.Create({id, id, role}, id, At(20), {}).ok());
    EXPECT_EQ(tokens.Find(id, At(21))->role, role);
  }
}

}  // namespace
}  // namespace plimsoll::store
