#include "controller/access/authenticator.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/store/store.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::access {
namespace {

using store::Role;

class AuthenticatorTest : public ::testing::Test {
 protected:
  std::string Create(const std::string& name, Role role,
                     std::optional<absl::Time> expires = std::nullopt) {
    auto secret = authenticator_.CreateToken(name, role, expires);
    EXPECT_TRUE(secret.ok()) << secret.status();
    return secret.ok() ? *secret : std::string();
  }

  support::FakeClock clock_{absl::FromUnixSeconds(1800000000)};
  std::unique_ptr<store::Store> store_ = plimsoll::testing::FreshStore();
  Authenticator authenticator_{store_->tokens(), store_->users(), clock_};
};

TEST_F(AuthenticatorTest, ATokenNamesItsOwnerAndRole) {
  const std::string secret = Create("ann", Role::kAuditor);
  for (const char* scheme : {"Bearer ", "bearer "}) {
    auto principal = authenticator_.Authenticate(scheme + secret);
    ASSERT_TRUE(principal.ok()) << principal.status();
    EXPECT_EQ(principal->name, "ann");
    EXPECT_EQ(principal->role, Role::kAuditor);
  }
}

TEST_F(AuthenticatorTest, OnlyBearerTokensAreRead) {
  const std::string secret = Create("ann", Role::kAdmin);
  for (const std::string& header :
       std::vector<std::string>{"", secret, "Basic " + secret, "Bearer"}) {
    const absl::Status status = authenticator_.Authenticate(header).status();
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << header;
    EXPECT_TRUE(absl::StrContains(status.message(), "plimsoll login")) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), secret)) << status;
  }
}

TEST_F(AuthenticatorTest, BadTokensAreRefusedInTheSameWords) {
  const std::string revoked = Create("revoked", Role::kViewer);
  auto principal = authenticator_.Authenticate("Bearer " + revoked);
  ASSERT_TRUE(principal.ok()) << principal.status();
  ASSERT_TRUE(store_->tokens().Revoke(principal->token_id).ok());
  const std::string expired = Create("expired", Role::kViewer, clock_.Now() + absl::Seconds(10));
  // What was found valid a moment ago is remembered.
  EXPECT_TRUE(authenticator_.Authenticate("Bearer " + revoked).ok());
  clock_.Advance(absl::Seconds(10));
  const absl::Status unknown = authenticator_.Authenticate("Bearer plb_guess").status();
  EXPECT_TRUE(absl::IsUnauthenticated(unknown)) << unknown;
  EXPECT_EQ(authenticator_.Authenticate("Bearer " + revoked).status(), unknown);
  EXPECT_EQ(authenticator_.Authenticate("Bearer " + expired).status(), unknown);
  EXPECT_EQ(authenticator_.Authenticate("Bearer ").status(), unknown);
}

// However lately it was found valid.
TEST_F(AuthenticatorTest, ATokenEndsWhenItExpires) {
  const std::string secret = Create("ann", Role::kViewer, clock_.Now() + absl::Seconds(2));
  EXPECT_TRUE(authenticator_.Authenticate("Bearer " + secret).ok());
  clock_.Advance(absl::Seconds(2));
  EXPECT_TRUE(absl::IsUnauthenticated(authenticator_.Authenticate("Bearer " + secret).status()));
}

TEST_F(AuthenticatorTest, ANameHasOneLiveToken) {
  Create("ann", Role::kViewer);
  EXPECT_TRUE(absl::IsAlreadyExists(
      authenticator_.CreateToken("ann", Role::kAdmin, std::nullopt).status()));
}

}  // namespace
}  // namespace plimsoll::access
