#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "controller/access/permissions.h"
#include "controller/api/identity.h"
#include "controller/api/paging.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "proto/support/times.h"

namespace plimsoll::api {
namespace {

constexpr size_t kLongestName = 63;
constexpr size_t kLongestDescription = 256;

absl::Status CheckName(const std::string& name) {
  const bool good =
      !name.empty() && name.size() <= kLongestName && absl::ascii_isalnum(name[0]) &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '.' || c == '_' || c == '-';
      });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "name: expected 1 to 63 of a-z, 0-9, ., _ and -, beginning with a letter or digit");
}

}  // namespace

v1::Role ToProto(store::Role role) {
  switch (role) {
    case store::Role::kViewer:
      return v1::ROLE_VIEWER;
    case store::Role::kAuditor:
      return v1::ROLE_AUDITOR;
    case store::Role::kOperator:
      return v1::ROLE_OPERATOR;
    case store::Role::kAdmin:
      return v1::ROLE_ADMIN;
  }
  return v1::ROLE_UNSPECIFIED;
}

absl::StatusOr<store::Role> FromProto(v1::Role role) {
  for (const store::Role known : access::kRoles) {
    if (ToProto(known) == role) return known;
  }
  return absl::InvalidArgumentError("role: expected viewer, auditor, operator or admin");
}

absl::StatusOr<v1::CreateUserResponse> Users::Create(const Principal& who,
                                                     const v1::CreateUserRequest& request) {
  if (auto status = RequireWholeFleet(who, "the list of users"); !status.ok()) return status;
  for (const absl::Status& status :
       {CheckName(request.name()), FromProto(request.role()).status(),
        CheckScope("scope", request.scope()),
        CheckLength("description", request.description(), kLongestDescription)}) {
    if (!status.ok()) return status;
  }
  v1::CreateUserResponse response;
  v1::User& user = *response.mutable_user();
  user.set_id(NewId("u-"));
  user.set_name(request.name());
  user.set_role(request.role());
  user.set_scope(JoinScopes(request.scope(), ""));
  user.set_description(request.description());
  user.set_must_change_password(true);
  *user.mutable_create_time() = support::ToTimestamp(parts_.clock.Now());
  user.set_created_by(who.name);
  response.set_one_time_password(access::OneTimePassword());
  const auto hash = parts_.hasher.Hash(response.one_time_password());
  if (!hash.ok()) return hash.status();
  if (auto status = parts_.store.users().Create(user, *hash); !status.ok()) return status;
  spdlog::info("user created user={} role={} by={}", user.name(), v1::Role_Name(user.role()),
               who.name);
  return response;
}

absl::StatusOr<v1::User> Users::Get(const Principal& who, const v1::GetUserRequest& request) {
  if (auto status = RequireWholeFleet(who, "the list of users"); !status.ok()) return status;
  auto found = parts_.store.users().Get(request.user());
  if (!found.ok()) return found.status();
  return std::move(found->user);
}

absl::StatusOr<v1::ListUsersResponse> Users::List(const Principal& who,
                                                  const v1::ListUsersRequest& request) {
  if (auto status = RequireWholeFleet(who, "the list of users"); !status.ok()) return status;
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  // One more than asked tells whether there is a next page.
  auto users = parts_.store.users().List((*after)[0], *size + 1);
  if (!users.ok()) return users.status();
  v1::ListUsersResponse response;
  if (users->size() > static_cast<size_t>(*size)) {
    users->pop_back();
    response.set_next_page_token(EncodePageToken({users->back().name()}));
  }
  for (v1::User& user : *users) *response.add_users() = std::move(user);
  return response;
}

absl::StatusOr<v1::User> Users::Update(const Principal& who, const v1::UpdateUserRequest& request) {
  if (auto status = RequireWholeFleet(who, "the list of users"); !status.ok()) return status;
  if (request.role() != v1::ROLE_UNSPECIFIED) {
    if (auto role = FromProto(request.role()); !role.ok()) return role.status();
  }
  for (const absl::Status& status :
       {CheckScope("scope", request.scope()),
        CheckLength("description", request.description(), kLongestDescription)}) {
    if (!status.ok()) return status;
  }
  const auto found = parts_.store.users().Get(request.user());
  if (!found.ok()) return found.status();
  auto user = parts_.store.users().Update(found->user.id(), [&](v1::User& stored) {
    if (request.role() != v1::ROLE_UNSPECIFIED) stored.set_role(request.role());
    if (request.has_scope()) stored.set_scope(JoinScopes(request.scope(), ""));
    if (request.has_disabled()) stored.set_disabled(request.disabled());
    if (request.has_description()) stored.set_description(request.description());
    return absl::OkStatus();
  });
  if (!user.ok()) return user.status();
  // Other controllers hear of it through the database; this one need not wait for that.
  parts_.authenticator.ForgetAll();
  spdlog::info("user changed user={} role={} disabled={} by={}", user->name(),
               v1::Role_Name(user->role()), user->disabled(), who.name);
  return user;
}

absl::StatusOr<v1::ResetPasswordResponse> Users::ResetPassword(
    const Principal& who, const v1::ResetPasswordRequest& request) {
  if (auto status = RequireWholeFleet(who, "the list of users"); !status.ok()) return status;
  auto found = parts_.store.users().Get(request.user());
  if (!found.ok()) return found.status();
  if (!found->user.identity_provider().empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this user signs in at ", found->user.identity_provider(), " and has no password here"));
  }
  v1::ResetPasswordResponse response;
  response.set_one_time_password(access::OneTimePassword());
  const auto hash = parts_.hasher.Hash(response.one_time_password());
  if (!hash.ok()) return hash.status();
  if (auto status = parts_.store.users().SetPassword(found->user.id(), *hash, true); !status.ok()) {
    return status;
  }
  parts_.authenticator.ForgetAll();
  parts_.throttle.Forget(found->user.name());
  spdlog::info("password reset user={} by={}", found->user.name(), who.name);
  *response.mutable_user() = std::move(found->user);
  response.mutable_user()->set_must_change_password(true);
  return response;
}

absl::StatusOr<v1::DeleteUserResponse> Users::Delete(const Principal& who,
                                                     const v1::DeleteUserRequest& request) {
  if (auto status = RequireWholeFleet(who, "the list of users"); !status.ok()) return status;
  const auto found = parts_.store.users().Get(request.user());
  if (!found.ok()) return found.status();
  if (found->user.id() == who.user_id) {
    return absl::FailedPreconditionError("nobody deletes oneself; another administrator may");
  }
  if (auto status = parts_.store.users().Delete(found->user.id()); !status.ok()) return status;
  parts_.authenticator.ForgetAll();
  spdlog::info("user deleted user={} by={}", found->user.name(), who.name);
  v1::DeleteUserResponse response;
  response.set_id(found->user.id());
  return response;
}

absl::StatusOr<std::string> Users::EnsureAdministrator() {
  const auto exists = parts_.store.users().AnyExists();
  if (!exists.ok()) return exists.status();
  if (*exists) return std::string();
  v1::User admin;
  admin.set_id(NewId("u-"));
  admin.set_name("admin");
  admin.set_role(v1::ROLE_ADMIN);
  admin.set_must_change_password(true);
  *admin.mutable_create_time() = support::ToTimestamp(parts_.clock.Now());
  const std::string password = access::OneTimePassword();
  const auto hash = parts_.hasher.Hash(password);
  if (!hash.ok()) return hash.status();
  const absl::Status status = parts_.store.users().Create(admin, *hash);
  // Another controller on a new database was first.
  if (absl::IsAlreadyExists(status)) return std::string();
  if (!status.ok()) return status;
  return password;
}

}  // namespace plimsoll::api
