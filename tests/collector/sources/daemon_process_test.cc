#include "collector/sources/daemon_process.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using v1::DaemonFacts;

v1::UnitsFacts ServiceWithMainPid(int64_t pid) {
  v1::UnitsFacts units;
  units.add_units()->set_name("docker.socket");
  v1::Unit* unit = units.add_units();
  unit->set_name("docker.service");
  unit->set_main_pid(pid);
  return units;
}

TEST(FindDaemon, ThePeerOfTheSocketComesFirst) {
  test::DaemonHost host;
  host.AddDaemon(500, "");
  // A second engine, newer, which every other method would find.
  host.AddProcess(900, "/usr/bin/dockerd");
  host.files.AddFile("/var/run/docker.pid", "900");
  DaemonFacts facts;
  ASSERT_TRUE(FindDaemon(host.env, ServiceWithMainPid(900), &facts).ok());
  EXPECT_EQ(facts.pid(), 500);
  EXPECT_EQ(facts.pid_method(), DaemonFacts::PEER_CREDENTIALS);
  EXPECT_FALSE(facts.socket_peer_is_proxy());
}

TEST(FindDaemon, SocketActivationAndOtherNamespacesGoOn) {
  for (const int64_t peer : {0, 1}) {
    test::DaemonHost host;
    host.AddProcess(1, "/usr/lib/systemd/systemd", 0);
    host.AddProcess(500, "/usr/sbin/dockerd");
    host.AddProcess(900, "/usr/sbin/dockerd");
    host.docker.peer = host::PeerCredentials{peer, 0};
    host.files.AddFile("/var/run/docker.pid", "900");
    DaemonFacts facts;
    ASSERT_TRUE(FindDaemon(host.env, ServiceWithMainPid(500), &facts).ok());
    EXPECT_EQ(facts.pid(), 500);
    EXPECT_EQ(facts.pid_method(), DaemonFacts::UNIT_MAIN_PID);
    EXPECT_FALSE(facts.socket_peer_is_proxy());
  }
}

// Another engine's process is not evidence about an engine that does not answer.
TEST(FindDaemon, NobodyOnTheSocketMeansNoDaemon) {
  test::DaemonHost host;
  host.AddProcess(500, "/usr/sbin/dockerd");
  host.files.AddFile("/var/run/docker.pid", "500");
  host.docker.peer = absl::UnavailableError("connect to /run/docker.sock: Connection refused");
  DaemonFacts facts;
  const absl::Status status = FindDaemon(host.env, ServiceWithMainPid(500), &facts);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(facts.pid(), 0);

  // Somebody is there and refuses us: the process can still be told.
  host.docker.peer = absl::PermissionDeniedError("connect to /run/docker.sock: EACCES");
  ASSERT_TRUE(FindDaemon(host.env, {}, &facts).ok());
  EXPECT_EQ(facts.pid(), 500);
}

TEST(FindDaemon, AProxyIsNotedAndPassedOver) {
  test::DaemonHost host;
  host.AddProcess(500, "/usr/sbin/dockerd");
  host.AddProcess(77, "/usr/bin/haproxy");
  host.docker.peer = host::PeerCredentials{77, 0};
  DaemonFacts facts;
  ASSERT_TRUE(FindDaemon(host.env, {}, &facts).ok());
  EXPECT_TRUE(facts.socket_peer_is_proxy());
  EXPECT_EQ(facts.pid(), 500);
  EXPECT_EQ(facts.pid_method(), DaemonFacts::ONLY_CANDIDATE);
}

TEST(FindDaemon, ThePidFileCountsOnlyForADockerd) {
  test::DaemonHost host;
  host.AddProcess(500, "/usr/sbin/dockerd");
  host.AddProcess(900, "/usr/sbin/dockerd-ce");
  host.AddProcess(901, "/usr/bin/python3", 1, std::string("dockerd\0--debug", 15));
  host.files.AddFile("/var/run/docker.pid", "900\n");
  DaemonFacts facts;
  ASSERT_TRUE(FindDaemon(host.env, {}, &facts).ok());
  EXPECT_EQ(facts.pid(), 900);
  EXPECT_EQ(facts.pid_method(), DaemonFacts::PID_FILE);

  host.files.AddFile("/var/run/docker.pid", "901\n");
  EXPECT_TRUE(absl::IsAborted(FindDaemon(host.env, {}, &facts)));

  host.files.AddFile("/etc/docker/daemon.json", R"({"pidfile": "/srv/d.pid"})");
  host.files.AddFile("/srv/d.pid", "500");
  DaemonFacts configured;
  ASSERT_TRUE(FindDaemon(host.env, {}, &configured).ok());
  EXPECT_EQ(configured.pid(), 500);
}

TEST(FindDaemon, SeveralCandidatesAreAmbiguousAndNamed) {
  test::DaemonHost host;
  host.AddProcess(900, "/usr/sbin/dockerd");
  host.AddProcess(500, "/opt/docker/dockerd-current");
  DaemonFacts facts;
  EXPECT_TRUE(absl::IsAborted(FindDaemon(host.env, {}, &facts)));
  EXPECT_EQ(facts.pid(), 0);
  ASSERT_EQ(facts.candidate_pids_size(), 2);
  EXPECT_EQ(facts.candidate_pids(0), 500);
}

// The text of a command line names the wrong process: a test harness, an editor (dbs#124).
TEST(FindDaemon, NeverByTheTextOfACommandLine) {
  test::DaemonHost host;
  host.AddProcess(900, "/usr/bin/vim", 1, std::string("vim\0/usr/sbin/dockerd\0", 22));
  DaemonFacts facts;
  EXPECT_TRUE(absl::IsUnavailable(FindDaemon(host.env, {}, &facts)));
  EXPECT_EQ(host.files.read_paths().count("/proc/900/cmdline"), 0u);
}

TEST(DescribeDaemon, FromProc) {
  test::DaemonHost host;
  host.AddDaemon(500, "");
  host.AddProcess(510, "/usr/bin/containerd", 500);
  host.AddProcess(99, "/opt/other/containerd", 1);
  host.names.users.push_back({"root", 0, 0, "/srv/root"});
  host.files.AddSymlink("/proc/500/cwd", "/srv");
  DaemonFacts facts;
  facts.set_pid(500);
  ASSERT_TRUE(DescribeDaemon(host.env, &facts).ok());
  // 4250 ticks of 10 ms after boot.
  EXPECT_EQ(facts.start_time().seconds(), 1600000042);
  EXPECT_EQ(facts.start_time().nanos(), 500000000);
  EXPECT_EQ(facts.executable(), "/usr/sbin/dockerd");
  EXPECT_EQ(facts.uid(), 0);
  EXPECT_TRUE(facts.user_namespace_is_initial());
  EXPECT_EQ(facts.containerd_executable(), "/usr/bin/containerd");
  EXPECT_EQ(facts.home_directory(), "/srv/root");
  EXPECT_EQ(facts.working_directory(), "/srv");
}

TEST(DescribeDaemon, RootlessAndForeignContainerd) {
  test::DaemonHost host;
  host.AddDaemon(500, "");
  host.AddProcess(99, "/usr/bin/containerd");
  host.files.AddFile("/proc/500/status", "Name:\td\nUid:\t1000\t1000\t1000\t1000\n")
      .AddSymlink("/proc/500/ns/user", "user:[4026539999]");
  host.names.users.push_back({"ann", 1000, 1000, "/home/ann"});
  DaemonFacts facts;
  facts.set_pid(500);
  ASSERT_TRUE(DescribeDaemon(host.env, &facts).ok());
  EXPECT_EQ(facts.uid(), 1000);
  EXPECT_FALSE(facts.user_namespace_is_initial());
  EXPECT_EQ(facts.home_directory(), "/home/ann");
  EXPECT_EQ(facts.containerd_executable(), "/usr/bin/containerd");

  host.AddProcess(98, "/opt/containerd");
  ASSERT_TRUE(DescribeDaemon(host.env, &facts).ok());
  EXPECT_EQ(facts.containerd_executable(), "") << "two, and neither is a child";
}

TEST(DescribeDaemon, RootsHomeWithoutANameService) {
  test::DaemonHost host;
  host.AddDaemon(500, "");
  host.names.error = absl::UnavailableError("sssd is down");
  DaemonFacts facts;
  facts.set_pid(500);
  ASSERT_TRUE(DescribeDaemon(host.env, &facts).ok());
  EXPECT_EQ(facts.home_directory(), "/root");
}

}  // namespace
}  // namespace plimsoll::sources
