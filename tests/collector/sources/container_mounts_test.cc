#include "collector/sources/container_mounts.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeFileSystem;
using test::Has;

v1::Container::Mount Parse(const std::string& text) {
  v1::Container::Mount mount;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &mount)) << text;
  return mount;
}

v1::VolumesFacts Volumes() {
  v1::VolumesFacts facts;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(
        outcome { state: OK }
        volumes { name: "plain" driver: "local" mountpoint: "/v/plain/_data" }
        volumes {
          name: "etc"
          driver: "local"
          bind_device: "/etc-link"
          local_options: "rbind"
          local_options: "ro"
          local_options: "rshared"
        }
        volumes { name: "gone" driver: "local" bind_device: "/gone/../lost" local_options: "bind" }
        volumes { name: "odd" driver: "local" local_options: "bind" })pb",
      &facts));
  return facts;
}

FakeFileSystem Files() {
  FakeFileSystem files;
  files.AddDirectory("/etc").AddSymlink("/etc-link", "/etc").AddDirectory("/run");
  files.AddSymlink("/var/run", "/run").AddSocket("/run/docker.sock");
  files.AddSpecial("/dev/sda", host::FileType::kBlockDevice);
  files.AddSpecial("/dev/null", host::FileType::kCharacterDevice);
  files.AddSpecial("/run/pipe", host::FileType::kFifo).AddFile("/etc/shadow");
  files.AddDirectory("/v/plain/_data").AddDirectory("/v/etc/_data").AddDirectory("/v/odd/_data");
  files.AddDirectory("/v/nfs").SetError("/secret", absl::PermissionDeniedError("EACCES"));
  return files;
}

TEST(MountResolver, FindsWhatStandsBehindAMount) {
  const struct {
    const char *mount, *expected;
  } kCases[] = {
      {"type: 'bind' source: '/etc'",
       "real_source: '/etc' resolution: RESOLVED source_type: DIRECTORY"},
      {"type: 'bind' source: '/'", "real_source: '/' resolution: RESOLVED source_type: DIRECTORY"},
      {"type: 'bind' source: '/etc-link'", "real_source: '/etc' resolution: RESOLVED"},
      {"type: 'bind' source: '/var/run'", "real_source: '/run' resolution: RESOLVED"},
      {"type: 'bind' source: '/var/run/docker.sock'",
       "real_source: '/run/docker.sock' resolution: RESOLVED source_type: SOCKET"},
      {"type: 'bind' source: '/etc/shadow'", "source_type: REGULAR"},
      {"type: 'bind' source: '/dev/sda'", "source_type: BLOCK_DEVICE"},
      {"type: 'bind' source: '/dev/null'", "source_type: CHARACTER_DEVICE"},
      {"type: 'bind' source: '/run/pipe'", "source_type: FIFO"},
      {"type: 'bind' source: '/deleted/./x/..'", "real_source: '/deleted' resolution: UNRESOLVED"},
      {"type: 'bind' source: '/secret/../etc/'", "real_source: '/etc' resolution: UNRESOLVED"},
      {"type: 'bind'", "resolution: UNRESOLVED"},
      {"type: 'volume' driver: 'local' name: 'plain' source: '/v/plain/_data'",
       "real_source: '/v/plain/_data' resolution: RESOLVED source_type: DIRECTORY"},
      {"type: 'volume' driver: 'local' name: 'etc' source: '/v/etc/_data'",
       "real_source: '/etc' resolution: VOLUME_BIND volume_propagation: 'rshared'"},
      {"type: 'volume' driver: 'local' name: 'gone' source: '/v/gone/_data'",
       "real_source: '/lost' resolution: UNRESOLVED"},
      {"type: 'volume' driver: 'local' name: 'odd' source: '/v/odd/_data'",
       "real_source: '/v/odd/_data' resolution: OPTIONS_UNREADABLE"},
      {"type: 'volume' driver: 'local' name: 'unknown' source: '/v/plain/_data'",
       "resolution: OPTIONS_UNREADABLE"},
      {"type: 'volume' driver: 'rexray' name: 'x' source: '/v/nfs'",
       "real_source: '/v/nfs' resolution: RESOLVED"},
      {"type: 'tmpfs'", "resolution: NO_HOST_PATH"},
      {"type: 'image' source: '/x'", "resolution: NO_HOST_PATH real_source: ''"},
      {"type: 'cluster'", "resolution: NO_HOST_PATH"},
      {"type: 'npipe'", "resolution: NO_HOST_PATH"},
      {"type: 'new-kind' source: '/etc/'", "real_source: '/etc' resolution: UNRESOLVED"},
  };
  const FakeFileSystem files = Files();
  const v1::VolumesFacts volumes = Volumes();
  MountResolver resolver(files, volumes);
  for (const auto& c : kCases) {
    v1::Container::Mount mount = Parse(c.mount);
    resolver.Resolve(&mount);
    EXPECT_TRUE(Has(mount, c.expected)) << c.mount;
  }
}

TEST(MountResolver, ResolvesEachPathOnce) {
  FakeFileSystem files = Files();
  const v1::VolumesFacts volumes = Volumes();
  MountResolver resolver(files, volumes);
  v1::Container::Mount first = Parse("type: 'bind' source: '/etc-link'");
  resolver.Resolve(&first);
  files.Remove("/etc-link");
  v1::Container::Mount second = Parse("type: 'bind' source: '/etc-link'");
  resolver.Resolve(&second);
  EXPECT_EQ(second.real_source(), "/etc");
}

TEST(MountResolver, WithoutTheVolumesListingNoLocalVolumeIsTrusted) {
  const FakeFileSystem files = Files();
  v1::VolumesFacts volumes;
  volumes.mutable_outcome()->set_state(v1::SourceOutcome::TIMED_OUT);
  MountResolver resolver(files, volumes);
  v1::Container::Mount mount =
      Parse("type: 'volume' driver: 'local' name: 'plain' source: '/v/plain/_data'");
  resolver.Resolve(&mount);
  EXPECT_EQ(mount.resolution(), v1::Container::Mount::OPTIONS_UNREADABLE);
}

}  // namespace
}  // namespace plimsoll::sources
