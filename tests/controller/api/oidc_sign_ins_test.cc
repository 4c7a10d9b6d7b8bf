// Signing in at an identity provider, over a real PostgreSQL and real tokens.
#include "controller/api/oidc_sign_ins.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "absl/strings/match.h"
#include "controller/access/tokens.h"
#include "tests/controller/access/fake_provider.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

constexpr char kVerifier[] = "a-verifier-of-the-command-line-43-characters";

class OidcSignInsTest : public ::testing::Test {
 protected:
  OidcSignInsTest() { spdlog::set_level(spdlog::level::critical); }

  absl::StatusOr<FinishedSignIn> SignIn(const SignInWish& wish = {}) {
    const auto begun = sign_ins_.Start(wish);
    if (!begun.ok()) return begun.status();
    return sign_ins_.Finish(Nobody("10.0.0.1", "test"), begun->sealed,
                            {.code = "good", .state = fake_.Authorize(begun->url)});
  }
  // The person whom the provider vouches for.
  void Be(const std::string& subject, const std::string& name, const std::string& groups) {
    fake_.more_claims = absl::StrCat(R"("sub":")", subject, R"(","preferred_username":")", name,
                                     R"(","groups":[)", groups, "]");
  }
  absl::StatusOr<Principal> Who(const absl::StatusOr<FinishedSignIn>& finished) {
    if (!finished.ok()) return finished.status();
    return parts_.authenticator.Authenticate("Bearer " + finished->session->secret());
  }
  // "actor outcome" of every entry about these sign-ins, newest first.
  std::vector<std::string> Log() {
    EXPECT_TRUE(parts_.log.Flush(absl::Seconds(30)));
    std::vector<std::string> lines;
    const auto entries = parts_.store->activity().List({});
    EXPECT_TRUE(entries.ok()) << entries.status();
    for (const v1::Activity& entry : *entries) {
      EXPECT_EQ(entry.action(), "OidcSignIn");
      EXPECT_EQ(entry.peer(), "10.0.0.1");
      lines.push_back(absl::StrCat(entry.actor_name(), " ", entry.outcome()));
    }
    return lines;
  }

  Parts parts_;
  access::FakeProvider fake_{parts_.clock};
  access::OidcProvider provider_{
      access::FakeProvider::Options(), parts_.clock,
      [this](const access::WebRequest& request) { return fake_.Answer(request); }};
  OidcSignIns sign_ins_{parts_.identity, parts_.sign_ins, &provider_, parts_.box, parts_.log};
};

TEST_F(OidcSignInsTest, AGroupMakesAUserWithARoleAndAScope) {
  Be("s-1", "Ann.Smith@example.com", R"("x","shop")");
  const auto finished = SignIn({.return_to = "/hosts?x=1"});
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->location, "/hosts?x=1");
  const auto who = Who(finished);
  ASSERT_TRUE(who.ok()) << who.status();
  EXPECT_EQ(who->name, "ann.smith");
  EXPECT_EQ(who->role, store::Role::kOperator);
  EXPECT_EQ(who->scope, "team=shop");
  const auto user = parts_.store->users().Get("ann.smith");
  ASSERT_TRUE(user.ok());
  EXPECT_EQ(user->user.identity_provider(), "https://id.example");
  EXPECT_EQ(user->user.subject(), "s-1");
  EXPECT_TRUE(user->user.has_last_sign_in_time());
  EXPECT_EQ(Log(), std::vector<std::string>{"ann.smith OK"});
}

TEST_F(OidcSignInsTest, SuchAUserHasNoPasswordAndGetsNone) {
  Be("s-1", "ann", R"("admins")");
  const auto who = Who(SignIn());
  ASSERT_TRUE(who.ok()) << who.status();
  v1::SignInRequest request;
  request.set_name("ann");
  for (const char* password : {"", "guess", "guess again and again"}) {
    request.set_password(password);
    EXPECT_TRUE(
        absl::IsUnauthenticated(parts_.sign_ins.SignIn(Nobody("10.0.0.9", ""), request).status()));
  }
  v1::ResetPasswordRequest reset;
  reset.set_user("ann");
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.users.ResetPassword(Admin(), reset).status()));
  v1::ChangePasswordRequest change;
  change.set_new_password("a password of her own");
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.sign_ins.ChangePassword(*who, change).status()));
}

TEST_F(OidcSignInsTest, RoleAndScopeAreThoseOfTheLastSignIn) {
  Be("s-1", "ann", R"("admins")");
  const auto first = Who(SignIn());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->role, store::Role::kAdmin);
  const auto before = SignIn();
  ASSERT_TRUE(Who(before).ok());
  // The same groups end nothing; others end what was begun under the old ones.
  EXPECT_TRUE(Who(SignIn()).ok() && Who(before).ok());
  Be("s-1", "another name", R"("shop")");
  const auto second = Who(SignIn());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->user_id, first->user_id);
  EXPECT_EQ(second->name, "ann");
  EXPECT_EQ(second->role, store::Role::kOperator);
  EXPECT_TRUE(absl::IsUnauthenticated(Who(before).status()));
}

TEST_F(OidcSignInsTest, WhoLosesEveryGroupLosesSessionsAndTokens) {
  Be("s-1", "ann", R"("admins")");
  const auto before = SignIn();
  const auto who = Who(before);
  ASSERT_TRUE(who.ok()) << who.status();
  v1::CreateApiTokenRequest token;
  token.set_name("mine");
  const auto secret = parts_.tokens.Create(*who, token);
  ASSERT_TRUE(secret.ok()) << secret.status();
  Be("s-1", "ann", R"("x")");
  const absl::Status refused = SignIn().status();
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_TRUE(absl::IsUnauthenticated(Who(before).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(
      parts_.authenticator.Authenticate("Bearer " + secret->secret()).status()));
  // Nobody is made for a stranger.
  Be("s-9", "eve", "");
  EXPECT_TRUE(absl::IsPermissionDenied(SignIn().status()));
  EXPECT_TRUE(absl::IsNotFound(parts_.store->users().Get("eve").status()));
  EXPECT_EQ(Log(),
            (std::vector<std::string>{"eve PERMISSION_DENIED", "ann PERMISSION_DENIED", "ann OK"}));
}

TEST_F(OidcSignInsTest, ADisabledUserStaysOut) {
  Be("s-1", "ann", R"("shop")");
  ASSERT_TRUE(SignIn().ok());
  v1::UpdateUserRequest disable;
  disable.set_user("ann");
  disable.set_disabled(true);
  ASSERT_TRUE(parts_.users.Update(Admin(), disable).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(SignIn().status()));
  Be("s-1", "ann", R"("admins")");
  EXPECT_TRUE(absl::IsPermissionDenied(SignIn().status()));
  EXPECT_TRUE(parts_.store->users().Get("ann")->user.disabled());
}

TEST_F(OidcSignInsTest, NamesAreNobodyElses) {
  v1::CreateUserRequest local;
  local.set_name("ann");
  local.set_role(v1::ROLE_ADMIN);
  ASSERT_TRUE(parts_.users.Create(Admin(), local).ok());
  const std::pair<const char*, const char*> cases[] = {
      {"ann", "ann-2"},      {"Ann@elsewhere", "ann-3"},
      {"../admin", "admin"}, {"\\u00fcml\\u00e4ut", "ml--ut"},
      {"", "user"},          {"-_.", "user-2"},
  };
  int subject = 0;
  for (const auto& [name, expected] : cases) {
    Be(absl::StrCat("s-", ++subject), name, R"("shop")");
    const auto who = Who(SignIn());
    ASSERT_TRUE(who.ok()) << who.status();
    EXPECT_EQ(who->name, expected);
    EXPECT_EQ(who->role, store::Role::kOperator);
  }
  EXPECT_EQ(parts_.store->users().Get("ann")->user.role(), v1::ROLE_ADMIN);
}

TEST_F(OidcSignInsTest, LeadsNowhereElse) {
  for (const char* path :
       {"//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a b", "/a\r\nX: y",
        "/\t/evil.example", "/\xc3\xa4", "javascript:alert(1)"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(sign_ins_.Start({.return_to = path}).status())) << path;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(
      sign_ins_.Start({.return_to = "/" + std::string(1024, 'a')}).status()));
  const std::string challenge = access::ChallengeOf(kVerifier);
  for (const auto& [port, proof] :
       std::vector<std::pair<std::string, std::string>>{{"80", challenge},
                                                        {"70000", challenge},
                                                        {"8080", ""},
                                                        {"", challenge},
                                                        {"8080@evil.example", challenge},
                                                        {"8080", challenge + "A"},
                                                        {"8080", "&" + challenge}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(
        sign_ins_.Start({.cli_port = port, .cli_challenge = proof}).status()))
        << port << " " << proof;
  }
  EXPECT_EQ(SignIn()->location, "/");
}

TEST_F(OidcSignInsTest, IsFinishedByTheBrowserThatBegan) {
  const auto begun = sign_ins_.Start({});
  const auto other = sign_ins_.Start({});
  ASSERT_TRUE(begun.ok() && other.ok());
  const std::string state = fake_.Authorize(begun->url);
  const auto finish = [&](const std::string& sealed, const ProviderAnswer& answer) {
    return sign_ins_.Finish(Nobody("10.0.0.1", ""), sealed, answer).status();
  };
  const ProviderAnswer good = {.code = "good", .state = state};
  std::string altered = begun->sealed;
  altered[40] = altered[40] == 'A' ? 'B' : 'A';
  const std::pair<std::string, ProviderAnswer> cases[] = {
      {"", good},
      {"nonsense", good},
      {altered, good},
      {other->sealed, good},
      // Sealed here, for something else.
      {absl::WebSafeBase64Escape(parts_.box.Seal("a channel's secret")), good},
      {begun->sealed, {.code = "good"}},
      {begun->sealed, {.code = "good", .state = "x"}},
      {begun->sealed, {.state = state}},
      {begun->sealed, {.code = "stolen", .state = state}},
      {begun->sealed, {.state = state, .error = "access_denied"}},
      {begun->sealed, {.code = "good", .state = state, .issuer = "https://evil.example"}},
  };
  for (const auto& [sealed, answer] : cases) {
    EXPECT_TRUE(absl::IsUnauthenticated(finish(sealed, answer))) << answer.code << answer.state;
  }
  EXPECT_TRUE(absl::IsUnauthenticated(finish(begun->sealed, {.state = state, .error = "\x1b<b>"})));
  parts_.clock.Advance(kSignInPatience + absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnauthenticated(finish(begun->sealed, good)));
  for (const std::string& line : Log()) EXPECT_EQ(line, " UNAUTHENTICATED");
  EXPECT_EQ(parts_.store->users().List("", 10)->size(), 0u);
}

TEST_F(OidcSignInsTest, AProgramTakesASignInOverWithWhatItAloneKnows) {
  const auto finished =
      SignIn({.cli_port = "54321", .cli_challenge = access::ChallengeOf(kVerifier)});
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_FALSE(finished->session.has_value());
  const std::string prefix = "http://127.0.0.1:54321/?code=";
  ASSERT_TRUE(absl::StartsWith(finished->location, prefix)) << finished->location;
  v1::RedeemSignInCodeRequest request;
  request.set_code_secret(finished->location.substr(prefix.size()));
  const Principal nobody = Nobody("10.0.0.1", "plimsoll");
  EXPECT_TRUE(absl::IsInvalidArgument(sign_ins_.Redeem(nobody, request).status()));
  request.set_verifier_secret(std::string(43, 'x'));
  EXPECT_TRUE(absl::IsUnauthenticated(sign_ins_.Redeem(nobody, request).status()));
  request.set_verifier_secret(kVerifier);
  const auto session = sign_ins_.Redeem(nobody, request);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(parts_.authenticator.Authenticate("Bearer " + session->secret()).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(sign_ins_.Redeem(nobody, request).status())) << "once";
  EXPECT_TRUE(parts_.authenticator.Authenticate("Bearer " + session->secret()).ok());
  ASSERT_TRUE(parts_.store->users().EndSession(session->session().id()).ok());
  EXPECT_TRUE(absl::IsUnauthenticated(sign_ins_.Redeem(nobody, request).status())) << "for good";
  // A cookie of a sign-in under way is no code.
  const auto begun =
      sign_ins_.Start({.cli_port = "54321", .cli_challenge = access::ChallengeOf(kVerifier)});
  v1::RedeemSignInCodeRequest confused = request;
  confused.set_code_secret(begun->sealed);
  EXPECT_TRUE(absl::IsUnauthenticated(sign_ins_.Redeem(nobody, confused).status()));
  parts_.clock.Advance(absl::Seconds(61));
  EXPECT_TRUE(absl::IsUnauthenticated(sign_ins_.Redeem(nobody, request).status()));
}

TEST_F(OidcSignInsTest, SaysWhereToBegin) {
  const auto methods = sign_ins_.GetMethods(Nobody("", ""), {});
  ASSERT_TRUE(methods.ok());
  EXPECT_EQ(methods->identity_provider(), "https://id.example");
  EXPECT_EQ(methods->start_url(), "https://plimsoll.example:7445/v1/oidc/start");
  EXPECT_EQ(parts_.oidc_sign_ins.GetMethods(Nobody("", ""), {})->start_url(), "");
}

}  // namespace
}  // namespace plimsoll::api
