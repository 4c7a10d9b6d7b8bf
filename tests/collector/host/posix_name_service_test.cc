#include "collector/host/posix_name_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plimsoll::host {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::IsEmpty;

TEST(PosixNameServiceTest, AsksTheMachine) {
  PosixNameService names;
  const auto root = names.GroupByName("root");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->gid, 0u);
  EXPECT_EQ(names.GroupById(0)->name, "root");
  EXPECT_EQ(names.UserById(0)->name, "root");
  EXPECT_EQ(names.UserById(0)->home, "/root");
  EXPECT_THAT(*names.UsersWithPrimaryGroup(0), Contains(Field(&UserEntry::name, "root")));
  EXPECT_THAT(*names.UsersWithPrimaryGroup(3999999999u), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(names.GroupByName("no-such-group").status()));
  EXPECT_TRUE(absl::IsNotFound(names.GroupByName("").status()));
  EXPECT_TRUE(absl::IsNotFound(names.GroupByName(absl::string_view("root\0x", 6)).status()));
  EXPECT_TRUE(absl::IsNotFound(names.GroupById(3999999999u).status()));
  EXPECT_TRUE(absl::IsNotFound(names.UserById(3999999999u).status()));
}

}  // namespace
}  // namespace plimsoll::host
