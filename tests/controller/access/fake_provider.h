// An identity provider in memory: real tokens, no network.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "controller/access/oidc_provider.h"
#include "tests/controller/access/signing_key.h"

namespace plimsoll::access {

// Members are the test's to change. Serves one sign-in at a time.
struct FakeProvider {
  explicit FakeProvider(const support::Clock& with) : clock(with) {}

  static OidcOptions Options() {
    OidcOptions options;
    options.issuer = "https://id.example";
    options.client_id = "plimsoll";
    options.client_secret = "hush & more";
    options.public_url = "https://plimsoll.example:7445";
    options.roles = {{"admins", store::Role::kAdmin, ""},
                     {"shop", store::Role::kOperator, "team=shop"}};
    return options;
  }

  // Names and values of a query or form, as they are written.
  static std::map<std::string, std::string> Pairs(absl::string_view text) {
    std::map<std::string, std::string> pairs;
    for (const absl::string_view pair : absl::StrSplit(text, '&')) {
      const std::pair<std::string, std::string> split =
          absl::StrSplit(pair, absl::MaxSplits('=', 1));
      pairs.insert(split);
    }
    return pairs;
  }

  // A person signs in at `url`, where the controller sent the browser: the `state` to come back
  // with. The code is "good".
  std::string Authorize(const std::string& url) {
    asked = Pairs(absl::string_view(url).substr(url.find('?') + 1));
    return asked["state"];
  }

  absl::StatusOr<WebReply> Answer(const WebRequest& request) {
    requests.push_back(request);
    if (!down.ok()) return down;
    const std::string path = request.url.substr(std::string("https://id.example").size());
    if (path == "/.well-known/openid-configuration") return WebReply{status, description};
    if (path == "/jwks") {
      std::vector<std::string> jwks;
      for (const SigningKey& key : keys) jwks.push_back(key.Jwk());
      return WebReply{200, absl::StrCat(R"({"keys":[)", absl::StrJoin(jwks, ","), "]}")};
    }
    if (path == "/me") return WebReply{200, user_info};
    auto form = Pairs(request.form);
    if (form["code"] != "good" || ChallengeOf(form["code_verifier"]) != asked["code_challenge"] ||
        form["redirect_uri"] != asked["redirect_uri"]) {
      return WebReply{400, R"({"error":"invalid_grant"})"};
    }
    const int64_t now = absl::ToUnixSeconds(clock.Now());
    const std::string claims =
        absl::StrCat(R"({"iss":"https://id.example","aud":"plimsoll","nonce":")", asked["nonce"],
                     R"(","iat":)", now, R"(,"exp":)", now + 300, ",", more_claims, "}");
    return WebReply{200, absl::StrCat(R"({"access_token":"at","id_token":")",
                                      keys.back().Sign(keys.back().Header(), claims), "\"}")};
  }

  int Count(absl::string_view end) const {
    int count = 0;
    for (const WebRequest& request : requests) count += absl::EndsWith(request.url, end);
    return count;
  }

  const support::Clock& clock;
  // The last one signs.
  std::vector<SigningKey> keys = One(SigningKey::Ec("k1"));
  absl::Status down;
  int status = 200;
  std::string description =
      R"({"issuer":"https://id.example","authorization_endpoint":"https://id.example/auth",)"
      R"("token_endpoint":"https://id.example/token","jwks_uri":"https://id.example/jwks",)"
      R"("userinfo_endpoint":"https://id.example/me"})";
  std::string more_claims =
      R"("sub":"s-1","preferred_username":"Ann.Smith","groups":["x","admins"])";
  std::string user_info = R"({"sub":"s-1","email":"ann@example.com","groups":"shop"})";
  // Of the last sign-in.
  std::map<std::string, std::string> asked;
  std::vector<WebRequest> requests;

 private:
  static std::vector<SigningKey> One(SigningKey key) {
    std::vector<SigningKey> keys;
    keys.push_back(std::move(key));
    return keys;
  }
};

}  // namespace plimsoll::access
