// How people sign in at an identity provider, as the operator says.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/store/token_store.h"

namespace plimsoll::access {

// What members of a group may do.
struct GroupRole {
  std::string group;
  store::Role role = store::Role::kViewer;
  // Label selector of the part of the fleet; empty: all of it.
  std::string scope;
};

struct OidcOptions {
  // URL of the provider, as its tokens name it. Empty: no provider, people sign in by password.
  std::string issuer;
  std::string client_id;
  // Empty: a public client, known by PKCE alone.
  std::string client_secret;
  // Where browsers reach this controller: "https://plimsoll.example:7445". The provider must know
  // it with /v1/oidc/callback behind it.
  std::string public_url;
  // Asked for beside "openid".
  std::vector<std::string> scopes = {"profile", "email"};
  // Claim with the names of a person's groups: a list, or one text.
  std::string groups_claim = "groups";
  // The first whose group a person is in decides. Nobody gets in without one.
  std::vector<GroupRole> roles;
  // Whom to trust for the provider's certificate, PEM; empty: the authorities of this machine.
  std::string ca_pem;
};

// "GROUP=ROLE" or "GROUP=ROLE:SELECTOR"; the group may hold "=" and ":". INVALID_ARGUMENT. Does not
// look at the selector. Pure.
absl::StatusOr<GroupRole> ParseGroupRole(absl::string_view text);

// INVALID_ARGUMENT unless a controller can work with `options`, which have an issuer. Pure.
absl::Status CheckOidcOptions(const OidcOptions& options);

// Null: none of `groups` has a role.
const GroupRole* RoleOf(const OidcOptions& options, const std::vector<std::string>& groups);

}  // namespace plimsoll::access
