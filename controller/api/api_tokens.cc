#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "controller/access/permissions.h"
#include "controller/access/tokens.h"
#include "controller/api/identity.h"
#include "controller/api/paging.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"

namespace plimsoll::api {
namespace {

constexpr size_t kLongestName = 63;
constexpr size_t kLongestDescription = 256;
constexpr absl::Duration kShortestLifetime = absl::Minutes(1);
constexpr absl::Duration kLongestLifetime = absl::Hours(24 * 366 * 5);

absl::Status CheckName(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kLongestName &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
                    });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError("name: expected 1 to 63 of A-Z, a-z, 0-9, ., _ and -");
}

// Sees and ends every token; others their own.
bool ManagesAll(const Principal& who) {
  return access::Allows(who.role, access::Permission::kAdminister) && !Limited(who);
}

}  // namespace

absl::StatusOr<v1::CreateApiTokenResponse> ApiTokens::Create(
    const Principal& who, const v1::CreateApiTokenRequest& request) {
  if (auto status = access::RequireOwnPassword(who); !status.ok()) return status;
  if (!ManagesAll(who) && who.kind != store::CallerKind::kUser) {
    return absl::PermissionDeniedError(
        absl::StrCat("\"", who.name, "\" is an API token; only an administrator's makes others"));
  }
  const auto role = request.role() == v1::ROLE_UNSPECIFIED ? who.role : FromProto(request.role());
  for (const absl::Status& status :
       {CheckName(request.name()), role.status(), CheckScope("scope", request.scope()),
        CheckLength("description", request.description(), kLongestDescription)}) {
    if (!status.ok()) return status;
  }
  if (!access::Within(*role, who.role)) {
    return absl::PermissionDeniedError(absl::StrCat("role: ", access::RoleName(*role),
                                                    " may do what ", access::RoleName(who.role),
                                                    ", the role of \"", who.name, "\", may not"));
  }
  const std::string scope = JoinScopes(who.scope, request.scope());
  if (auto status = CheckScope("scope, with your own", scope); !status.ok()) return status;
  const absl::Time now = parts_.clock.Now();
  std::optional<absl::Time> expires;
  if (request.has_lifetime()) {
    const absl::Duration lifetime =
        absl::Seconds(request.lifetime().seconds()) + absl::Nanoseconds(request.lifetime().nanos());
    if (lifetime < kShortestLifetime || lifetime > kLongestLifetime) {
      return absl::InvalidArgumentError("lifetime: expected 1 minute to 5 years");
    }
    expires = now + lifetime;
  }
  // What a token makes does not outlive it, nor the user who answers for it.
  if (who.expires != absl::InfiniteFuture()) {
    expires = std::min(expires.value_or(who.expires), who.expires);
  }
  v1::CreateApiTokenResponse response;
  response.set_secret(access::NewSecret(access::kApiTokenPrefix));
  Principal token;
  token.token_id = NewId("tok-");
  token.name = ManagesAll(who) ? request.name() : absl::StrCat(who.name, "/", request.name());
  token.role = *role;
  token.scope = scope;
  if (auto status = parts_.store.tokens().Create(
          token, access::HashSecret(response.secret()), now, expires,
          {.description = request.description(),
           .created_by = who.name,
           .creator_id = who.user_id.empty() ? who.maker_id : who.user_id,
           .credential = who.token_id});
      !status.ok()) {
    return status;
  }
  spdlog::info("token created token={} name={} role={} by={}", token.token_id, token.name,
               std::string(access::RoleName(token.role)), who.name);
  auto stored = parts_.store.tokens().Get(token.token_id);
  if (!stored.ok()) return stored.status();
  *response.mutable_token() = *std::move(stored);
  return response;
}

absl::StatusOr<v1::ListApiTokensResponse> ApiTokens::List(const Principal& who,
                                                          const v1::ListApiTokensRequest& request) {
  if (auto status = access::RequireOwnPassword(who); !status.ok()) return status;
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  store::TokenQuery query;
  query.include_dead = request.include_dead();
  query.after = (*after)[0];
  query.limit = *size;
  v1::ListApiTokensResponse response;
  if (!ManagesAll(who)) {
    // A token made none.
    if (who.user_id.empty()) return response;
    query.creator_id = who.user_id;
  }
  auto page = parts_.store.tokens().List(query, parts_.clock.Now());
  if (absl::IsInvalidArgument(page.status())) return BadPageToken();
  if (!page.ok()) return page.status();
  for (v1::ApiToken& token : page->tokens) *response.add_tokens() = std::move(token);
  response.set_next_page_token(EncodePageToken({page->next}));
  return response;
}

absl::StatusOr<v1::ApiToken> ApiTokens::Revoke(const Principal& who,
                                               const v1::RevokeApiTokenRequest& request) {
  if (auto status = access::RequireOwnPassword(who); !status.ok()) return status;
  const absl::Status missing =
      absl::NotFoundError(absl::StrCat("no token \"", request.token().substr(0, 256), "\""));
  auto token = parts_.store.tokens().Get(request.token());
  if (!token.ok()) return token.status();
  if (!ManagesAll(who)) {
    const auto creator = parts_.store.tokens().CreatorOf(token->id());
    if (!creator.ok()) return creator.status();
    // A token may end itself.
    const bool own = (!who.user_id.empty() && *creator == who.user_id) ||
                     (who.kind == store::CallerKind::kToken && token->id() == who.token_id);
    if (!own) return missing;
  }
  if (auto status = parts_.store.tokens().Revoke(token->id()); !status.ok()) return status;
  parts_.authenticator.Forget({token->id()});
  spdlog::info("token revoked token={} name={} by={}", token->id(), token->name(), who.name);
  token->set_revoked(true);
  return token;
}

}  // namespace plimsoll::api
