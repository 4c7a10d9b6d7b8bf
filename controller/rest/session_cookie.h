// Sessions of browsers: in a cookie that scripts cannot read, and safe from other sites' pages.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/api/method.h"
#include "controller/rest/http_message.h"
#include "controller/store/token_store.h"
#include "plimsoll/v1/session_service.pb.h"

namespace plimsoll::rest {

// The prefix holds browsers to Secure, Path=/ and this very host: no neighbour can plant one.
inline constexpr char kSessionCookie[] = "__Host-plimsoll-session";
inline constexpr char kCsrfHeader[] = "X-Plimsoll-CSRF";

// When other sites' pages may have a browser send a cookie. The session is kStrict: no page of
// another site causes a request with it, not even by a link; what needs it is asked for by our own
// pages. kLax: links too, which is how an identity provider leads back.
enum class SameSite { kStrict, kLax };

// The value of the request's cookie `name`; empty: none.
std::string CookieOf(const HttpRequest& request, absl::string_view name);

// Has the browser keep a cookie for `lifetime`, out of reach of scripts. Zero: forget it.
void SetCookie(absl::string_view name, absl::string_view value, absl::Duration lifetime,
               SameSite same_site, HttpResponse& response);

// What a page shows to prove that it is ours: made of the session's secret, which it does not tell.
std::string CsrfTokenOf(absl::string_view secret);

// PERMISSION_DENIED, with the reason CSRF: the browser says (Sec-Fetch-Site, Origin) that a page of
// another site sends this. One that says neither may pass.
absl::Status RequireSameOrigin(const HttpRequest& request);

// The same, and the same error unless the request shows the session's token, for requests that can
// change something: all but GET and HEAD.
absl::Status RequireMeant(const HttpRequest& request, absl::string_view secret);

// Moves the session's secret out of `answer` into a cookie of `response`.
void KeepInCookie(v1::SignInResponse& answer, HttpResponse& response);

// Before a call: a sign-in that asks for a cookie must come from our own page, or other sites could
// sign their visitors in as somebody.
absl::Status CheckSignIn(const HttpRequest& request, const api::MethodSpec& method,
                         const google::protobuf::Message& message);

// After a call by `who`: the cookie that its answer brings, or ends.
void FollowSession(const api::MethodSpec& method, const google::protobuf::Message& message,
                   const store::Principal& who, google::protobuf::Message& answer,
                   HttpResponse& response);

}  // namespace plimsoll::rest
