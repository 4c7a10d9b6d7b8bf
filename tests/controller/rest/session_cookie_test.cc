// Sessions in cookies, through the service: who is known by one, and what other sites' pages gain.
#include "controller/rest/session_cookie.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/match.h"
#include "controller/rest/service.h"
#include "tests/controller/rest/fake_api.h"

namespace plimsoll::rest {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A user's session for whatever name.
struct FakeSessions {
  absl::StatusOr<v1::SignInResponse> SignIn(const store::Principal&, const v1::SignInRequest&) {
    v1::SignInResponse response;
    response.set_secret("pls_ann");
    response.mutable_session()->mutable_create_time()->set_seconds(1000);
    response.mutable_session()->mutable_expire_time()->set_seconds(4600);
    return response;
  }
  absl::StatusOr<v1::SignOutResponse> SignOut(const store::Principal&, const v1::SignOutRequest&) {
    return v1::SignOutResponse();
  }
  absl::StatusOr<v1::SignOutEverywhereResponse> SignOutEverywhere(
      const store::Principal&, const v1::SignOutEverywhereRequest&) {
    return v1::SignOutEverywhereResponse();
  }
  absl::StatusOr<v1::Self> GetSelf(const store::Principal& who, const v1::GetSelfRequest&) {
    v1::Self self;
    self.set_name(who.name);
    self.set_csrf_token(who.csrf_token);
    return self;
  }
};

class SessionCookieTest : public ::testing::Test {
 protected:
  SessionCookieTest() {
    spdlog::set_level(spdlog::level::critical);
    using access::Permission;
    api_.AddTo(table_);
    api::MethodSpec sign_in{"SessionService.SignIn", Permission::kSelf, "POST /v1/sessions"};
    sign_in.open = true;
    sign_in.session = api::SessionEffect::kBegins;
    table_.Add(sign_in, sessions_, &FakeSessions::SignIn);
    api::MethodSpec sign_out{"SessionService.SignOut", Permission::kSelf,
                             "POST /v1/sessions/sign-out"};
    sign_out.session = api::SessionEffect::kEnds;
    table_.Add(sign_out, sessions_, &FakeSessions::SignOut);
    sign_out.rpc = "SessionService.SignOutEverywhere";
    sign_out.http = "POST /v1/sessions/sign-out-everywhere";
    table_.Add(sign_out, sessions_, &FakeSessions::SignOutEverywhere);
    table_.Add({"SessionService.GetSelf", Permission::kSelf, "GET /v1/self"}, sessions_,
               &FakeSessions::GetSelf);
    service_ = std::make_unique<RestService>(
        ServiceParts{.methods = table_,
                     .workers = workers_,
                     .authenticate = [](const std::string& authorization,
                                        const std::string&) -> absl::StatusOr<store::Principal> {
                       if (authorization == "Bearer pls_ann") {
                         return store::Principal{"1", "ann", store::Role::kAdmin};
                       }
                       if (authorization == "Bearer plb_bot") {
                         return store::Principal{"2", "bot", store::Role::kAdmin};
                       }
                       return absl::UnauthenticatedError("no token");
                     },
                     .ready = [] { return absl::OkStatus(); },
                     .fleet_version = [] { return "1"; }},
        std::vector<PlainRoute>{});
  }

  HttpResponse Ask(const std::string& method, const std::string& target,
                   std::map<std::string, std::string> headers, std::string body = "{}") {
    headers.try_emplace("host", "plimsoll.example:7445");
    if (method != "POST" && method != "PUT") body.clear();
    return AskService(*service_, method, target, std::move(headers), std::move(body));
  }
  // What a page of ours sends that has read its token.
  std::map<std::string, std::string> Page() const {
    return {{"cookie", kCookie},
            {"x-plimsoll-csrf", CsrfTokenOf("pls_ann")},
            {"origin", "https://plimsoll.example:7445"},
            {"sec-fetch-site", "same-origin"}};
  }
  std::map<std::string, std::string> PageBut(const std::string& header,
                                             const std::string& value) const {
    auto headers = Page();
    headers[header] = value;
    return headers;
  }

  static constexpr char kCookie[] = "a=b; __Host-plimsoll-session=pls_ann; c=d";
  FakeApi api_;
  FakeSessions sessions_;
  api::MethodTable table_{support::Clock::Real()};
  std::unique_ptr<RestService> service_;
  support::WorkerPool workers_{1};
};

TEST_F(SessionCookieTest, ASignInMayAskForACookieAndThenHasNoSecret) {
  const HttpResponse plain = Ask("POST", "/v1/sessions", {}, R"({"name":"ann"})");
  EXPECT_THAT(plain.body, HasSubstr("pls_ann"));
  EXPECT_EQ(HeaderOf(plain, "Set-Cookie"), "");
  const HttpResponse kept = Ask("POST", "/v1/sessions", {}, R"({"name":"ann","inCookie":true})");
  EXPECT_EQ(kept.status, 200);
  EXPECT_EQ(HeaderOf(kept, "Set-Cookie"),
            "__Host-plimsoll-session=pls_ann; Path=/; Secure; HttpOnly; SameSite=Strict; "
            "Max-Age=3600");
  EXPECT_THAT(kept.body, Not(HasSubstr("pls_ann")));
  const std::string token(boost::json::parse(kept.body).at("csrfToken").as_string());
  EXPECT_EQ(token, CsrfTokenOf("pls_ann"));
  // A page of another site would sign its visitors in as somebody of its choice.
  EXPECT_EQ(
      Ask("POST", "/v1/sessions", {{"origin", "https://evil.example"}}, R"({"inCookie":true})")
          .status,
      403);
  EXPECT_EQ(Ask("POST", "/v1/sessions", {{"sec-fetch-site", "cross-site"}}, R"({"inCookie":true})")
                .status,
            403);
}

TEST_F(SessionCookieTest, ACookieReads) {
  const HttpResponse self = Ask("GET", "/v1/self", {{"cookie", kCookie}});
  EXPECT_EQ(self.status, 200);
  EXPECT_THAT(self.body, HasSubstr("\"ann\""));
  EXPECT_THAT(self.body, HasSubstr(CsrfTokenOf("pls_ann")));
  EXPECT_EQ(Ask("HEAD", "/v1/self", {{"cookie", kCookie}}).status, 200);
  // The header goes before it, and has no token to prove anything by.
  const HttpResponse bot =
      Ask("GET", "/v1/self", {{"cookie", kCookie}, {"authorization", "Bearer plb_bot"}});
  EXPECT_EQ(bot.body, R"({"name":"bot"})");
  EXPECT_EQ(Ask("GET", "/v1/self", {{"cookie", kCookie}, {"authorization", "Bearer x"}}).status,
            401);
  for (const char* cookie :
       {"__Host-plimsoll-session=pls_bob", "__Host-plimsoll-session=", "__Host-plimsoll-session",
        "x__Host-plimsoll-session=pls_ann", "plimsoll-session=pls_ann",
        // An API token is none, wherever it comes from.
        "__Host-plimsoll-session=plb_bot"}) {
    EXPECT_EQ(Ask("GET", "/v1/self", {{"cookie", cookie}}).status, 401) << cookie;
  }
}

TEST_F(SessionCookieTest, ACookieChangesNothingWithoutTheProofThatThePageIsOurs) {
  EXPECT_EQ(Ask("POST", "/v1/scans", Page()).status, 200);
  EXPECT_EQ(Ask("DELETE", "/v1/hosts/x", Page()).status, 200);
  // Not a browser, or an old one: the token alone.
  EXPECT_EQ(
      Ask("POST", "/v1/scans", {{"cookie", kCookie}, {"x-plimsoll-csrf", CsrfTokenOf("pls_ann")}})
          .status,
      200);
  const std::map<std::string, std::string> refused[] = {
      {{"cookie", kCookie}},
      {{"cookie", kCookie}, {"origin", "https://plimsoll.example:7445"}},
      PageBut("x-plimsoll-csrf", ""),
      PageBut("x-plimsoll-csrf", CsrfTokenOf("pls_bob")),
      PageBut("x-plimsoll-csrf", CsrfTokenOf("pls_ann").substr(1)),
      PageBut("origin", "https://evil.example"),
      PageBut("origin", "http://plimsoll.example:7445"),
      PageBut("origin", "https://plimsoll.example:7446"),
      PageBut("origin", "https://plimsoll.example:7445.evil.example"),
      PageBut("origin", "null"),
      PageBut("sec-fetch-site", "cross-site"),
      PageBut("sec-fetch-site", "same-site"),
      PageBut("sec-fetch-site", "none"),
  };
  for (const auto& headers : refused) {
    for (const auto& [method, target] : {std::pair{"POST", "/v1/scans"},
                                         {"DELETE", "/v1/hosts/x"},
                                         {"PUT", "/v1/schedules/s"},
                                         {"POST", "/v1/sessions/sign-out"}}) {
      const HttpResponse answer = Ask(method, target, headers);
      EXPECT_EQ(answer.status, 403) << method;
      EXPECT_THAT(answer.body, HasSubstr(R"("reason":"CSRF")"));
    }
  }
  // A bearer token is proof enough: no browser sends one by itself.
  EXPECT_EQ(Ask("POST", "/v1/scans",
                {{"authorization", "Bearer plb_bot"}, {"origin", "https://evil.example"}})
                .status,
            200);
}

TEST_F(SessionCookieTest, TheDefaultPortIsTheSameOrigin) {
  auto headers = PageBut("origin", "https://plimsoll.example");
  headers["host"] = "Plimsoll.example:443";
  EXPECT_EQ(Ask("POST", "/v1/scans", headers).status, 200);
}

TEST_F(SessionCookieTest, SigningOutForgetsTheCookie) {
  for (const char* path : {"/v1/sessions/sign-out", "/v1/sessions/sign-out-everywhere"}) {
    EXPECT_EQ(HeaderOf(Ask("POST", path, Page()), "Set-Cookie"),
              "__Host-plimsoll-session=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    EXPECT_EQ(HeaderOf(Ask("POST", path, {{"authorization", "Bearer pls_ann"}}), "Set-Cookie"), "");
  }
  EXPECT_EQ(HeaderOf(Ask("POST", "/v1/scans", Page()), "Set-Cookie"), "");
}

TEST(CsrfToken, IsOfOneSessionAndDoesNotTellIt) {
  EXPECT_EQ(CsrfTokenOf("pls_a").size(), 43u);
  EXPECT_NE(CsrfTokenOf("pls_a"), CsrfTokenOf("pls_b"));
}

}  // namespace
}  // namespace plimsoll::rest
