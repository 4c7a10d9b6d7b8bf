#include "controller/access/permissions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plimsoll::access {
namespace {

using store::Role;

constexpr Permission kAll[] = {Permission::kSelf,          Permission::kRead,
                               Permission::kExport,        Permission::kReadActivity,
                               Permission::kScan,          Permission::kLabel,
                               Permission::kProposeWaiver, Permission::kApproveWaiver,
                               Permission::kPolicy,        Permission::kAdminister};

std::string AllowedTo(Role role) {
  std::string allowed;
  for (const Permission permission : kAll) {
    if (Allows(role, permission)) allowed += std::string(PermissionName(permission)) + " ";
  }
  return allowed;
}

TEST(PermissionsTest, RolesAreTheSetsTheyAreDocumentedAs) {
  EXPECT_EQ(AllowedTo(Role::kViewer), "self read ");
  EXPECT_EQ(AllowedTo(Role::kOperator), "self read scan label propose-waiver ");
  EXPECT_EQ(AllowedTo(Role::kAuditor), "self read export read-activity ");
  EXPECT_EQ(AllowedTo(Role::kAdmin),
            "self read export read-activity scan label propose-waiver approve-waiver policy "
            "administer ");
}

TEST(PermissionsTest, RolesContainOthersOrDoNot) {
  // Rows: role; columns: whether it is within viewer, auditor, operator, admin.
  const bool within[4][4] = {{true, true, true, true},
                             {false, true, false, true},
                             {false, false, true, true},
                             {false, false, false, true}};
  for (int role = 0; role < 4; ++role) {
    for (int of = 0; of < 4; ++of) {
      EXPECT_EQ(Within(kRoles[role], kRoles[of]), within[role][of]) << role << of;
    }
  }
}

TEST(PermissionsTest, NamesTheRolesThatMay) {
  using testing::ElementsAre;
  EXPECT_THAT(RolesThatMay(Permission::kRead),
              ElementsAre("viewer", "auditor", "operator", "admin"));
  EXPECT_THAT(RolesThatMay(Permission::kExport), ElementsAre("auditor", "admin"));
  EXPECT_THAT(RolesThatMay(Permission::kAdminister), ElementsAre("admin"));
}

TEST(PermissionsTest, ARefusalSaysWhoMay) {
  store::Principal caller;
  caller.name = "ci";
  caller.role = Role::kViewer;
  const absl::Status status = RequirePermission(caller, Permission::kScan);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("\"ci\" is viewer; this needs operator or admin"));
  EXPECT_TRUE(RequirePermission(caller, Permission::kRead).ok());
}

}  // namespace
}  // namespace plimsoll::access
