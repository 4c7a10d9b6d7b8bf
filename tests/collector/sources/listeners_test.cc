#include "collector/sources/listeners.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "collector/sources/sources.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using v1::Listener;
using v1::SourceOutcome;

constexpr char kHeading[] = "  sl  local_address rem_address   st ...\n";

std::string Line(const std::string& local, const std::string& state, int inode) {
  return absl::StrCat("   0: ", local, " 00000000:0000 ", state,
                      " 00000000:00000000 00:00000000 00000000     0        0 ", inode,
                      " 1 0 100\n");
}

std::vector<std::string> Texts(const std::vector<ListeningSocket>& sockets) {
  std::vector<std::string> texts;
  for (const ListeningSocket& socket : sockets) {
    texts.push_back(
        absl::StrCat(socket.listener.address(), " ", socket.listener.port(), " ", socket.inode));
  }
  return texts;
}

TEST(ParseTcpTable, Addresses) {
  const struct {
    const char* local;
    Listener::Family family;
    const char* expected;
  } kCases[] = {
      {"0100007F:0948", Listener::IPV4, "127.0.0.1 2376 9"},
      {"00000000:0947", Listener::IPV4, "0.0.0.0 2375 9"},
      {"0101630A:1F0A", Listener::IPV4, "10.99.1.1 7946 9"},
      {"00000000000000000000000000000000:0949", Listener::IPV6, ":: 2377 9"},
      {"00000000000000000000000001000000:0050", Listener::IPV6, "::1 80 9"},
      {"B80D0120000000000000000001000000:0050", Listener::IPV6, "2001:db8::1 80 9"},
      {"0000000000000000FFFF00000100007F:0050", Listener::IPV6, "::ffff:127.0.0.1 80 9"},
  };
  for (const auto& c : kCases) {
    const auto sockets = ParseTcpTable(kHeading + Line(c.local, "0A", 9), c.family);
    ASSERT_TRUE(sockets.ok()) << c.local << sockets.status();
    EXPECT_EQ(Texts(*sockets), std::vector<std::string>{c.expected});
    EXPECT_EQ(sockets->front().listener.family(), c.family);
  }
}

TEST(ParseTcpTable, OtherStatesAreNotListeners) {
  for (const char* state : {"01", "06", "07"}) {
    EXPECT_TRUE(ParseTcpTable(kHeading + Line("0100007F:0948", state, 9), Listener::IPV4)->empty());
  }
  EXPECT_TRUE(ParseTcpTable("", Listener::IPV4)->empty());
}

TEST(ParseTcpTable, RefusesWhatIsNoTable) {
  for (const std::string& line :
       {std::string("MARKER"), Line("0100007F", "0A", 9), Line("0100007F:XX", "0A", 9),
        Line("00000000000000000000000000000000:0949", "0A", 9), Line("0100007G:0001", "0A", 9)}) {
    const absl::Status status = ParseTcpTable(kHeading + line, Listener::IPV4).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << line;
    EXPECT_EQ(std::string(status.message()).find("MARKER"), std::string::npos);
  }
}

v1::DaemonFacts Daemon() {
  v1::DaemonFacts daemon;
  daemon.set_pid(500);
  return daemon;
}

// The engine holds every socket of the recorded table.
void Fill(test::DaemonHost& host, const std::string& engine) {
  host.AddDaemon(500, "");
  for (const auto& [name, family] :
       {std::pair("tcp", Listener::IPV4), std::pair("tcp6", Listener::IPV6)}) {
    const std::string table = test::EngineFixture(engine, absl::StrCat("proc-net-", name, ".txt"));
    host.files.AddFile(absl::StrCat("/proc/500/net/", name), table);
    const auto sockets = ParseTcpTable(table, family);
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    for (const ListeningSocket& socket : *sockets) {
      host.files.AddSymlink(absl::StrCat("/proc/500/fd/", socket.inode),
                            absl::StrCat("socket:[", socket.inode, "]"));
    }
  }
  host.files.AddSymlink("/proc/500/fd/3", "/dev/null");
}

std::vector<std::string> Texts(const v1::ListenersFacts& facts) {
  std::vector<std::string> texts;
  for (const Listener& listener : facts.listeners()) {
    texts.push_back(absl::StrCat(listener.address(), " ", listener.port()));
  }
  return texts;
}

TEST(CollectListeners, RecordedEngines) {
  const struct {
    const char* engine;
    std::vector<std::string> listeners;
  } kCases[] = {
      {"stock", {}},
      {"bad-flags", {"127.0.0.1 2375"}},
      {"tls-json", {"127.0.0.1 2376"}},
      {"tls-verify", {"127.0.0.1 2376"}},
      {"swarm-default", {":: 2377", ":: 7946"}},
      {"swarm-listen-one", {"10.99.0.1 2377", "10.99.0.1 7946"}},
      {"swarm-listen-lo", {"127.0.0.1 2377", "127.0.0.1 7946"}},
  };
  for (const auto& c : kCases) {
    test::DaemonHost host;
    Fill(host, c.engine);
    const v1::ListenersFacts facts = CollectListeners(host.env, Daemon());
    EXPECT_EQ(facts.outcome().state(), SourceOutcome::OK) << c.engine;
    EXPECT_EQ(Texts(facts), c.listeners) << c.engine;
  }
}

TEST(CollectListeners, OnlySocketsThatThisProcessHolds) {
  test::DaemonHost host;
  host.AddDaemon(500, "");
  host.files
      .AddFile("/proc/500/net/tcp", absl::StrCat(kHeading, Line("00000000:0016", "0A", 7),
                                                 Line("00000000:0949", "0A", 8)))
      .AddSymlink("/proc/500/fd/4", "socket:[8]");
  const v1::ListenersFacts facts = CollectListeners(host.env, Daemon());
  EXPECT_EQ(facts.outcome().state(), SourceOutcome::OK) << "no IPv6 is no error";
  EXPECT_EQ(Texts(facts), std::vector<std::string>{"0.0.0.0 2377"});
}

TEST(CollectListeners, WhatCannotBeReadIsAnOutcome) {
  test::DaemonHost host;
  Fill(host, "bad-flags");
  host.files.SetReadError("/proc/500/fd", absl::PermissionDeniedError("no"));
  v1::ListenersFacts facts = CollectListeners(host.env, Daemon());
  EXPECT_EQ(facts.outcome().state(), SourceOutcome::PERMISSION_DENIED);
  EXPECT_EQ(facts.listeners_size(), 0);
  EXPECT_EQ(facts.proxy_outcome().state(), SourceOutcome::OK);

  v1::DaemonFacts unknown;
  unknown.mutable_outcome()->set_state(SourceOutcome::AMBIGUOUS);
  facts = CollectListeners(host.env, unknown);
  EXPECT_EQ(facts.outcome().state(), SourceOutcome::AMBIGUOUS);
  EXPECT_EQ(facts.proxy_outcome().state(), SourceOutcome::AMBIGUOUS);
}

TEST(CollectListeners, CountsProxiesOfThisEngineOnly) {
  test::DaemonHost host;
  Fill(host, "stock");
  host.AddProcess(600, "/usr/bin/docker-proxy", 500);
  host.AddProcess(601, "/usr/sbin/docker-proxy", 500);
  host.AddProcess(602, "/opt/my-proxy", 500);
  host.AddProcess(603, "/usr/bin/containerd", 500);
  host.AddProcess(700, "/usr/bin/docker-proxy", 1);
  EXPECT_EQ(CollectListeners(host.env, Daemon()).docker_proxy_count(), 2);
  v1::DaemonFacts daemon = Daemon();
  daemon.mutable_config_file()->mutable_settings()->set_userland_proxy_path("/opt/my-proxy");
  EXPECT_EQ(CollectListeners(host.env, daemon).docker_proxy_count(), 3);
}

}  // namespace
}  // namespace plimsoll::sources
