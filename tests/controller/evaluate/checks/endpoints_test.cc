#include "controller/evaluate/checks/endpoints.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "tests/controller/evaluate/checks/recorded_hosts.h"

namespace plimsoll::evaluate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::HostFacts Parse(const std::string& text) {
  v1::HostFacts facts;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &facts)) << text;
  return facts;
}

std::vector<std::string> Urls(const std::string& text) {
  const v1::HostFacts facts = Parse(text);
  const FactIndex index(facts);
  std::vector<std::string> urls;
  for (const Endpoint& endpoint : FindEndpoints({facts, index, absl::UnixEpoch()}).list) {
    urls.push_back(endpoint.Url());
  }
  return urls;
}

std::vector<std::string> Hosts(const std::string& host, const std::string& more = "") {
  return Urls(With(Stock(), [&](Recorded& h) {
    h.flags = absl::StrCat("hosts { values: '", host, "' } ", more);
  }));
}

TEST(FindEndpoints, ReadsHostsAsTheEngineDoes) {
  EXPECT_THAT(Urls(Stock().Facts()), ElementsAre("unix:///var/run/docker.sock"));
  EXPECT_THAT(Hosts(""), ElementsAre("unix:///var/run/docker.sock"));
  EXPECT_THAT(Hosts("unix://"), ElementsAre("unix:///var/run/docker.sock"));
  EXPECT_THAT(Hosts("unix:///run/x.sock"), ElementsAre("unix:///run/x.sock"));
  EXPECT_THAT(Hosts("tcp://"), ElementsAre("tcp://localhost:2375"));
  EXPECT_THAT(Hosts(":2375"), ElementsAre("tcp://localhost:2375"));
  EXPECT_THAT(Hosts("127.0.0.1"), ElementsAre("tcp://127.0.0.1:2375"));
  EXPECT_THAT(Hosts("tcp://0.0.0.0"), ElementsAre("tcp://0.0.0.0:2375"));
  EXPECT_THAT(Hosts("tcp://[::]"), ElementsAre("tcp://[::]:2375"));
  EXPECT_THAT(Hosts("tcp://[::1]:99"), ElementsAre("tcp://[::1]:99"));
  EXPECT_THAT(Hosts("tcp://10.0.0.1", "tls: true"), ElementsAre("tcp://10.0.0.1:2376"));
  EXPECT_THAT(Hosts("", "tls: true"), ElementsAre("tcp://localhost:2376"));
  EXPECT_THAT(Hosts("npipe:////./pipe/x"), ElementsAre("npipe:////./pipe/x"));
}

TEST(FindEndpoints, RootlessHasItsOwnDefault) {
  v1::HostFacts facts =
      Parse(With(Stock(), [](Recorded& h) { h.info = "security_options { name: 'rootless' }"; }));
  facts.mutable_engine()->set_socket_path("/run/user/7/docker.sock");
  const FactIndex index(facts);
  const Endpoints endpoints = FindEndpoints({facts, index, absl::UnixEpoch()});
  ASSERT_EQ(endpoints.list.size(), 1u);
  EXPECT_EQ(endpoints.list[0].address, "/run/user/7/docker.sock");
  EXPECT_TRUE(endpoints.list[0].is_default_socket);
}

TEST(FindEndpoints, ActivationIsTheUnitsSockets) {
  const std::string unit =
      "units { name: 'docker.socket' outcome { state: OK } load_state: LOADED "
      "listen { kind: 'Stream' address: '/run/docker.sock' } "
      "listen { kind: 'Datagram' address: '99' } listen { kind: 'Stream' address: '2375' } "
      "listen { kind: 'Stream' address: '[::1]:77' } listen { kind: 'Stream' address: '@x' } }";
  EXPECT_THAT(Urls(With(Stock(),
                        [&](Recorded& h) {
                          h.flags = "hosts { values: 'fd://' }";
                          h.units = unit;
                        })),
              ElementsAre("unix:///run/docker.sock", "tcp://[::]:2375", "tcp://[::1]:77", "@x"));
}

TEST(FindEndpoints, PublishedPortsThatNobodyListedAreNoEvidence) {
  v1::HostFacts facts = Parse(With(Stock(), [](Recorded& h) {
    h.flags = "hosts { values: 'fd://' }";
    h.listeners = "listeners { family: IPV4 address: '0.0.0.0' port: 80 }";
  }));
  facts.clear_containers();
  const FactIndex index(facts);
  const Endpoints endpoints = FindEndpoints({facts, index, absl::UnixEpoch()});
  EXPECT_FALSE(endpoints.known());
  EXPECT_EQ(endpoints.fd_source, Source::kContainers);
}

TEST(FindTls, WhoIsVerified) {
  const auto tls = [](const std::string& settings, const std::string& version = "20.10.24") {
    const v1::HostFacts facts = Parse(With(Stock(), [&](Recorded& h) {
      h.flags = settings;
      h.version = version;
    }));
    const FactIndex index(facts);
    const TlsState state = FindTls({facts, index, absl::UnixEpoch()});
    return std::make_pair(state.on, state.verifies_clients);
  };
  using Answer = std::pair<bool, std::optional<bool>>;
  EXPECT_EQ(tls(""), Answer(false, false));
  EXPECT_EQ(tls("tls: true"), Answer(true, true));
  EXPECT_EQ(tls("tls: true", "19.03.15"), Answer(true, false));
  EXPECT_EQ(tls("tls: true", ""), Answer(true, std::nullopt));
  EXPECT_EQ(tls("tlsverify: true"), Answer(true, true));
  EXPECT_EQ(tls("tlsverify: false"), Answer(true, false));
  EXPECT_EQ(tls("tls: false"), Answer(false, false));
}

TEST(UnexplainedListeners, EverythingTheDaemonMayHold) {
  const auto left = [](const std::string& listeners, const std::string& flags,
                       const std::string& swarm = "INACTIVE") {
    const v1::HostFacts facts = Parse(With(Stock(), [&](Recorded& h) {
      h.listeners = listeners;
      h.flags = flags;
      h.swarm = swarm;
      h.containers = "containers { id: '1' ports { host_port: 8080 } }";
    }));
    const FactIndex index(facts);
    const Context context{facts, index, absl::UnixEpoch()};
    return UnexplainedListeners(context, FindEndpoints(context));
  };
  const std::string swarm_ports =
      "listeners { family: IPV6 address: '::' port: 2377 } "
      "listeners { family: IPV6 address: '::' port: 7946 }";
  EXPECT_THAT(left(swarm_ports, "", "ACTIVE"), IsEmpty());
  EXPECT_THAT(left(swarm_ports, ""), ElementsAre("[::]:2377", "[::]:7946"));
  EXPECT_THAT(left("listeners { family: IPV4 address: '127.0.0.1' port: 9323 }",
                   "metrics_addr: '127.0.0.1:9323'"),
              IsEmpty());
  EXPECT_THAT(left("listeners { family: IPV4 address: '0.0.0.0' port: 8080 }", ""), IsEmpty());
  EXPECT_THAT(
      left("listeners { family: IPV4 address: '0.0.0.0' port: 50 }", "network_diagnostic_port: 50"),
      IsEmpty());
  EXPECT_THAT(left("listeners { family: IPV4 address: '0.0.0.0' port: 2375 }",
                   "hosts { values: 'tcp://0.0.0.0:2375' }"),
              IsEmpty());
}

}  // namespace
}  // namespace plimsoll::evaluate
