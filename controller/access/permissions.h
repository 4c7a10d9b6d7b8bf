// Who may do what: roles are sets of permissions, and every method of the API asks for one.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "controller/store/token_store.h"

namespace plimsoll::access {

// What a method of the API asks of its caller.
enum class Permission {
  // Any caller who is known: about oneself.
  kSelf,
  // See hosts, verdicts, scans, rules, waivers.
  kRead,
  // Take signed exports away.
  kExport,
  // Read the activity log.
  kReadActivity,
  // Start, cancel and schedule scans.
  kScan,
  // Give labels to hosts, save selectors.
  kLabel,
  // Propose, renew and withdraw waivers.
  kProposeWaiver,
  // Approve and revoke waivers.
  kApproveWaiver,
  // Baselines, tailoring, notifications.
  kPolicy,
  // Users, tokens, enrolment, removal of hosts.
  kAdminister,
};

inline constexpr store::Role kRoles[] = {store::Role::kViewer, store::Role::kAuditor,
                                         store::Role::kOperator, store::Role::kAdmin};

// "viewer", "auditor", "operator", "admin".
absl::string_view RoleName(store::Role role);

// viewer: see. operator: see, scan, label, propose waivers. auditor: see, export, read the activity
// log. admin: everything.
bool Allows(store::Role role, Permission permission);

// Names of the roles that allow it, weakest first.
std::vector<absl::string_view> RolesThatMay(Permission permission);

// FAILED_PRECONDITION: a user who must change a one-time password first.
absl::Status RequireOwnPassword(const store::Principal& principal);

// PERMISSION_DENIED unless the caller's role allows it; says which roles do. FAILED_PRECONDITION: a
// user who must change a one-time password first, for all but kSelf.
absl::Status RequirePermission(const store::Principal& principal, Permission permission);

// Whether every permission of `role` is one of `of` too.
bool Within(store::Role role, store::Role of);

// The permissions of a role, in the order of the enumeration.
std::vector<Permission> PermissionsOf(store::Role role);

// For people and documents: "scan", "propose-waiver".
absl::string_view PermissionName(Permission permission);

}  // namespace plimsoll::access
