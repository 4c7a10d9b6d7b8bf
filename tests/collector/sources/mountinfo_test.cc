#include "collector/sources/mountinfo.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

v1::MountEntry One(const std::string& line) {
  const absl::StatusOr<std::vector<v1::MountEntry>> entries = ParseMountInfo(line + "\n");
  EXPECT_TRUE(entries.ok()) << entries.status();
  return entries.ok() && entries->size() == 1 ? entries->front() : v1::MountEntry();
}

TEST(ParseMountInfo, Fields) {
  const v1::MountEntry entry =
      One("36 35 98:0 /a\\040b /mnt\\011c\\134 rw,noatime shared:5 master:1 propagate_from:2 - "
          "ext3 /dev/x rw");
  EXPECT_EQ(entry.id(), 36);
  EXPECT_EQ(entry.parent_id(), 35);
  EXPECT_EQ(entry.device(), "98:0");
  EXPECT_EQ(entry.root(), "/a b");
  EXPECT_EQ(entry.mount_point(), "/mnt\tc\\");
  EXPECT_EQ(entry.fs_type(), "ext3");
  EXPECT_EQ(entry.source(), "/dev/x");
  EXPECT_EQ(entry.shared_id(), 5);
  EXPECT_FALSE(One("36 35 98:0 / / rw - ext3 /dev/x rw").has_shared_id());
  EXPECT_FALSE(One("36 35 98:0 / / rw master:3 - ext3 /dev/x rw").has_shared_id());
  EXPECT_EQ(One("36 35 98:0 / /a\\9 rw - ext3 x rw").mount_point(), "/a\\9");
}

TEST(ParseMountInfo, SourcesLoseUserInfoAndOptionsAreNotTaken) {
  const struct {
    const char* type;
    const char* source;
    const char* kept;
  } kCases[] = {
      {"cifs", "//user:MARKER@server/share", "//server/share"},
      {"fuse.sshfs", "user:MARKER@server:/path@x", "server:/path@x"},
      {"davfs", "https://u:MARKER@h/x", "https://h/x"},
      {"btrfs", "/dev/mapper/a@b", "/dev/mapper/a@b"},
      {"zfs", "pool/data@snap", "pool/data@snap"},
      {"nfs4", "server:/export", "server:/export"},
      {"tmpfs", "none", "none"},
  };
  for (const auto& c : kCases) {
    const v1::MountEntry entry =
        One(absl::StrCat("1 0 0:5 / /m rw - ", c.type, " ", c.source, " rw,password=MARKER"));
    EXPECT_EQ(entry.source(), c.kept);
    EXPECT_EQ(entry.SerializeAsString().find("MARKER"), std::string::npos) << c.source;
  }
}

TEST(ParseMountInfo, RefusesWhatIsCutOff) {
  for (const char* text : {"36 35 98:0 / / rw", "36 35 98:0 / / rw - ext3",
                           "x 35 98:0 / / rw - a b c", "36 35 98:0 / / rw shared:1", "MARKER"}) {
    const absl::Status status = ParseMountInfo(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << text;
    EXPECT_EQ(std::string(status.message()).find("MARKER"), std::string::npos);
  }
  EXPECT_TRUE(ParseMountInfo("")->empty());
}

TEST(ParseMountInfo, RecordedEngines) {
  for (const char* engine : {"stock", "busy", "partition-ext4", "swarm-default", "userns-remap"}) {
    const absl::StatusOr<std::vector<v1::MountEntry>> entries =
        ParseMountInfo(test::EngineFixture(engine, "mountinfo.txt"));
    ASSERT_TRUE(entries.ok()) << engine << entries.status();
    EXPECT_GT(entries->size(), 15u);
    EXPECT_EQ(entries->front().mount_point(), "/");
  }
}

TEST(IsAtOrBelow, ByWholeComponents) {
  EXPECT_TRUE(IsAtOrBelow("/var/lib/docker", "/"));
  EXPECT_TRUE(IsAtOrBelow("/var/lib/docker", "/var/lib/docker"));
  EXPECT_TRUE(IsAtOrBelow("/var/lib/docker", "/var"));
  EXPECT_FALSE(IsAtOrBelow("/var/lib/docker", "/var/lib/dock"));
  EXPECT_FALSE(IsAtOrBelow("/var/lib", "/var/lib/docker"));
  EXPECT_FALSE(IsAtOrBelow("", "/"));
}

}  // namespace
}  // namespace plimsoll::sources
