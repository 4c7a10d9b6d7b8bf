// Users, sessions and API tokens over a real PostgreSQL.
#include "controller/api/identity.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

constexpr char kGood[] = "correct horse battery";

class IdentityTest : public ::testing::Test {
 protected:
  // A user with this password, which need not be changed.
  v1::User AddUser(const std::string& name, v1::Role role, const std::string& scope = "") {
    v1::CreateUserRequest request;
    request.set_name(name);
    request.set_role(role);
    request.set_scope(scope);
    auto made = parts_.users.Create(Admin(), request);
    EXPECT_TRUE(made.ok()) << made.status();
    if (!made.ok()) return {};
    const auto hash = parts_.hasher.Hash(kGood);
    EXPECT_TRUE(parts_.store->users().SetPassword(made->user().id(), *hash, false).ok());
    return made->user();
  }
  absl::StatusOr<v1::SignInResponse> SignIn(const std::string& name, const std::string& password,
                                            const std::string& peer = "10.0.0.1") {
    Principal nobody;
    nobody.kind = store::CallerKind::kNobody;
    nobody.peer = peer;
    nobody.user_agent = "test";
    v1::SignInRequest request;
    request.set_name(name);
    request.set_password(password);
    return parts_.sign_ins.SignIn(nobody, request);
  }
  absl::StatusOr<Principal> Who(const std::string& secret) {
    return parts_.authenticator.Authenticate("Bearer " + secret, "10.0.0.1");
  }
  // Signed in as a new user.
  Principal As(const std::string& name, v1::Role role, const std::string& scope = "") {
    AddUser(name, role, scope);
    const auto session = SignIn(name, kGood);
    EXPECT_TRUE(session.ok()) << session.status();
    auto who = Who(session.ok() ? session->secret() : "");
    EXPECT_TRUE(who.ok()) << who.status();
    return who.ok() ? *who : Principal();
  }
  absl::StatusOr<v1::CreateApiTokenResponse> Token(const Principal& who, const std::string& name,
                                                   v1::Role role = v1::ROLE_UNSPECIFIED,
                                                   const std::string& scope = "") {
    v1::CreateApiTokenRequest request;
    request.set_name(name);
    request.set_role(role);
    request.set_scope(scope);
    return parts_.tokens.Create(who, request);
  }

  Parts parts_;
};

TEST_F(IdentityTest, TheFirstStartMakesOneAdministratorWhoMustChangeThePassword) {
  const auto password = parts_.users.EnsureAdministrator();
  ASSERT_TRUE(password.ok()) << password.status();
  EXPECT_EQ(parts_.users.EnsureAdministrator().value(), "");
  const auto session = SignIn("admin", *password);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(session->user().must_change_password());
  auto who = Who(session->secret());
  ASSERT_TRUE(who.ok());
  const Method& users = *parts_.methods.Find("plimsoll.v1.UserService.ListUsers");
  EXPECT_TRUE(absl::IsFailedPrecondition(
      parts_.methods.Call(*who, users, v1::ListUsersRequest()).status()));
  const Method& list = *parts_.methods.Find("plimsoll.v1.HostService.ListHosts");
  EXPECT_TRUE(
      absl::IsFailedPrecondition(parts_.methods.Call(*who, list, v1::ListHostsRequest()).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Token(*who, "t").status()));
  v1::ChangePasswordRequest change;
  change.set_old_password("wrong password");
  change.set_new_password(kGood);
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.sign_ins.ChangePassword(*who, change).status()));
  change.set_old_password(*password);
  change.set_new_password(*password);
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.sign_ins.ChangePassword(*who, change).status()));
  change.set_new_password(kGood);
  ASSERT_TRUE(parts_.sign_ins.ChangePassword(*who, change).ok());
  // The session goes on and may everything now; the one-time password opens nothing.
  who = Who(session->secret());
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_TRUE(parts_.users.List(*who, {}).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(SignIn("admin", *password).status()));
  EXPECT_TRUE(SignIn("admin", kGood).ok());
}

TEST_F(IdentityTest, RefusalsOfASignInAreAlike) {
  AddUser("ann", v1::ROLE_VIEWER);
  const v1::User off = AddUser("off", v1::ROLE_VIEWER);
  v1::UpdateUserRequest disable;
  disable.set_user("off");
  disable.set_disabled(true);
  ASSERT_TRUE(parts_.users.Update(Admin(), disable).ok());
  const absl::Status wrong = SignIn("ann", "wrong password").status();
  EXPECT_TRUE(absl::IsUnauthenticated(wrong)) << wrong;
  EXPECT_EQ(SignIn("nobody", kGood).status(), wrong);
  EXPECT_EQ(SignIn("", "").status(), wrong);
  EXPECT_EQ(SignIn("off", kGood).status(), wrong);
  EXPECT_EQ(SignIn(off.id(), kGood).status(), wrong);
  EXPECT_EQ(SignIn("ann", std::string(5000, 'x')).status(), wrong);
}

TEST_F(IdentityTest, GuessingIsDelayedForUsersThereAreAndThereAreNot) {
  AddUser("ann", v1::ROLE_VIEWER);
  for (const char* name : {"ann", "nobody"}) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(absl::IsUnauthenticated(SignIn(name, "guess", "10.9.9.9").status())) << i;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(SignIn(name, "guess", "10.9.9.9").status())) << name;
  }
  // The right password has to wait as well, from there.
  EXPECT_TRUE(absl::IsResourceExhausted(SignIn("ann", kGood, "10.9.9.9").status()));
  EXPECT_TRUE(SignIn("ann", kGood, "10.1.1.1").ok());
  parts_.clock.Advance(absl::Seconds(2));
  EXPECT_TRUE(SignIn("ann", kGood, "10.9.9.9").ok());
}

TEST_F(IdentityTest, SessionsEndByDisuseByAgeAndBySigningOut) {
  const v1::User ann = AddUser("ann", v1::ROLE_VIEWER);
  const auto first = SignIn("ann", kGood);
  const auto second = SignIn("ann", kGood, "10.0.0.2");
  ASSERT_TRUE(first.ok() && second.ok());
  auto who = Who(first->secret());
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_EQ(who->user_id, ann.id());
  const auto sessions = parts_.sign_ins.List(*who, {});
  ASSERT_TRUE(sessions.ok());
  ASSERT_EQ(sessions->sessions_size(), 2);
  EXPECT_EQ(sessions->sessions(0).user_agent(), "test");
  ASSERT_TRUE(parts_.sign_ins.SignOut(*who, {}).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Who(first->secret()).status()));
  EXPECT_TRUE(Who(second->secret()).ok());
  // Used now and then, it lives on; FlushUses writes that down.
  for (int i = 0; i < 3; ++i) {
    parts_.clock.Advance(absl::Hours(11));
    EXPECT_TRUE(Who(second->secret()).ok()) << i;
    ASSERT_TRUE(parts_.authenticator.FlushUses().ok());
  }
  parts_.clock.Advance(absl::Hours(13));
  EXPECT_TRUE(absl::IsUnauthenticated(Who(second->secret()).status()));
  const auto third = SignIn("ann", kGood);
  ASSERT_TRUE(third.ok());
  for (int i = 0; i < 15; ++i) {
    parts_.clock.Advance(absl::Hours(11));
    Who(third->secret()).status().IgnoreError();
    ASSERT_TRUE(parts_.authenticator.FlushUses().ok());
  }
  EXPECT_TRUE(Who(third->secret()).ok());
  parts_.clock.Advance(absl::Hours(11));
  EXPECT_TRUE(absl::IsUnauthenticated(Who(third->secret()).status()));
}

TEST_F(IdentityTest, SignOutEverywhereResetAndDisableEndEverySession) {
  AddUser("root", v1::ROLE_ADMIN);
  const v1::User ann = AddUser("ann", v1::ROLE_OPERATOR);
  const auto session = [this] { return SignIn("ann", kGood)->secret(); };
  std::string one = session();
  std::string two = session();
  ASSERT_TRUE(Who(two).ok());
  EXPECT_EQ(parts_.sign_ins.SignOutEverywhere(*Who(one), {})->session_count(), 2);
  EXPECT_FALSE(Who(one).ok());
  EXPECT_FALSE(Who(two).ok());

  one = session();
  const auto token = Token(*Who(one), "ci");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->token().name(), "ann/ci");
  ASSERT_TRUE(Who(token->secret()).ok());
  v1::UpdateUserRequest update;
  update.set_user("ann");
  update.set_description("same rights");
  ASSERT_TRUE(parts_.users.Update(Admin(), update).ok());
  EXPECT_TRUE(Who(one).ok());
  update.set_disabled(true);
  ASSERT_TRUE(parts_.users.Update(Admin(), update).ok());
  EXPECT_FALSE(Who(one).ok());
  EXPECT_FALSE(Who(token->secret()).ok());
  EXPECT_FALSE(SignIn("ann", kGood).ok());
  update.set_disabled(false);
  ASSERT_TRUE(parts_.users.Update(Admin(), update).ok());

  one = session();
  v1::ResetPasswordRequest reset;
  reset.set_user(ann.id());
  const auto fresh = parts_.users.ResetPassword(Admin(), reset);
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_FALSE(Who(one).ok());
  EXPECT_FALSE(SignIn("ann", kGood).ok());
  EXPECT_TRUE(SignIn("ann", fresh->one_time_password()).ok());
}

TEST_F(IdentityTest, WhatWasProvenBeforeAChangeBeginsNothingAfterIt) {
  const Principal ann = As("ann", v1::ROLE_VIEWER);
  const auto bot = Token(ann, "bot");
  ASSERT_TRUE(bot.ok()) << bot.status();
  const auto proven = parts_.store->users().Get(ann.user_id);
  ASSERT_TRUE(proven.ok()) << proven.status();
  ASSERT_TRUE(parts_.sign_ins.Begin(*proven, "", "").ok());
  const auto hash = parts_.hasher.Hash("another good password");
  ASSERT_TRUE(parts_.store->users().SetPassword(ann.user_id, *hash, false).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(parts_.sign_ins.Begin(*proven, "", "").status()));
  // The session that would make the token was ended by that.
  EXPECT_TRUE(absl::IsUnauthenticated(Token(ann, "late").status()));
  const auto changed = parts_.store->users().Get(ann.user_id);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_TRUE(parts_.sign_ins.Begin(*changed, "", "").ok());
  v1::UpdateUserRequest disable;
  disable.set_user("ann");
  disable.set_disabled(true);
  ASSERT_TRUE(parts_.users.Update(Admin(), disable).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(parts_.sign_ins.Begin(*changed, "", "").status()));
}

TEST_F(IdentityTest, ARevokedTokenMakesNoOther) {
  const Principal ann = As("ann", v1::ROLE_ADMIN);
  const auto token = Token(ann, "bot", v1::ROLE_ADMIN);
  ASSERT_TRUE(token.ok()) << token.status();
  const auto bot = Who(token->secret());
  ASSERT_TRUE(bot.ok()) << bot.status();
  EXPECT_TRUE(Token(*bot, "one").ok());
  ASSERT_TRUE(parts_.store->tokens().Revoke(token->token().id()).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Token(*bot, "two").status()));
}

TEST_F(IdentityTest, TheLastAdministratorStays) {
  const Principal root = As("root", v1::ROLE_ADMIN);
  As("part", v1::ROLE_ADMIN, "team=shop");
  v1::UpdateUserRequest update;
  update.set_user("root");
  update.set_role(v1::ROLE_VIEWER);
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.users.Update(root, update).status()));
  v1::DeleteUserRequest gone;
  gone.set_user("root");
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.users.Delete(root, gone).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.users.Delete(Admin(), gone).status()));
  AddUser("second", v1::ROLE_ADMIN);
  EXPECT_TRUE(parts_.users.Delete(Admin(), gone).ok());
  EXPECT_TRUE(absl::IsNotFound(parts_.users.Delete(Admin(), gone).status()));
}

TEST_F(IdentityTest, ATokenMayNoMoreThanItsMaker) {
  const Principal ann = As("ann", v1::ROLE_OPERATOR, "team=shop");
  EXPECT_TRUE(absl::IsPermissionDenied(Token(ann, "a", v1::ROLE_ADMIN).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(Token(ann, "a", v1::ROLE_AUDITOR).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Token(ann, "a b").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Token(ann, "a", v1::ROLE_VIEWER, "team in (").status()));
  const auto token = Token(ann, "a", v1::ROLE_VIEWER, "env=prod");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->token().scope(), "team=shop,env=prod");
  const auto who = Who(token->secret());
  ASSERT_TRUE(who.ok());
  EXPECT_EQ(who->role, store::Role::kViewer);
  EXPECT_EQ(who->scope, "team=shop,env=prod");
  // It makes no others, and sees none.
  EXPECT_TRUE(absl::IsPermissionDenied(Token(*who, "b").status()));
  EXPECT_EQ(parts_.tokens.List(*who, {})->tokens_size(), 0);
  EXPECT_TRUE(absl::IsAlreadyExists(Token(ann, "a").status()));
}

TEST_F(IdentityTest, TokensAreListedAndRevokedByTheirMakersAndByAdministrators) {
  const Principal ann = As("ann", v1::ROLE_VIEWER);
  const Principal bob = As("bob", v1::ROLE_VIEWER);
  const auto token = Token(ann, "a");
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(parts_.tokens.List(ann, {})->tokens_size(), 1);
  EXPECT_EQ(parts_.tokens.List(bob, {})->tokens_size(), 0);
  EXPECT_EQ(parts_.tokens.List(Admin(), {})->tokens_size(), 1);
  v1::RevokeApiTokenRequest revoke;
  revoke.set_token(token->token().id());
  EXPECT_TRUE(absl::IsNotFound(parts_.tokens.Revoke(bob, revoke).status()));
  ASSERT_TRUE(Who(token->secret()).ok());
  ASSERT_TRUE(parts_.authenticator.FlushUses().ok());
  EXPECT_EQ(parts_.tokens.List(ann, {})->tokens(0).last_peer(), "10.0.0.1");
  EXPECT_TRUE(parts_.tokens.List(ann, {})->tokens(0).has_last_used_time());
  // At once, though it was remembered as good.
  ASSERT_TRUE(parts_.tokens.Revoke(ann, revoke).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(Who(token->secret()).status()));
  EXPECT_EQ(parts_.tokens.List(ann, {})->tokens_size(), 0);
  v1::ListApiTokensRequest dead;
  dead.set_include_dead(true);
  EXPECT_EQ(parts_.tokens.List(ann, dead)->tokens_size(), 1);
}

TEST_F(IdentityTest, TokensExpire) {
  v1::CreateApiTokenRequest request;
  request.set_name("short");
  request.mutable_lifetime()->set_seconds(59);
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.tokens.Create(Admin(), request).status()));
  request.mutable_lifetime()->set_seconds(60);
  const auto token = parts_.tokens.Create(Admin(), request);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->token().name(), "short");
  EXPECT_TRUE(Who(token->secret()).ok());
  parts_.clock.Advance(absl::Seconds(61));
  EXPECT_TRUE(absl::IsUnauthenticated(Who(token->secret()).status()));
}

TEST_F(IdentityTest, WhatATokenMakesEndsWithItAndWithThePersonBehindIt) {
  const Principal ann = As("ann", v1::ROLE_ADMIN);
  v1::CreateApiTokenRequest request;
  request.set_name("short");
  request.set_role(v1::ROLE_ADMIN);
  request.mutable_lifetime()->set_seconds(3600);
  const auto first = parts_.tokens.Create(ann, request);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto bot = Who(first->secret());
  ASSERT_TRUE(bot.ok()) << bot.status();
  EXPECT_EQ(bot->maker_id, ann.user_id);
  // Neither without an end nor with a later one.
  request.clear_lifetime();
  request.set_name("without-end");
  const auto second = parts_.tokens.Create(*bot, request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->token().expire_time().seconds(), first->token().expire_time().seconds());
  const auto made = Who(second->secret());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->maker_id, ann.user_id);
  As("bob", v1::ROLE_ADMIN);
  v1::UpdateUserRequest disable;
  disable.set_user(ann.user_id);
  disable.set_disabled(true);
  ASSERT_TRUE(parts_.users.Update(Admin(), disable).ok());
  parts_.authenticator.ForgetAll();
  EXPECT_TRUE(absl::IsUnauthenticated(Who(second->secret()).status()));
}

TEST_F(IdentityTest, UsersAreForAdministratorsOfTheWholeFleet) {
  const Principal part = As("part", v1::ROLE_ADMIN, "team=shop");
  const absl::Status status = parts_.users.List(part, {}).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_TRUE(absl::StrContains(status.message(), "team=shop")) << status;
  const Method& list = *parts_.methods.Find("plimsoll.v1.UserService.ListUsers");
  EXPECT_TRUE(absl::IsPermissionDenied(
      parts_.methods.Call(Operator(), list, v1::ListUsersRequest()).status()));
  v1::CreateUserRequest request;
  for (const char* name : {"", "Ann", "a b", "-a", "a/b"}) {
    request.set_name(name);
    request.set_role(v1::ROLE_VIEWER);
    EXPECT_TRUE(absl::IsInvalidArgument(parts_.users.Create(Admin(), request).status())) << name;
  }
  request.set_name("ann");
  request.clear_role();
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.users.Create(Admin(), request).status()));
  request.set_role(v1::ROLE_VIEWER);
  request.set_scope("env in (");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.users.Create(Admin(), request).status()));
}

TEST_F(IdentityTest, PagesOfUsers) {
  for (const char* name : {"cid", "ann", "bob"}) AddUser(name, v1::ROLE_VIEWER);
  v1::ListUsersRequest request;
  request.set_page_size(2);
  auto page = parts_.users.List(Admin(), request);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->users_size(), 2);
  EXPECT_EQ(page->users(1).name(), "bob");
  request.set_page_token(page->next_page_token());
  page = parts_.users.List(Admin(), request);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->users_size(), 1);
  EXPECT_EQ(page->users(0).name(), "cid");
  EXPECT_EQ(page->next_page_token(), "");
}

}  // namespace
}  // namespace plimsoll::api
