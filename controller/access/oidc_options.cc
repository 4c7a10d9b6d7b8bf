#include "controller/access/oidc_options.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "controller/access/permissions.h"
#include "controller/access/web_fetch.h"

namespace plimsoll::access {

absl::StatusOr<GroupRole> ParseGroupRole(absl::string_view text) {
  for (size_t at = text.find('='); at != absl::string_view::npos; at = text.find('=', at + 1)) {
    for (const store::Role role : kRoles) {
      absl::string_view rest = text.substr(at + 1);
      if (!absl::ConsumePrefix(&rest, RoleName(role))) continue;
      if (at == 0 || (!rest.empty() && (rest[0] != ':' || rest.size() == 1))) continue;
      return GroupRole{std::string(text.substr(0, at)), role,
                       std::string(rest.empty() ? rest : rest.substr(1))};
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text,
                   "\": expected GROUP=ROLE or GROUP=ROLE:SELECTOR, where ROLE is viewer, auditor, "
                   "operator or admin"));
}

absl::Status CheckOidcOptions(const OidcOptions& options) {
  for (const auto& [name, url] :
       {std::pair{"--oidc-issuer", options.issuer}, {"--oidc-public-url", options.public_url}}) {
    if (auto status = CheckWebUrl(url); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name, " ", status.message()));
    }
  }
  const size_t host = options.public_url.find("://") + 3;
  if (!absl::StartsWith(options.public_url, "https://") ||
      options.public_url.find_first_of("/?", host) != std::string::npos) {
    return absl::InvalidArgumentError(
        "--oidc-public-url: expected https://HOST or https://HOST:PORT, without a path");
  }
  if (options.client_id.empty()) {
    return absl::InvalidArgumentError("--oidc-issuer needs --oidc-client-id");
  }
  if (options.roles.empty()) {
    return absl::InvalidArgumentError(
        "--oidc-issuer needs --oidc-role GROUP=ROLE; without one nobody could sign in");
  }
  return absl::OkStatus();
}

const GroupRole* RoleOf(const OidcOptions& options, const std::vector<std::string>& groups) {
  for (const GroupRole& role : options.roles) {
    if (std::find(groups.begin(), groups.end(), role.group) != groups.end()) return &role;
  }
  return nullptr;
}

}  // namespace plimsoll::access
