// A host in memory for the sources about the dockerd process, and the recorded engines to fill it
// with.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/host/host_env.h"
#include "proto/support/clock.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/fake_ports.h"

namespace plimsoll::test {

// An engine that only shows its peer credentials.
class PeerOnlyDockerClient : public host::DockerClient {
 public:
  // pid 0: somebody answers, from another PID namespace.
  absl::StatusOr<host::PeerCredentials> peer = host::PeerCredentials{0, 0};

  absl::StatusOr<std::string> Get(absl::string_view path) override {
    return absl::UnavailableError("no socket");
  }
  void GetEach(const std::vector<std::string>& paths, const Done& done) override {
    for (size_t i = 0; i < paths.size(); ++i) done(i, absl::UnavailableError("no socket"));
  }
  absl::StatusOr<host::PeerCredentials> Peer() override { return peer; }
};

// Content of a file below tests/fixtures; a missing one fails the test.
inline std::string Fixture(absl::string_view path) {
  const std::string full = absl::StrCat(PLIMSOLL_SOURCE_DIR, "/tests/fixtures/", path);
  std::ifstream in(full, std::ios::binary);
  EXPECT_TRUE(in.good()) << full;
  return {std::istreambuf_iterator<char>(in), {}};
}

// The file `name` of the recorded engine `engine`, such as "stock".
inline std::string EngineFixture(absl::string_view engine, absl::string_view name) {
  return Fixture(absl::StrCat("docker-20.10/daemon/", engine, "/", name));
}

// Ports of a machine where nothing runs until a test says so. A process sees the host's own files
// unless `process_files` has been given.
struct DaemonHost {
  FakeFileSystem files;
  std::unique_ptr<FakeFileSystem> process_files;
  PeerOnlyDockerClient docker;
  FakeAuditNetlink audit;
  FakeNameService names;
  FakeSystemdBus systemd;
  support::FakeClock clock{absl::FromUnixSeconds(1700000000)};
  host::HostEnv env{
      docker,
      files,
      [this](int64_t) -> std::unique_ptr<host::FileSystem> {
        return std::make_unique<FakeFileSystem>(process_files ? *process_files : files);
      },
      audit,
      names,
      systemd,
      clock};

  DaemonHost() {
    files.AddFile("/proc/stat", "cpu 1 2 3\nbtime 1600000000\nprocesses 5\n");
    files.AddSymlink("/proc/self/ns/user", "user:[4026531837]");
  }

  // A process as /proc shows it.
  void AddProcess(int64_t pid, absl::string_view executable, int64_t parent = 1,
                  absl::string_view cmdline = "") {
    const std::string at = absl::StrCat("/proc/", pid);
    const size_t slash = executable.rfind('/');
    const std::string name(executable.substr(slash == executable.npos ? 0 : slash + 1));
    files.AddFile(at + "/stat",
                  absl::StrCat(pid, " (", name, ") S ", parent,
                               " 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 4250 1 2"));
    files.AddFile(at + "/status", "Name:\tx\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
    files.AddFile(at + "/cmdline", cmdline);
    files.AddFile(at + "/environ", "");
    files.AddSymlink(at + "/exe", executable);
    files.AddSymlink(at + "/cwd", "/");
    files.AddSymlink(at + "/ns/user", "user:[4026531837]");
  }

  // dockerd as process `pid`, also the peer of the socket.
  void AddDaemon(int64_t pid, absl::string_view cmdline) {
    AddProcess(pid, "/usr/sbin/dockerd", 1, cmdline);
    docker.peer = host::PeerCredentials{pid, 0};
  }
};

}  // namespace plimsoll::test
