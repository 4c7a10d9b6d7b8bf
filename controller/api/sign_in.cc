#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "controller/access/permissions.h"
#include "controller/access/tokens.h"
#include "controller/api/identity.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "proto/support/digest.h"
#include "proto/support/times.h"

namespace plimsoll::api {
namespace {

constexpr size_t kLongestAgent = 256;

absl::Status WrongSignIn() {
  return absl::UnauthenticatedError("the name or the password is wrong, or the user is disabled");
}

absl::Status RequireUser(const Principal& who) {
  if (who.kind == store::CallerKind::kUser) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("\"", who.name, "\" is an API token, not a user who signed in"));
}

}  // namespace

absl::StatusOr<v1::SignInResponse> SignIns::SignIn(const Principal& nobody,
                                                   const v1::SignInRequest& request) {
  const absl::Time now = parts_.clock.Now();
  if (auto status = parts_.throttle.Admit(request.name(), nobody.peer, now); !status.ok()) {
    return status;
  }
  if (request.name().empty() || request.password().size() > access::kLongestPassword) {
    return WrongSignIn();
  }
  auto found = parts_.store.users().Get(request.name());
  if (!found.ok() && !absl::IsNotFound(found.status())) return found.status();
  // By name only: ids are no secret, but no name either. For nobody the same work is done.
  const bool known = found.ok() && found->user.name() == request.name();
  const auto fits = parts_.hasher.Verify(known ? found->password_hash : "", request.password());
  if (!fits.ok()) return fits.status();
  if (!*fits || found->user.disabled()) {
    parts_.throttle.Failed(request.name(), nobody.peer, now);
    return WrongSignIn();
  }
  parts_.throttle.Succeeded(request.name(), nobody.peer);
  return Begin(*found, nobody.peer, nobody.user_agent);
}

absl::StatusOr<v1::SignInResponse> SignIns::Begin(const store::StoredUser& user,
                                                  const std::string& peer,
                                                  const std::string& user_agent,
                                                  const std::optional<v1::SignInCode>& code) {
  const absl::Time now = parts_.clock.Now();
  v1::SignInResponse response;
  response.set_secret(access::NewSecret(access::kSessionPrefix));
  store::NewSession session;
  session.id = NewId("ses-");
  session.user_id = user.user.id();
  session.password_hash = user.password_hash;
  session.secret_hash = access::HashSecret(response.secret());
  session.created = now;
  session.expires = now + parts_.authenticator.limits().lifetime;
  session.peer = peer;
  session.user_agent = user_agent.substr(0, kLongestAgent);
  if (code.has_value()) {
    // Not of its text, which can be written in more than one way.
    session.code_hash = support::Sha256Hex(code->SerializeAsString());
    session.code_expires = absl::FromUnixSeconds(code->expire_time_s());
  }
  const absl::Status status = parts_.store.users().BeginSession(session);
  if (absl::IsNotFound(status)) return WrongSignIn();
  if (!status.ok()) return status;
  spdlog::info("signed in user={} peer={} session={}", user.user.name(), peer, session.id);
  response.mutable_session()->set_id(session.id);
  *response.mutable_session()->mutable_create_time() = support::ToTimestamp(now);
  *response.mutable_session()->mutable_expire_time() = support::ToTimestamp(session.expires);
  *response.mutable_session()->mutable_last_seen_time() = support::ToTimestamp(now);
  response.mutable_session()->set_peer(session.peer);
  response.mutable_session()->set_user_agent(session.user_agent);
  response.mutable_session()->set_current(true);
  *response.mutable_user() = user.user;
  *response.mutable_user()->mutable_last_sign_in_time() = support::ToTimestamp(now);
  return response;
}

absl::StatusOr<v1::SignOutResponse> SignIns::SignOut(const Principal& who,
                                                     const v1::SignOutRequest&) {
  if (auto status = RequireUser(who); !status.ok()) return status;
  if (auto status = parts_.store.users().EndSession(who.token_id); !status.ok()) return status;
  parts_.authenticator.Forget({who.token_id});
  return v1::SignOutResponse();
}

absl::StatusOr<v1::SignOutEverywhereResponse> SignIns::SignOutEverywhere(
    const Principal& who, const v1::SignOutEverywhereRequest&) {
  if (auto status = RequireUser(who); !status.ok()) return status;
  const auto ended = parts_.store.users().EndSessions(who.user_id);
  if (!ended.ok()) return ended.status();
  parts_.authenticator.ForgetAll();
  v1::SignOutEverywhereResponse response;
  response.set_session_count(*ended);
  return response;
}

absl::StatusOr<v1::Self> SignIns::GetSelf(const Principal& who, const v1::GetSelfRequest&) {
  v1::Self self;
  const bool user = who.kind == store::CallerKind::kUser;
  self.set_kind(user ? v1::Self::USER : v1::Self::TOKEN);
  self.set_id(user ? who.user_id : who.token_id);
  self.set_name(who.name);
  self.set_role(ToProto(who.role));
  self.set_scope(who.scope);
  self.set_must_change_password(who.must_change_password);
  self.set_csrf_token(who.csrf_token);
  for (const access::Permission permission : access::PermissionsOf(who.role)) {
    self.add_permissions(std::string(access::PermissionName(permission)));
  }
  return self;
}

absl::StatusOr<v1::ChangePasswordResponse> SignIns::ChangePassword(
    const Principal& who, const v1::ChangePasswordRequest& request) {
  if (auto status = RequireUser(who); !status.ok()) return status;
  if (auto status = access::CheckPassword("new_password", who.name, request.new_password());
      !status.ok()) {
    return status;
  }
  if (request.new_password() == request.old_password()) {
    return absl::InvalidArgumentError("new_password: must differ from the old one");
  }
  const absl::Time now = parts_.clock.Now();
  if (auto status = parts_.throttle.Admit(who.name, who.peer, now); !status.ok()) return status;
  const auto found = parts_.store.users().Get(who.user_id);
  if (!found.ok()) return found.status();
  if (found->password_hash.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "you sign in at ", found->user.identity_provider(), " and have no password here"));
  }
  const auto fits = parts_.hasher.Verify(
      found->password_hash, request.old_password().substr(0, access::kLongestPassword));
  if (!fits.ok()) return fits.status();
  if (!*fits) {
    parts_.throttle.Failed(who.name, who.peer, now);
    return absl::PermissionDeniedError("the old password is wrong");
  }
  const auto hash = parts_.hasher.Hash(request.new_password());
  if (!hash.ok()) return hash.status();
  if (auto status = parts_.store.users().SetPassword(who.user_id, *hash, false, who.token_id);
      !status.ok()) {
    return status;
  }
  parts_.authenticator.ForgetAll();
  spdlog::info("password changed user={}", who.name);
  return v1::ChangePasswordResponse();
}

absl::StatusOr<v1::ListSessionsResponse> SignIns::List(const Principal& who,
                                                       const v1::ListSessionsRequest&) {
  if (auto status = RequireUser(who); !status.ok()) return status;
  auto sessions = parts_.store.users().ListSessions(who.user_id, parts_.clock.Now(),
                                                    parts_.authenticator.limits().idle);
  if (!sessions.ok()) return sessions.status();
  v1::ListSessionsResponse response;
  for (v1::Session& session : *sessions) {
    session.set_current(session.id() == who.token_id);
    *response.add_sessions() = std::move(session);
  }
  return response;
}

}  // namespace plimsoll::api
