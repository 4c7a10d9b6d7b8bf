#include "collector/host/files_name_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_file_system.h"

namespace plimsoll::host {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;

test::FakeFileSystem Host() {
  test::FakeFileSystem files;
  files.AddFile("/etc/group",
                "root:x:0:\n"
                "# a comment:x:1:\n"
                "docker:x:998:alice,bob, ,bobby\n"
                "+nis:x:77:mallory\n"
                "short:x:5\n"
                "bad:x:minus:eve\n"
                "docker:x:4000:second\n"
                "\n"
                "huge:x:4294967295:\n"
                "wheel:x:10:zo\xc3\xa9");
  files.AddFile("/etc/passwd",
                "root:x:0:0:root:/root:/bin/bash\n"
                "carol:x:1003:998:,,,:/home/carol:/bin/sh\n"
                "-dave:x:1004:998::/home/dave:/bin/sh\n"
                "erin:x:1005:998:has:colon:/home/erin:/bin/sh\n"
                "toor:x:0:0::/other:/bin/sh\n");
  return files;
}

TEST(FilesNameServiceTest, ReadsGroupsAndUsers) {
  const test::FakeFileSystem files = Host();
  FilesNameService names(files);
  const auto docker = names.GroupByName("docker");
  ASSERT_TRUE(docker.ok());
  EXPECT_EQ(docker->gid, 998u);
  EXPECT_THAT(docker->members, ElementsAre("alice", "bob", "bobby"));
  EXPECT_EQ(names.GroupById(4000)->name, "docker");
  EXPECT_EQ(names.GroupById(4294967295u)->name, "huge");
  EXPECT_THAT(names.GroupById(10)->members, ElementsAre("zo\xc3\xa9"));
  EXPECT_EQ(names.UserById(0)->home, "/root");
  EXPECT_THAT(*names.UsersWithPrimaryGroup(998), ElementsAre(Field(&UserEntry::name, "carol")));
  EXPECT_THAT(*names.UsersWithPrimaryGroup(5), IsEmpty());
}

TEST(FilesNameServiceTest, AbsentNamesAreNotFoundAndUnreadableFilesAreNot) {
  test::FakeFileSystem files = Host();
  FilesNameService names(files);
  for (const char* name : {"dock", "dockers", "short", "bad", "+nis", "nis", "", "# a comment"}) {
    EXPECT_TRUE(absl::IsNotFound(names.GroupByName(name).status())) << name;
  }
  EXPECT_TRUE(absl::IsNotFound(names.UserById(1004).status()));
  files.SetReadError("/etc/group", absl::PermissionDeniedError("no"));
  EXPECT_TRUE(absl::IsPermissionDenied(names.GroupByName("docker").status()));
  files.Remove("/etc/passwd");
  EXPECT_TRUE(absl::IsUnavailable(names.UsersWithPrimaryGroup(998).status()));
}

TEST(FilesNameServiceTest, TooManyUsersAreNotCutOffSilently) {
  std::string passwd;
  for (int i = 0; i < 4096; ++i) absl::StrAppend(&passwd, "u", i, ":x:", i, ":7::/:/bin/sh\n");
  test::FakeFileSystem files;
  files.AddFile("/etc/passwd", passwd);
  FilesNameService names(files);
  EXPECT_EQ(names.UsersWithPrimaryGroup(7)->size(), 4096u);
  files.AddFile("/etc/passwd", passwd + "last:x:9999:7::/:/bin/sh\n");
  EXPECT_TRUE(absl::IsResourceExhausted(names.UsersWithPrimaryGroup(7).status()));
}

}  // namespace
}  // namespace plimsoll::host
