#include "controller/access/permissions.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace plimsoll::access {

using store::Role;

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kAuditor:
      return "auditor";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
  }
  return "unknown";
}

bool Allows(Role role, Permission permission) {
  if (role == Role::kAdmin || permission == Permission::kSelf || permission == Permission::kRead) {
    return true;
  }
  switch (role) {
    case Role::kAuditor:
      return permission == Permission::kExport || permission == Permission::kReadActivity;
    case Role::kOperator:
      return permission == Permission::kScan || permission == Permission::kLabel ||
             permission == Permission::kProposeWaiver;
    default:
      return false;
  }
}

std::vector<absl::string_view> RolesThatMay(Permission permission) {
  std::vector<absl::string_view> names;
  for (const Role role : kRoles) {
    if (Allows(role, permission)) names.push_back(RoleName(role));
  }
  return names;
}

absl::Status RequireOwnPassword(const store::Principal& principal) {
  if (!principal.must_change_password) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the one-time password must be changed first; run `plimsoll password`");
}

absl::Status RequirePermission(const store::Principal& principal, Permission permission) {
  // A one-time password opens nothing but what is needed to change it.
  if (permission != Permission::kSelf) {
    if (auto status = RequireOwnPassword(principal); !status.ok()) return status;
  }
  if (Allows(principal.role, permission)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("\"", principal.name, "\" is ",
                                                  RoleName(principal.role), "; this needs ",
                                                  absl::StrJoin(RolesThatMay(permission), " or ")));
}

bool Within(Role role, Role of) {
  for (const Permission permission : PermissionsOf(role)) {
    if (!Allows(of, permission)) return false;
  }
  return true;
}

std::vector<Permission> PermissionsOf(Role role) {
  std::vector<Permission> permissions;
  for (int i = 0; i <= static_cast<int>(Permission::kAdminister); ++i) {
    const auto permission = static_cast<Permission>(i);
    if (Allows(role, permission)) permissions.push_back(permission);
  }
  return permissions;
}

absl::string_view PermissionName(Permission permission) {
  switch (permission) {
    case Permission::kSelf:
      return "self";
    case Permission::kRead:
      return "read";
    case Permission::kExport:
      return "export";
    case Permission::kReadActivity:
      return "read-activity";
    case Permission::kScan:
      return "scan";
    case Permission::kLabel:
      return "label";
    case Permission::kProposeWaiver:
      return "propose-waiver";
    case Permission::kApproveWaiver:
      return "approve-waiver";
    case Permission::kPolicy:
      return "policy";
    case Permission::kAdminister:
      return "administer";
  }
  return "unknown";
}

}  // namespace plimsoll::access
