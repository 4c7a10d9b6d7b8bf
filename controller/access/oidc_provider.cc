#include "controller/access/oidc_provider.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/access/id_token.h"
#include "proto/support/digest.h"
#include "proto/support/field_errors.h"
#include "proto/support/logging.h"

namespace plimsoll::access {
namespace {

constexpr int kMostTalking = 3;
constexpr absl::Duration kKeep = absl::Hours(1);
constexpr absl::Duration kPauseAfterFailure = absl::Seconds(5);
constexpr absl::Duration kNewKeysAtMost = absl::Minutes(1);
constexpr size_t kMostGroups = 1000;
constexpr size_t kLongestGroup = 256;

std::vector<std::string> GroupsIn(const json_t* claim) {
  std::vector<std::string> groups;
  const auto add = [&groups](const json_t* each) {
    const size_t size = json_string_length(each);
    if (size > 0 && size <= kLongestGroup) groups.emplace_back(json_string_value(each), size);
  };
  add(claim);
  for (size_t i = 0; i < json_array_size(claim) && groups.size() < kMostGroups; ++i) {
    add(json_array_get(claim, i));
  }
  return groups;
}

}  // namespace

class OidcProvider::Turn {
 public:
  explicit Turn(OidcProvider& provider) : provider_(provider) {
    absl::MutexLock lock(&provider_.mutex_);
    taken_ = provider_.talking_ < kMostTalking;
    if (taken_) ++provider_.talking_;
  }
  ~Turn() {
    absl::MutexLock lock(&provider_.mutex_);
    if (taken_) --provider_.talking_;
  }
  Turn(const Turn&) = delete;
  absl::Status status() const {
    if (taken_) return absl::OkStatus();
    return absl::ResourceExhaustedError("many people are signing in; try again in a second");
  }

 private:
  OidcProvider& provider_;
  bool taken_ = false;
};

OidcProvider::OidcProvider(OidcOptions options, const support::Clock& clock, WebFetch fetch)
    : options_(std::move(options)), clock_(clock), fetch_(std::move(fetch)) {}

absl::Status OidcProvider::Failed(absl::string_view what, absl::string_view why) const {
  spdlog::warn("identity provider failed issuer={} at=\"{}\" reason=\"{}\"", options_.issuer,
               std::string(what), support::LogSafe(why));
  return support::ProviderUnavailable(
      absl::StrCat("the identity provider ", options_.issuer, " failed at ", what, ": ", why));
}

absl::StatusOr<JsonPtr> OidcProvider::FetchObject(absl::string_view what,
                                                  const WebRequest& request) {
  const auto reply = fetch_(request);
  if (!reply.ok()) return Failed(what, reply.status().message());
  if (reply->status != 200) return Failed(what, absl::StrCat("it answered ", reply->status));
  JsonPtr object = ParseObject(reply->body);
  if (object == nullptr) return Failed(what, "its answer is not a JSON object");
  return object;
}

absl::StatusOr<OidcProvider::Description> OidcProvider::Read(const json_t* object) const {
  constexpr char kWhat[] = "its description";
  if (TextAt(object, "issuer") != options_.issuer) {
    return Failed(kWhat, "it calls itself otherwise; is --oidc-issuer written exactly as it does?");
  }
  Description description;
  description.authorization_endpoint = TextAt(object, "authorization_endpoint");
  description.token_endpoint = TextAt(object, "token_endpoint");
  description.userinfo_endpoint = TextAt(object, "userinfo_endpoint");
  description.jwks_uri = TextAt(object, "jwks_uri");
  for (const std::string& url :
       {description.authorization_endpoint, description.token_endpoint, description.jwks_uri,
        // This one may be absent.
        description.userinfo_endpoint.empty() ? options_.issuer : description.userinfo_endpoint}) {
    if (auto status = CheckWebUrl(url); !status.ok()) return Failed(kWhat, status.message());
    // One on this machine may do without, but no other leads here.
    if (absl::StartsWith(options_.issuer, "https:") && !absl::StartsWith(url, "https:")) {
      return Failed(kWhat, "it names addresses that are not encrypted");
    }
  }
  // Without a list it takes the header; with one, what stands there.
  const json_t* methods = json_object_get(object, "token_endpoint_auth_methods_supported");
  description.secret_in_form = json_is_array(methods);
  size_t index = 0;
  const json_t* each = nullptr;
  json_array_foreach(methods, index, each) {
    if (json_is_string(each) && json_string_value(each) == absl::string_view("client_secret_basic"))
      description.secret_in_form = false;
  }
  return description;
}

OidcProvider::DescriptionPtr OidcProvider::Kept() {
  absl::MutexLock lock(&mutex_);
  return clock_.Now() < described_ + kKeep ? description_ : nullptr;
}

absl::StatusOr<OidcProvider::DescriptionPtr> OidcProvider::Describe() {
  if (auto kept = Kept(); kept != nullptr) return kept;
  {
    absl::MutexLock lock(&mutex_);
    if (clock_.Now() < failed_ + kPauseAfterFailure) return failure_;
  }
  const bool slash = absl::EndsWith(options_.issuer, "/");
  const auto object = FetchObject(
      "its description",
      {.url = absl::StrCat(options_.issuer, slash ? "" : "/", ".well-known/openid-configuration")});
  auto description =
      object.ok() ? Read(object->get()) : absl::StatusOr<Description>(object.status());
  absl::MutexLock lock(&mutex_);
  if (!description.ok()) {
    failed_ = clock_.Now();
    failure_ = description.status();
    return failure_;
  }
  description_ = std::make_shared<const Description>(*std::move(description));
  described_ = clock_.Now();
  return description_;
}

absl::StatusOr<OidcProvider::KeysPtr> OidcProvider::Keys(const Description& description,
                                                         bool newer) {
  {
    absl::MutexLock lock(&mutex_);
    const absl::Duration age = clock_.Now() - keys_read_;
    if (keys_ != nullptr && age < (newer ? kNewKeysAtMost : kKeep)) return keys_;
  }
  auto object = FetchObject("its keys", {.url = description.jwks_uri});
  if (!object.ok()) return object.status();
  absl::MutexLock lock(&mutex_);
  keys_ =
      KeysPtr(object->release(), [](const json_t* keys) { JsonFree()(const_cast<json_t*>(keys)); });
  keys_read_ = clock_.Now();
  return keys_;
}

absl::StatusOr<std::string> OidcProvider::SignInUrl(const SignInSecrets& secrets) {
  DescriptionPtr description = Kept();
  if (description == nullptr) {
    const Turn turn(*this);
    if (auto status = turn.status(); !status.ok()) return status;
    auto read = Describe();
    if (!read.ok()) return read.status();
    description = *std::move(read);
  }
  const std::string& endpoint = description->authorization_endpoint;
  return absl::StrCat(
      endpoint, absl::StrContains(endpoint, '?') ? "&" : "?",
      "response_type=code&client_id=", UrlEncode(options_.client_id),
      "&redirect_uri=", UrlEncode(redirect_url()),
      "&scope=", UrlEncode(absl::StrCat("openid ", absl::StrJoin(options_.scopes, " "))),
      "&state=", UrlEncode(secrets.state), "&nonce=", UrlEncode(secrets.nonce),
      "&code_challenge=", ChallengeOf(secrets.verifier), "&code_challenge_method=S256");
}

absl::StatusOr<JsonPtr> OidcProvider::FetchTokens(const Description& description,
                                                  const std::string& code,
                                                  const SignInSecrets& secrets) {
  WebRequest request{.url = description.token_endpoint};
  request.form = absl::StrCat("grant_type=authorization_code&code=", UrlEncode(code),
                              "&redirect_uri=", UrlEncode(redirect_url()),
                              "&code_verifier=", UrlEncode(secrets.verifier));
  if (options_.client_secret.empty() || description.secret_in_form) {
    absl::StrAppend(&request.form, "&client_id=", UrlEncode(options_.client_id));
  }
  if (!options_.client_secret.empty()) {
    if (description.secret_in_form) {
      absl::StrAppend(&request.form, "&client_secret=", UrlEncode(options_.client_secret));
    } else {
      request.user = UrlEncode(options_.client_id);
      request.password = UrlEncode(options_.client_secret);
    }
  }
  const auto reply = fetch_(request);
  if (!reply.ok()) return Failed("its token endpoint", reply.status().message());
  JsonPtr object = ParseObject(reply->body);
  if (reply->status == 400 && object != nullptr &&
      TextAt(object.get(), "error") == "invalid_grant") {
    return absl::UnauthenticatedError(
        "the identity provider does not take the code (any more); sign in again");
  }
  if (reply->status != 200 || object == nullptr) {
    const std::string error = object == nullptr ? "" : TextAt(object.get(), "error").substr(0, 64);
    return Failed("its token endpoint",
                  absl::StrCat("it answered ", reply->status, " ", absl::CHexEscape(error)));
  }
  return object;
}

absl::StatusOr<JsonPtr> OidcProvider::Verify(const Description& description,
                                             const std::string& token,
                                             const SignInSecrets& secrets) {
  const ExpectedToken expected{options_.issuer, options_.client_id, secrets.nonce};
  for (const bool newer : {false, true}) {
    const auto keys = Keys(description, newer);
    if (!keys.ok()) return keys.status();
    auto claims = VerifyIdToken(token, keys->get(), expected, clock_.Now());
    if (!absl::IsNotFound(claims.status())) return claims;
  }
  return absl::UnauthenticatedError(
      "the identity token is not valid: the identity provider has no key for it");
}

absl::StatusOr<ExternalPerson> OidcProvider::Redeem(const std::string& code,
                                                    const SignInSecrets& secrets) {
  const Turn turn(*this);
  if (auto status = turn.status(); !status.ok()) return status;
  const auto description = Describe();
  if (!description.ok()) return description.status();
  const auto tokens = FetchTokens(**description, code, secrets);
  if (!tokens.ok()) return tokens.status();
  const auto claims = Verify(**description, TextAt(tokens->get(), "id_token"), secrets);
  if (!claims.ok()) return claims.status();
  const char* groups_claim = options_.groups_claim.c_str();
  ExternalPerson person;
  person.subject = TextAt(claims->get(), "sub");
  // Many providers keep identity tokens thin: the rest is asked for with the access token.
  JsonPtr more;
  const std::string access_token = TextAt(tokens->get(), "access_token");
  if (json_object_get(claims->get(), groups_claim) == nullptr && !access_token.empty() &&
      !(*description)->userinfo_endpoint.empty()) {
    auto answer = FetchObject("its user information",
                              {.url = (*description)->userinfo_endpoint, .bearer = access_token});
    if (!answer.ok()) return answer.status();
    if (TextAt(answer->get(), "sub") != person.subject) {
      return absl::UnauthenticatedError(
          "the identity provider told of another person than it vouched for");
    }
    more = *std::move(answer);
  }
  for (const json_t* source :
       {static_cast<const json_t*>(claims->get()), static_cast<const json_t*>(more.get())}) {
    if (source == nullptr) continue;
    if (person.name.empty()) person.name = TextAt(source, "preferred_username");
    if (person.groups.empty()) person.groups = GroupsIn(json_object_get(source, groups_claim));
  }
  if (person.name.empty()) person.name = TextAt(claims->get(), "email");
  if (person.name.empty()) person.name = TextAt(more.get(), "email");
  return person;
}

std::string ChallengeOf(absl::string_view verifier) {
  return absl::WebSafeBase64Escape(support::Sha256(verifier));
}

}  // namespace plimsoll::access
