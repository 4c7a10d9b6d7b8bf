#include "controller/evaluate/checks/paths.h"

#include <gtest/gtest.h>

#include "google/protobuf/text_format.h"

namespace plimsoll::evaluate {
namespace {

TEST(Paths, WithinByWholeComponents) {
  EXPECT_TRUE(IsWithin("/etc", "/etc"));
  EXPECT_TRUE(IsWithin("/etc/default", "/etc"));
  EXPECT_FALSE(IsWithin("/etcetera", "/etc"));
  EXPECT_FALSE(IsWithin("/", "/etc"));
  EXPECT_TRUE(IsWithin("/etc", "/"));
  EXPECT_TRUE(IsBelow("/etc", "/"));
  EXPECT_FALSE(IsBelow("/etc", "/etc"));
  EXPECT_FALSE(IsBelow("/srv/device", "/dev"));
}

TEST(Paths, CleansAsText) {
  EXPECT_EQ(CleanPath("/srv/../etc/"), "/etc");
  EXPECT_EQ(CleanPath("/"), "/");
  EXPECT_EQ(CleanPath("//"), "/");
  EXPECT_EQ(CleanPath("//etc"), "/etc");
  EXPECT_EQ(CleanPath("/a//b/./c"), "/a/b/c");
  EXPECT_EQ(CleanPath("/.."), "/");
  EXPECT_EQ(CleanPath(""), "");
}

struct OriginCase {
  const char* mount;
  MountOrigin::State state;
  const char* path;
};

TEST(Paths, FindsTheOriginOfMounts) {
  using State = MountOrigin::State;
  const OriginCase cases[] = {
      {"type: 'bind' source: '/var/run' real_source: '/run' resolution: RESOLVED", State::kResolved,
       "/run"},
      {"type: 'volume' driver: 'local' source: '/var/lib/docker/volumes/v/_data' "
       "real_source: '/etc' resolution: VOLUME_BIND",
       State::kResolved, "/etc"},
      {"type: 'bind' source: '/srv/../gone' resolution: UNRESOLVED", State::kUnresolved, "/gone"},
      {"type: 'bind' source: '/var/run/x' resolution: UNRESOLVED", State::kUnresolved, "/run/x"},
      {"type: 'bind' source: '/var/runner' resolution: UNRESOLVED", State::kUnresolved,
       "/var/runner"},
      {"type: 'tmpfs' resolution: NO_HOST_PATH", State::kNone, ""},
      {"type: 'tmpfs'", State::kNone, ""},
      {"type: 'volume' driver: 'local' source: '/v' resolution: OPTIONS_UNREADABLE",
       State::kUnknown, ""},
      {"type: 'volume' driver: 'local' source: '/v'", State::kUnknown, ""},
      {"type: 'volume' driver: 'nfs' source: '/mnt/x'", State::kUnresolved, "/mnt/x"},
      {"type: 'bind'", State::kUnknown, ""},
  };
  for (const OriginCase& c : cases) {
    v1::Container::Mount mount;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(c.mount, &mount)) << c.mount;
    MountOrigin origin;
    FindOrigin(mount, origin);
    EXPECT_EQ(origin.state, c.state) << c.mount;
    EXPECT_EQ(std::string(origin.path), c.path) << c.mount;
  }
}

TEST(Paths, NonRecursiveBindsShowOneFileSystem) {
  v1::HostFacts facts;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(files {
             files { path: "/" device: "8:1" }
             files { path: "/etc" device: "8:1" }
             files { path: "/dev" device: "0:5" }
           })pb",
      &facts));
  const FactIndex index(facts);
  v1::Container::Mount mount;
  EXPECT_EQ(MountExposes(index, mount, "/", "/dev"), Exposes::kYes);
  EXPECT_EQ(MountExposes(index, mount, "/srv", "/dev"), Exposes::kNo);
  mount.set_non_recursive(true);
  EXPECT_EQ(MountExposes(index, mount, "/", "/etc"), Exposes::kYes);
  EXPECT_EQ(MountExposes(index, mount, "/", "/dev"), Exposes::kNo);
  EXPECT_EQ(MountExposes(index, mount, "/", "/boot"), Exposes::kUnknown);
  EXPECT_EQ(MountExposes(index, mount, "/dev", "/dev"), Exposes::kYes);
}

}  // namespace
}  // namespace plimsoll::evaluate
