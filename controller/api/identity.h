// The API of users, sessions and API tokens, free of transport; see api.h for what all handlers
// have in common.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "controller/access/authenticator.h"
#include "controller/access/passwords.h"
#include "controller/access/sign_in_throttle.h"
#include "controller/store/store.h"
#include "plimsoll/v1/session_service.pb.h"
#include "plimsoll/v1/stored.pb.h"
#include "plimsoll/v1/token_service.pb.h"
#include "plimsoll/v1/user_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// What the handlers below borrow.
struct IdentityParts {
  store::Store& store;
  access::Authenticator& authenticator;
  access::PasswordHasher& hasher;
  access::SignInThrottle& throttle;
  const support::Clock& clock;
};

// users.cc. Thread-safe. Errors as user_service.proto says.
class Users {
 public:
  explicit Users(const IdentityParts& parts) : parts_(parts) {}
  absl::StatusOr<v1::CreateUserResponse> Create(const store::Principal& who,
                                                const v1::CreateUserRequest& request);
  absl::StatusOr<v1::User> Get(const store::Principal& who, const v1::GetUserRequest& request);
  absl::StatusOr<v1::ListUsersResponse> List(const store::Principal& who,
                                             const v1::ListUsersRequest& request);
  absl::StatusOr<v1::User> Update(const store::Principal& who,
                                  const v1::UpdateUserRequest& request);
  absl::StatusOr<v1::ResetPasswordResponse> ResetPassword(const store::Principal& who,
                                                          const v1::ResetPasswordRequest& request);
  absl::StatusOr<v1::DeleteUserResponse> Delete(const store::Principal& who,
                                                const v1::DeleteUserRequest& request);

  // The first start's user `admin`, in charge of everything. Returns the one-time password; empty:
  // there are users already.
  absl::StatusOr<std::string> EnsureAdministrator();

 private:
  const IdentityParts parts_;
};

// sign_in.cc. Thread-safe. Errors as session_service.proto says. `who.peer` and `who.user_agent`
// are where a session is made from.
class SignIns {
 public:
  explicit SignIns(const IdentityParts& parts) : parts_(parts) {}
  // `nobody` is not known yet.
  absl::StatusOr<v1::SignInResponse> SignIn(const store::Principal& nobody,
                                            const v1::SignInRequest& request);
  absl::StatusOr<v1::SignOutResponse> SignOut(const store::Principal& who,
                                              const v1::SignOutRequest& request);
  absl::StatusOr<v1::SignOutEverywhereResponse> SignOutEverywhere(
      const store::Principal& who, const v1::SignOutEverywhereRequest& request);
  absl::StatusOr<v1::Self> GetSelf(const store::Principal& who, const v1::GetSelfRequest& request);
  absl::StatusOr<v1::ChangePasswordResponse> ChangePassword(
      const store::Principal& who, const v1::ChangePasswordRequest& request);
  absl::StatusOr<v1::ListSessionsResponse> List(const store::Principal& who,
                                                const v1::ListSessionsRequest& request);

  // A session for a user whose identity is proven already, by password or by an identity provider.
  // UNAUTHENTICATED: `user` is not as it is stored any more: gone, disabled, or with another
  // password. ALREADY_EXISTS: there was a session for `code` before; absent: it is for none.
  absl::StatusOr<v1::SignInResponse> Begin(
      const store::StoredUser& user, const std::string& peer, const std::string& user_agent,
      const std::optional<v1::SignInCode>& code = std::nullopt);

 private:
  const IdentityParts parts_;
};

// api_tokens.cc. Thread-safe. Errors as token_service.proto says.
class ApiTokens {
 public:
  explicit ApiTokens(const IdentityParts& parts) : parts_(parts) {}
  absl::StatusOr<v1::CreateApiTokenResponse> Create(const store::Principal& who,
                                                    const v1::CreateApiTokenRequest& request);
  absl::StatusOr<v1::ListApiTokensResponse> List(const store::Principal& who,
                                                 const v1::ListApiTokensRequest& request);
  absl::StatusOr<v1::ApiToken> Revoke(const store::Principal& who,
                                      const v1::RevokeApiTokenRequest& request);

 private:
  const IdentityParts parts_;
};

// A role of the store as one of the protos, and back. INVALID_ARGUMENT: none.
v1::Role ToProto(store::Role role);
absl::StatusOr<store::Role> FromProto(v1::Role role);

}  // namespace plimsoll::api
