#include "controller/access/oidc_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <thread>

#include "absl/strings/str_replace.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "proto/support/field_errors.h"
#include "tests/controller/access/fake_provider.h"

namespace plimsoll::access {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const SignInSecrets kSecrets = {"state-1", "nonce-1", "verifier-1"};

class OidcProviderTest : public ::testing::Test {
 protected:
  OidcProviderTest() { spdlog::set_level(spdlog::level::critical); }
  absl::StatusOr<ExternalPerson> SignIn(const std::string& code = "good") {
    const auto url = provider_.SignInUrl(kSecrets);
    if (!url.ok()) return url.status();
    fake_.Authorize(*url);
    return provider_.Redeem(code, kSecrets);
  }

  support::FakeClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  FakeProvider fake_{clock_};
  OidcProvider provider_{FakeProvider::Options(), clock_,
                         [this](const WebRequest& request) { return fake_.Answer(request); }};
};

TEST_F(OidcProviderTest, SendsTheBrowserWithEverythingTheCodeIsBoundTo) {
  const auto url = provider_.SignInUrl(kSecrets);
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(*url, absl::StrCat(
                      "https://id.example/auth?response_type=code&client_id=plimsoll&redirect_uri="
                      "https%3A%2F%2Fplimsoll.example%3A7445%2Fv1%2Foidc%2Fcallback&scope=openid%20"
                      "profile%20email&state=state-1&nonce=nonce-1&code_challenge=",
                      ChallengeOf("verifier-1"), "&code_challenge_method=S256"));
  EXPECT_THAT(*url, Not(HasSubstr("verifier-1")));
  // The example of RFC 7636, appendix B.
  EXPECT_EQ(ChallengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST_F(OidcProviderTest, ACodeBecomesAPerson) {
  const auto person = SignIn();
  ASSERT_TRUE(person.ok()) << person.status();
  EXPECT_EQ(person->subject, "s-1");
  EXPECT_EQ(person->name, "Ann.Smith");
  EXPECT_THAT(person->groups, ElementsAre("x", "admins"));
  EXPECT_EQ(fake_.Count("/me"), 0) << "the token said it all";
  const WebRequest& token = fake_.requests[1];
  EXPECT_EQ(token.user, "plimsoll");
  EXPECT_EQ(token.password, "hush%20%26%20more");
  EXPECT_THAT(token.form, Not(HasSubstr("hush")));
  // Description and keys are kept.
  ASSERT_TRUE(SignIn().ok());
  EXPECT_EQ(fake_.Count("openid-configuration"), 1);
  EXPECT_EQ(fake_.Count("/jwks"), 1);
  clock_.Advance(absl::Minutes(61));
  ASSERT_TRUE(SignIn().ok());
  EXPECT_EQ(fake_.Count("openid-configuration"), 2);
  EXPECT_EQ(fake_.Count("/jwks"), 2);
}

TEST_F(OidcProviderTest, TheSecretGoesIntoTheFormWhereTheProviderWantsIt) {
  fake_.description.insert(1, R"("token_endpoint_auth_methods_supported":["client_secret_post"],)");
  ASSERT_TRUE(SignIn().ok());
  EXPECT_EQ(fake_.requests[1].password, "");
  EXPECT_THAT(fake_.requests[1].form, HasSubstr("client_secret=hush%20%26%20more"));
}

TEST_F(OidcProviderTest, WhatTheTokenLacksIsAskedForAndBelongsToThePerson) {
  fake_.more_claims = R"("sub":"s-1")";
  const auto person = SignIn();
  ASSERT_TRUE(person.ok()) << person.status();
  EXPECT_EQ(person->name, "ann@example.com");
  EXPECT_THAT(person->groups, ElementsAre("shop"));
  EXPECT_EQ(fake_.requests.back().bearer, "at");
  fake_.user_info = R"({"sub":"s-2","groups":["admins"]})";
  EXPECT_TRUE(absl::IsUnauthenticated(SignIn().status()));
}

TEST_F(OidcProviderTest, CodesAndTokensThatDoNotHoldAreRefused) {
  EXPECT_TRUE(absl::IsUnauthenticated(SignIn("stolen").status()));
  const auto url = provider_.SignInUrl(kSecrets);
  ASSERT_TRUE(url.ok());
  fake_.Authorize(*url);
  // Another browser's sign-in.
  EXPECT_TRUE(absl::IsUnauthenticated(
      provider_.Redeem("good", {"state-1", "nonce-1", "another verifier"}).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(
      provider_.Redeem("good", {"state-1", "another nonce", "verifier-1"}).status()));
}

TEST_F(OidcProviderTest, NewKeysAreReadOnceAMinute) {
  ASSERT_TRUE(SignIn().ok());
  fake_.keys.push_back(SigningKey::Ec("k2"));
  // Just read: whoever makes up key ids does not make us ask.
  EXPECT_TRUE(absl::IsUnauthenticated(SignIn().status()));
  EXPECT_EQ(fake_.Count("/jwks"), 1);
  clock_.Advance(absl::Seconds(61));
  EXPECT_TRUE(SignIn().ok());
  EXPECT_EQ(fake_.Count("/jwks"), 2);
}

TEST_F(OidcProviderTest, AProviderThatFailsIsNamedAndLeftAloneForAMoment) {
  fake_.down = absl::UnavailableError("Connection refused");
  for (int i = 0; i < 3; ++i) {
    const absl::Status status = provider_.SignInUrl(kSecrets).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_TRUE(support::IsForCaller(status));
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("https://id.example"), HasSubstr("Connection refused")));
  }
  EXPECT_EQ(fake_.requests.size(), 1u);
  clock_.Advance(absl::Seconds(6));
  fake_.down = absl::OkStatus();
  ASSERT_TRUE(SignIn().ok());
  // What is kept does not help once it is gone.
  fake_.down = absl::UnavailableError("Connection refused");
  EXPECT_TRUE(absl::IsUnavailable(SignIn().status()));
}

// Strangers who begin sign-ins do not occupy every thread of the API.
TEST_F(OidcProviderTest, AtMostThreeThreadsTalkToIt) {
  absl::Notification answer;
  absl::BlockingCounter asked(3);
  absl::Mutex mutex;
  OidcProvider slow(FakeProvider::Options(), clock_, [&](const WebRequest& request) {
    asked.DecrementCount();
    answer.WaitForNotification();
    absl::MutexLock lock(&mutex);
    return fake_.Answer(request);
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&slow] { EXPECT_TRUE(slow.SignInUrl(kSecrets).ok()); });
  }
  asked.Wait();
  for (const absl::Status& status :
       {slow.SignInUrl(kSecrets).status(), slow.Redeem("good", kSecrets).status()}) {
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  }
  answer.Notify();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(slow.SignInUrl(kSecrets).ok());
}

TEST_F(OidcProviderTest, DescriptionsMustBeTheProvidersOwnAndSafe) {
  const std::pair<const char*, const char*> changes[] = {
      {R"("issuer":"https://id.example")", R"("issuer":"https://evil.example")"},
      {"https://id.example/token", "http://id.example/token"},
      {"https://id.example/me", "http://localhost/me"},
      {"https://id.example/auth", "javascript:alert(1)"},
      {"https://id.example/jwks", "file:///etc/passwd"},
      {R"("jwks_uri":"https://id.example/jwks",)", ""},
      {"{", "["},
  };
  const std::string good = fake_.description;
  for (const auto& [from, to] : changes) {
    fake_.description = absl::StrReplaceAll(good, {{from, to}});
    EXPECT_TRUE(absl::IsUnavailable(provider_.SignInUrl(kSecrets).status())) << to;
    clock_.Advance(absl::Seconds(6));
  }
  fake_.description = good;
  fake_.status = 404;
  EXPECT_THAT(std::string(provider_.SignInUrl(kSecrets).status().message()), HasSubstr("404"));
}

TEST(OidcOptions, RolesAreReadFromTheEnd) {
  const struct {
    const char* text;
    const char* group;
    store::Role role;
    const char* scope;
  } good[] = {
      {"ops=operator", "ops", store::Role::kOperator, ""},
      {"shop=viewer:team=shop,env!=dev", "shop", store::Role::kViewer, "team=shop,env!=dev"},
      {"CN=ops,OU=it=admin", "CN=ops,OU=it", store::Role::kAdmin, ""},
      {"urn:ops:x=auditor", "urn:ops:x", store::Role::kAuditor, ""},
  };
  for (const auto& c : good) {
    const auto role = ParseGroupRole(c.text);
    ASSERT_TRUE(role.ok()) << role.status();
    EXPECT_EQ(role->group, c.group);
    EXPECT_EQ(role->role, c.role);
    EXPECT_EQ(role->scope, c.scope);
  }
  for (const char* text : {"", "ops", "ops=", "=admin", "ops=root", "ops=admins", "ops=admin:"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseGroupRole(text).status())) << text;
  }
}

TEST(OidcOptions, TheFirstGroupThatFitsDecides) {
  OidcOptions options = FakeProvider::Options();
  EXPECT_EQ(RoleOf(options, {"shop", "admins"})->role, store::Role::kAdmin);
  EXPECT_EQ(RoleOf(options, {"shop"})->scope, "team=shop");
  EXPECT_EQ(RoleOf(options, {"Shop", ""}), nullptr);
  EXPECT_EQ(RoleOf(options, {}), nullptr);
}

TEST(OidcOptions, AreCheckedAtTheStart) {
  EXPECT_TRUE(CheckOidcOptions(FakeProvider::Options()).ok());
  const auto complaint = [](auto change) {
    OidcOptions options = FakeProvider::Options();
    change(options);
    return std::string(CheckOidcOptions(options).message());
  };
  EXPECT_THAT(complaint([](OidcOptions& o) { o.issuer = "http://id.example"; }),
              HasSubstr("not encrypted"));
  EXPECT_EQ(complaint([](OidcOptions& o) { o.issuer = "http://127.0.0.1:8080/x"; }), "");
  EXPECT_THAT(complaint([](OidcOptions& o) { o.public_url = "https://plimsoll.example/app"; }),
              HasSubstr("without a path"));
  EXPECT_THAT(complaint([](OidcOptions& o) { o.public_url = "http://localhost"; }),
              HasSubstr("https"));
  EXPECT_THAT(complaint([](OidcOptions& o) { o.roles.clear(); }), HasSubstr("nobody"));
  EXPECT_THAT(complaint([](OidcOptions& o) { o.client_id.clear(); }), HasSubstr("client-id"));
  for (const char* url : {"https://user@id.example", "https://id.example/#x", "https://", "ftp://x",
                          "id.example", "https://id example", "https://id.example\\x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckWebUrl(url))) << url;
  }
}

}  // namespace
}  // namespace plimsoll::access
