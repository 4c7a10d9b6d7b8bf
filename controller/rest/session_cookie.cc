#include "controller/rest/session_cookie.h"

#include <google/protobuf/util/time_util.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/support/field_errors.h"

namespace plimsoll::rest {
namespace {

using google::protobuf::util::TimeUtil;

absl::Status NotMeant(absl::string_view why) {
  return support::WithReason(absl::PermissionDeniedError(why), "CSRF");
}

// The table holds methods that begin sessions to these messages.
bool BeginsInCookie(const api::MethodSpec& method, const google::protobuf::Message& message) {
  return method.session == api::SessionEffect::kBegins &&
         static_cast<const v1::SignInRequest&>(message).in_cookie();
}

// "HOST:443" and "HOST" are one.
absl::string_view WithoutPort(absl::string_view host) { return absl::StripSuffix(host, ":443"); }

}  // namespace

std::string CookieOf(const HttpRequest& request, absl::string_view name) {
  for (absl::string_view pair : absl::StrSplit(request.Header("cookie"), ';')) {
    pair = absl::StripAsciiWhitespace(pair);
    if (absl::ConsumePrefix(&pair, name) && absl::ConsumePrefix(&pair, "=")) {
      return std::string(pair);
    }
  }
  return "";
}

void SetCookie(absl::string_view name, absl::string_view value, absl::Duration lifetime,
               SameSite same_site, HttpResponse& response) {
  response.headers.emplace_back(
      "Set-Cookie", absl::StrCat(name, "=", value, "; Path=/; Secure; HttpOnly; SameSite=",
                                 same_site == SameSite::kStrict ? "Strict" : "Lax",
                                 "; Max-Age=", absl::ToInt64Seconds(lifetime)));
}

std::string CsrfTokenOf(absl::string_view secret) {
  constexpr absl::string_view kWhat = "plimsoll csrf";
  unsigned char code[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(kWhat.data()), kWhat.size(), code, &size);
  return absl::WebSafeBase64Escape(absl::string_view(reinterpret_cast<const char*>(code), size));
}

absl::Status RequireSameOrigin(const HttpRequest& request) {
  const std::string& site = request.Header("sec-fetch-site");
  const std::string origin = absl::AsciiStrToLower(request.Header("origin"));
  const std::string host = absl::AsciiStrToLower(request.Header("host"));
  if ((!site.empty() && site != "same-origin") ||
      (!origin.empty() && WithoutPort(origin) != absl::StrCat("https://", WithoutPort(host)))) {
    return NotMeant("a page of another site sent this request; it is not taken");
  }
  return absl::OkStatus();
}

absl::Status RequireMeant(const HttpRequest& request, absl::string_view secret) {
  if (request.method == "GET" || request.method == "HEAD") return absl::OkStatus();
  if (auto status = RequireSameOrigin(request); !status.ok()) return status;
  const std::string& shown = request.Header("x-plimsoll-csrf");
  const std::string expected = CsrfTokenOf(secret);
  if (shown.size() == expected.size() &&
      CRYPTO_memcmp(shown.data(), expected.data(), expected.size()) == 0) {
    return absl::OkStatus();
  }
  return NotMeant(
      "a session in a cookie needs the header X-Plimsoll-CSRF with the csrfToken of GET /v1/self");
}

void KeepInCookie(v1::SignInResponse& answer, HttpResponse& response) {
  const auto lifetime = answer.session().expire_time() - answer.session().create_time();
  SetCookie(kSessionCookie, answer.secret(), absl::Seconds(TimeUtil::DurationToSeconds(lifetime)),
            SameSite::kStrict, response);
  answer.set_csrf_token(CsrfTokenOf(answer.secret()));
  answer.clear_secret();
}

absl::Status CheckSignIn(const HttpRequest& request, const api::MethodSpec& method,
                         const google::protobuf::Message& message) {
  return BeginsInCookie(method, message) ? RequireSameOrigin(request) : absl::OkStatus();
}

void FollowSession(const api::MethodSpec& method, const google::protobuf::Message& message,
                   const store::Principal& who, google::protobuf::Message& answer,
                   HttpResponse& response) {
  if (BeginsInCookie(method, message)) {
    KeepInCookie(static_cast<v1::SignInResponse&>(answer), response);
  } else if (method.session == api::SessionEffect::kEnds && !who.csrf_token.empty()) {
    SetCookie(kSessionCookie, "", absl::ZeroDuration(), SameSite::kStrict, response);
  }
}

}  // namespace plimsoll::rest
