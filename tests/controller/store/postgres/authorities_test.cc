#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "controller/store/authority_store.h"
#include "controller/store/postgres/sql_values.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::store {
namespace {

using Role = AuthorityRecord::Role;

class AuthoritiesTest : public ::testing::Test {
 protected:
  AuthorityStore& authorities() { return store_->authorities(); }
  absl::Status Begin(const std::string& current, const std::string& next) {
    return authorities().Begin(current, "sealed " + current,
                               {next, Role::kNext, "PEM of " + next, "sealed " + next}, At(1));
  }
  // "fingerprint role sealed", the current one first.
  std::vector<std::string> Listed() {
    std::vector<std::string> lines;
    const auto records = authorities().List();
    EXPECT_TRUE(records.ok()) << records.status();
    for (const AuthorityRecord& record : *records) {
      const char* role = record.role == Role::kCurrent ? "current"
                         : record.role == Role::kNext  ? "next"
                                                       : "previous";
      lines.push_back(absl::StrCat(record.fingerprint, " ", role, " ", record.sealed));
    }
    return lines;
  }
  // A connected host whose certificate says this.
  void AddHost(const std::string& id, const CertificateTrust& trust,
               absl::Time not_after = At(1000)) {
    v1::EnrollmentToken token;
    token.set_id(id);
    token.set_max_uses(1);
    ASSERT_TRUE(store_->enrollment().CreateToken(token, id).ok());
    ASSERT_TRUE(store_->enrollment()
                    .Enroll(id, id, {"first of " + id, id, At(0), not_after, trust}, At(0))
                    .ok());
  }
  void Renew(const std::string& id, const CertificateTrust& trust, bool use) {
    const std::string serial = absl::StrCat("next of ", id, " ", ++renewals_);
    ASSERT_TRUE(store_->enrollment()
                    .RecordCertificate({serial, id, At(10), At(1000), trust}, "first of " + id)
                    .ok());
    if (!use) return;
    SessionStart start;
    start.host_id = id;
    start.certificate_serial = serial;
    start.time = At(11);
    const auto lease = store_->hosts().BeginSession(start);
    ASSERT_TRUE(lease.ok()) << lease.status();
    EXPECT_TRUE(lease->trust == trust);
  }

  std::unique_ptr<Store> store_ = plimsoll::testing::FreshStore();
  int renewals_ = 0;
};

TEST_F(AuthoritiesTest, TheFirstThatComesStays) {
  EXPECT_TRUE(Listed().empty());
  ASSERT_TRUE(authorities().Join("a", "PEM of a", At(0), false).ok());
  EXPECT_TRUE(authorities().Join("a", "PEM of a", At(1), false).ok());
  const absl::Status other = authorities().Join("b", "PEM of b", At(1), false);
  EXPECT_TRUE(absl::IsFailedPrecondition(other)) << other;
  EXPECT_TRUE(absl::StrContains(other.message(), "--replace-authority")) << other;
  ASSERT_TRUE(authorities().Join("b", "PEM of b", At(1), true).ok());
  EXPECT_EQ(Listed(), std::vector<std::string>{"b current "});
}

TEST_F(AuthoritiesTest, ReplacingEndsARotation) {
  ASSERT_TRUE(authorities().Join("a", "PEM of a", At(0), false).ok());
  ASSERT_TRUE(Begin("a", "b").ok());
  ASSERT_TRUE(authorities().Join("b", "PEM of b", At(1), true).ok());
  EXPECT_EQ(Listed(), std::vector<std::string>{"b current "});
}

TEST_F(AuthoritiesTest, OneFollowsTheOtherInThreeSteps) {
  ASSERT_TRUE(authorities().Join("a", "PEM of a", At(0), false).ok());
  for (const absl::Status& none : {authorities().Switch("", true, At(1)),
                                   authorities().Finish(true, At(1)), authorities().Cancel()}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(none)) << none;
  }
  EXPECT_TRUE(absl::IsAlreadyExists(Begin("a", "a")));
  EXPECT_TRUE(absl::IsFailedPrecondition(Begin("x", "b")));
  ASSERT_TRUE(Begin("a", "b").ok());
  EXPECT_EQ(Listed(), (std::vector<std::string>{"a current sealed a", "b next sealed b"}));
  EXPECT_TRUE(absl::IsFailedPrecondition(Begin("a", "c")));
  EXPECT_TRUE(absl::IsFailedPrecondition(authorities().Finish(true, At(1))));
  ASSERT_TRUE(authorities().Cancel().ok());
  EXPECT_EQ(Listed(), std::vector<std::string>{"a current sealed a"});

  ASSERT_TRUE(Begin("a", "b").ok());
  ASSERT_TRUE(authorities().Switch("", false, At(1)).ok());
  EXPECT_EQ(Listed(), (std::vector<std::string>{"b current sealed b", "a previous sealed a"}));
  EXPECT_TRUE(absl::IsFailedPrecondition(authorities().Cancel()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Begin("b", "c")));
  ASSERT_TRUE(authorities().Finish(false, At(1)).ok());
  EXPECT_EQ(Listed(), std::vector<std::string>{"b current sealed b"});
  EXPECT_TRUE(Begin("b", "c").ok());
}

TEST_F(AuthoritiesTest, NoStepLosesAHostUnlessForced) {
  ASSERT_TRUE(authorities().Join("a", "PEM of a", At(0), false).ok());
  AddHost("h1", {"a", "a"});
  AddHost("h2", {"a", "a"});
  AddHost("gone", {"a", "a"});
  AddHost("thief", {"a", "a"});
  AddHost("expired", {"a", "a"}, At(5));
  ASSERT_TRUE(store_->hosts().Remove("gone", "", At(1)).ok());
  ASSERT_TRUE(store_->enrollment().RevokeHost("thief", "", At(1)).ok());
  ASSERT_TRUE(Begin("a", "b").ok());
  Renew("h1", {"a", "a+b"}, true);
  // Sent, and not used: it may never have arrived.
  Renew("h2", {"a", "a+b"}, false);
  const auto counts = authorities().Count("a+b", At(20));
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->outdated, 1);
  EXPECT_EQ(counts->by_issuer, (std::map<std::string, int64_t>{{"a", 2}}));

  const absl::Status early = authorities().Switch("a+b", false, At(20));
  EXPECT_TRUE(absl::IsFailedPrecondition(early)) << early;
  EXPECT_TRUE(absl::StrContains(early.message(), "1 host(s) do not trust")) << early;
  EXPECT_EQ(Listed().front(), "a current sealed a");
  ASSERT_TRUE(authorities().Switch("a+b", true, At(20)).ok());

  Renew("h1", {"b", "a+b"}, true);
  const absl::Status left = authorities().Finish(false, At(20));
  EXPECT_TRUE(absl::IsFailedPrecondition(left)) << left;
  EXPECT_TRUE(absl::StrContains(left.message(), "1 host(s) still have")) << left;
  EXPECT_EQ(Listed().size(), 2u);
  EXPECT_TRUE(authorities().Finish(true, At(20)).ok());
  EXPECT_EQ(Listed().size(), 1u);
}

}  // namespace
}  // namespace plimsoll::store
