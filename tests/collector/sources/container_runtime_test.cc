#include "collector/sources/container_runtime.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeFileSystem;
using test::Has;

const std::string kId(64, 'a');
const std::string kOther(64, 'b');

const char kStatus[] =
    "Name:\tsleep\nUid:\t100000\t100033\t0\t0\nGid:\t0\t0\t0\t0\n"
    "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n"
    "CapBnd:\t000001ffffffffff\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

FakeFileSystem Host(const std::string& cgroup) {
  FakeFileSystem files;
  files.AddFile("/proc/42/cgroup", cgroup);
  files.AddFile("/proc/42/status", kStatus);
  files.AddFile("/proc/42/uid_map", "         0     100000      65536\n");
  uint64_t inode = 4026531990;
  for (const char* name : {"net", "pid", "ipc", "uts", "user", "mnt"}) {
    files.AddSymlink(absl::StrCat("/proc/42/ns/", name), absl::StrCat(name, ":[", ++inode, "]"));
  }
  return files;
}

v1::Container::Runtime Read(const FakeFileSystem& files, bool with_lsm = true) {
  const support::FakeClock clock(absl::FromUnixSeconds(1));
  v1::Container::Runtime runtime;
  ReadRuntime(files, clock, 42, kId, with_lsm, &runtime);
  return runtime;
}

TEST(ReadRuntime, ReadsTheProcess) {
  FakeFileSystem files = Host("0::/docker/" + kId + "\n");
  files.AddFile("/proc/42/attr/apparmor/current", "docker-default (enforce)\n");
  files.AddFile("/sys/fs/cgroup/docker/" + kId + "/pids.max", "100\n");
  files.AddFile("/sys/fs/cgroup/docker/" + kId + "/memory.max", "67108864\n");
  EXPECT_TRUE(Has(Read(files), R"pb(
    outcome { state: OK }
    uid: 100033
    mapped_uid: 33
    uid_map { inside: 0 outside: 100000 length: 65536 }
    cap_bounding: 0x1ffffffffff
    cap_effective: 0xa80425fb
    no_new_privs: true
    seccomp: 2
    lsm_label: "docker-default (enforce)"
    cgroup_parent: "/docker"
    pids_max: 100
    memory_max_bytes: 67108864
    namespaces {
      net: 4026531991
      pid: 4026531992
      ipc: 4026531993
      uts: 4026531994
      user: 4026531995
      mnt: 4026531996
    })pb"));
  EXPECT_FALSE(Read(files, false).has_lsm_label());
}

TEST(ReadRuntime, KnowsBothCgroupVersions) {
  const std::string v1 = "12:pids:/docker/" + kId + "\n4:memory:/docker/" + kId +
                         "\n1:name=systemd:/docker/" + kId + "\n0::/\n";
  FakeFileSystem files = Host(v1);
  files.AddFile("/sys/fs/cgroup/pids/docker/" + kId + "/pids.max", "max\n");
  files.AddFile("/sys/fs/cgroup/memory/docker/" + kId + "/memory.limit_in_bytes",
                "9223372036854771712\n");
  v1::Container::Runtime runtime = Read(files);
  EXPECT_TRUE(Has(runtime, "outcome { state: OK } cgroup_parent: '/docker'"));
  EXPECT_FALSE(runtime.has_pids_max());
  EXPECT_FALSE(runtime.has_memory_max_bytes());
  files.AddFile("/sys/fs/cgroup/pids/docker/" + kId + "/pids.max", "7");
  files.AddFile("/sys/fs/cgroup/memory/docker/" + kId + "/memory.limit_in_bytes", "4096");
  EXPECT_TRUE(Has(Read(files), "pids_max: 7 memory_max_bytes: 4096"));
}

TEST(ReadRuntime, AnotherProcessWithTheSameNumberIsNotRead) {
  for (const std::string& cgroup :
       {"0::/docker/" + kOther + "\n", std::string("0::/\n"), std::string()}) {
    const v1::Container::Runtime runtime = Read(Host(cgroup));
    EXPECT_EQ(runtime.outcome().state(), v1::SourceOutcome::NOT_PRESENT) << cgroup;
    EXPECT_FALSE(runtime.has_uid());
    EXPECT_FALSE(runtime.has_no_new_privs());
    EXPECT_FALSE(runtime.has_namespaces());
  }
}

TEST(ReadRuntime, ErrorsAreOutcomes) {
  FakeFileSystem gone;
  EXPECT_EQ(Read(gone).outcome().state(), v1::SourceOutcome::NOT_PRESENT);
  FakeFileSystem leaving = Host("0::/docker/" + kId);
  leaving.SetReadError("/proc/42/status", absl::UnavailableError("ESRCH"));
  EXPECT_EQ(Read(leaving).outcome().state(), v1::SourceOutcome::NOT_PRESENT);
  FakeFileSystem denied = Host("0::/docker/" + kId);
  denied.SetReadError("/proc/42/cgroup", absl::PermissionDeniedError("hidepid"));
  EXPECT_EQ(Read(denied).outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
  // Without the right to trace, the links cannot be read, but the rest can.
  FakeFileSystem links = Host("0::/docker/" + kId);
  links.SetReadError("/proc/42/ns/net", absl::PermissionDeniedError("ptrace"));
  const v1::Container::Runtime runtime = Read(links);
  EXPECT_TRUE(Has(runtime, "outcome { state: PERMISSION_DENIED } uid: 100033 no_new_privs: true"));
  EXPECT_FALSE(runtime.namespaces().has_net());
  FakeFileSystem odd = Host("0::/docker/" + kId);
  odd.AddSymlink("/proc/42/ns/uts", "elsewhere");
  EXPECT_EQ(Read(odd).outcome().state(), v1::SourceOutcome::MALFORMED);
}

TEST(ReadRuntime, AUidOutsideTheMapHasNoMappedUid) {
  FakeFileSystem files = Host("0::/docker/" + kId);
  files.AddFile("/proc/42/uid_map", "0 200000 65536\n");
  EXPECT_FALSE(Read(files).has_mapped_uid());
  files.AddFile("/proc/42/uid_map", "0 0 4294967295\n");
  EXPECT_EQ(Read(files).mapped_uid(), 100033u);
}

TEST(FindCgroup, FindsTheContainersOwnPlace) {
  const struct {
    std::string text;
    bool found;
    std::string parent, memory, pids;
    bool unified;
  } kCases[] = {
      {"0::/system.slice/docker-" + kId + ".scope", true, "/system.slice",
       "/system.slice/docker-" + kId + ".scope", "/system.slice/docker-" + kId + ".scope", true},
      {"0::/docker/" + kId + "/init.scope/x", true, "/docker", "/docker/" + kId, "/docker/" + kId,
       true},
      {"0::/" + kId, true, "/", "/" + kId, "/" + kId, true},
      {"0::/../../docker/" + kId, true, "/../../docker", "/../../docker/" + kId,
       "/../../docker/" + kId, true},
      {"3:cpu,memory:/a/" + kId + "\n2:pids:/b/" + kId, true, "/a", "/a/" + kId, "/b/" + kId,
       false},
      {"1:name=systemd:/kubepods/pod1/" + kId + "\n0::/x", true, "/kubepods/pod1", "", "", false},
      {"0::/docker/" + kOther, false, "", "", "", false},
      {"garbage", false, "", "", "", false},
  };
  for (const auto& c : kCases) {
    CgroupPlace place;
    EXPECT_EQ(FindCgroup(c.text, kId, &place), c.found) << c.text;
    EXPECT_EQ(place.parent, c.parent) << c.text;
    EXPECT_EQ(place.memory_path, c.memory) << c.text;
    EXPECT_EQ(place.pids_path, c.pids) << c.text;
    EXPECT_EQ(place.unified, c.unified) << c.text;
  }
}

}  // namespace
}  // namespace plimsoll::sources
