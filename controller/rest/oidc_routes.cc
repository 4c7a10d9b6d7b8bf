#include "controller/rest/oidc_routes.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "controller/rest/errors.h"
#include "controller/rest/session_cookie.h"
#include "proto/support/logging.h"

namespace plimsoll::rest {
namespace {

// Of a sign-in under way.
constexpr char kPendingCookie[] = "__Host-plimsoll-sign-in";

// The parameter `name`; empty: not there, or there more than once.
std::string Parameter(const HttpRequest& request, absl::string_view name) {
  const std::string* value = nullptr;
  for (const auto& [key, each] : request.target.query) {
    if (key != name) continue;
    if (value != nullptr) return "";
    value = &each;
  }
  return value == nullptr ? "" : *value;
}

HttpResponse Redirect(std::string location) {
  HttpResponse response;
  response.status = 302;
  response.content_type = "text/plain; charset=utf-8";
  response.headers.emplace_back("Location", std::move(location));
  return response;
}

HttpResponse Fail(const HttpRequest& request, const absl::Status& status) {
  spdlog::warn("sign-in refused peer={} id={} reason=\"{}\"", request.peer, request.id,
               support::LogSafe(status.message()));
  return ErrorResponse(status, request.id);
}

HttpResponse Start(api::OidcSignIns& sign_ins, const HttpRequest& request) {
  auto begun = sign_ins.Start({.return_to = Parameter(request, "return_to"),
                               .cli_port = Parameter(request, "cli_port"),
                               .cli_challenge = Parameter(request, "cli_challenge")});
  if (!begun.ok()) return Fail(request, begun.status());
  HttpResponse response = Redirect(std::move(begun->url));
  SetCookie(kPendingCookie, begun->sealed, api::kSignInPatience, SameSite::kLax, response);
  return response;
}

HttpResponse Finish(api::OidcSignIns& sign_ins, const HttpRequest& request) {
  auto finished = sign_ins.Finish(api::Nobody(request.peer, request.Header("user-agent")),
                                  CookieOf(request, kPendingCookie),
                                  {.code = Parameter(request, "code"),
                                   .state = Parameter(request, "state"),
                                   .error = Parameter(request, "error"),
                                   .issuer = Parameter(request, "iss")});
  if (!finished.ok()) return Fail(request, finished.status());
  HttpResponse response = Redirect(std::move(finished->location));
  SetCookie(kPendingCookie, "", absl::ZeroDuration(), SameSite::kLax, response);
  if (finished->session.has_value()) KeepInCookie(*finished->session, response);
  return response;
}

}  // namespace

std::vector<PlainRoute> OidcRoutes(api::OidcSignIns& sign_ins) {
  PlainRoute start;
  start.verb = "GET";
  start.path = "/v1/oidc/start";
  start.summary = "Leads a browser to the identity provider, to sign in there.";
  start.content_type = "text/plain";
  start.status = 302;
  start.parameters = {
      {"return_to", "Path on this server to come back to, beginning with one /; without it: /."},
      {"cli_port", "Of a program on the browser's machine: the port of 127.0.0.1 it listens on."},
      {"cli_challenge", "Of such a program: SHA-256, in base64url, of what it will redeem with."}};
  start.answer = [&sign_ins](const HttpRequest& request, const store::Principal*) {
    return Start(sign_ins, request);
  };
  PlainRoute callback;
  callback.verb = "GET";
  callback.path = "/v1/oidc/callback";
  callback.summary =
      "Where the identity provider leads back to: a session in a cookie, and on to return_to.";
  callback.content_type = "text/plain";
  callback.status = 302;
  callback.parameters = {{"code", "As OpenID Connect says."},
                         {"state", "As OpenID Connect says."},
                         {"error", "As OpenID Connect says."},
                         {"iss", "As RFC 9207 says."}};
  callback.answer = [&sign_ins](const HttpRequest& request, const store::Principal*) {
    return Finish(sign_ins, request);
  };
  return {std::move(start), std::move(callback)};
}

}  // namespace plimsoll::rest
