// Roles as rows and protos have them.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "controller/store/token_store.h"
#include "plimsoll/v1/user_service.pb.h"

namespace plimsoll::store {

// One role in its three spellings.
struct RoleRow {
  Role role;
  v1::Role proto;
  const char* name;
};
inline constexpr RoleRow kRoleRows[] = {{Role::kViewer, v1::ROLE_VIEWER, "viewer"},
                                        {Role::kAuditor, v1::ROLE_AUDITOR, "auditor"},
                                        {Role::kOperator, v1::ROLE_OPERATOR, "operator"},
                                        {Role::kAdmin, v1::ROLE_ADMIN, "admin"}};

// Null: not a role this program knows.
inline const RoleRow* FindRole(absl::string_view name) {
  for (const RoleRow& row : kRoleRows) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

// Name in the table; empty for a value that is no role.
inline std::string NameOf(Role role) {
  for (const RoleRow& row : kRoleRows) {
    if (row.role == role) return row.name;
  }
  return "";
}
inline std::string NameOf(v1::Role role) {
  for (const RoleRow& row : kRoleRows) {
    if (row.proto == role) return row.name;
  }
  return "";
}

}  // namespace plimsoll::store
