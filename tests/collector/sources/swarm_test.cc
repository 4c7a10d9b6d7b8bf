#include <gtest/gtest.h>

#include <string>

#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::Fixture;
using test::Has;

const char kState[] = "/var/lib/docker/swarm/docker-state.json";

struct Swarm {
  FakeEngineHost host;
  v1::SwarmFacts from_info;
  v1::EngineFacts engine;
  v1::DaemonFacts daemon;

  Swarm() {
    from_info.mutable_outcome()->set_state(v1::SourceOutcome::OK);
    from_info.set_local_node_state(v1::SwarmFacts::ACTIVE);
    from_info.set_control_available(true);
    engine.set_docker_root_dir("/var/lib/docker");
  }
  v1::SwarmFacts Collect() { return CollectSwarm(host.env, "/v1.41", from_info, engine, daemon); }
};

TEST(CollectSwarm, ReadsTheRecordedManagers) {
  const struct {
    const char *name, *listen;
  } kCases[] = {{"swarm-default", "0.0.0.0:2377"},
                {"swarm-listen-one", "10.99.0.1:2377"},
                {"swarm-listen-lo", "127.0.0.1:2377"},
                {"swarm-autolock", "10.99.0.1:2377"}};
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    Swarm swarm;
    const std::string at = absl::StrCat("docker-20.10/daemon/", c.name);
    swarm.host.docker.ServeFile("/v1.41/services", at + "/services.json");
    swarm.host.files.AddFile(kState, Fixture(at + "/docker-state.json"));
    const v1::SwarmFacts facts = swarm.Collect();
    EXPECT_TRUE(
        Has(facts, absl::StrCat("state_file_outcome { state: OK } services_outcome { state: "
                                "OK } advertise_address: '10.99.0.1:2377' listen_address: '",
                                c.listen, "'")));
    ASSERT_EQ(facts.services_size(), 1);
    EXPECT_TRUE(Has(facts.services(0), R"pb(name: "svc"
                                            restart_condition: ON_FAILURE
                                            max_attempts: 7
                                            ports {
                                              publish_mode: "ingress"
                                              published_port: 18070
                                              target_port: 80
                                              protocol: "tcp"
                                            })pb"));
    EXPECT_FALSE(facts.services(0).has_window_ns());
    // Tokens and keys live behind other paths.
    EXPECT_EQ(swarm.host.docker.all_calls().size(), 1u);
    EXPECT_EQ(swarm.host.files.read_paths().size(), 1u);
  }
}

TEST(CollectSwarm, WorkersAreAskedForNoServices) {
  Swarm swarm;
  swarm.from_info.set_control_available(false);
  const v1::SwarmFacts facts = swarm.Collect();
  EXPECT_EQ(facts.services_outcome().state(), v1::SourceOutcome::NOT_COLLECTED);
  EXPECT_EQ(facts.state_file_outcome().state(), v1::SourceOutcome::NOT_PRESENT);
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK);
  EXPECT_TRUE(swarm.host.docker.all_calls().empty());
}

TEST(CollectSwarm, ReadsTheStateFileThroughTheDaemonsEyes) {
  Swarm swarm;
  swarm.daemon.set_pid(77);
  swarm.host.files.AddFile(kState, R"({"ListenAddr":"wrong"})");
  swarm.host.process_files[77].AddFile(kState, R"({"ListenAddr":"[::1]:2377"})");
  EXPECT_EQ(swarm.Collect().listen_address(), "[::1]:2377");
}

TEST(CollectSwarm, ErrorsAreOutcomesOfTheirPart) {
  const struct {
    const char* services;
    const char* state;
    v1::SourceOutcome::State services_outcome, state_outcome;
  } kCases[] = {
      {"[]", "{}", v1::SourceOutcome::OK, v1::SourceOutcome::OK},
      {"null", "[]", v1::SourceOutcome::OK, v1::SourceOutcome::MALFORMED},
      {"{}", "{", v1::SourceOutcome::MALFORMED, v1::SourceOutcome::MALFORMED},
      {R"([{"ID":"a","Spec":{"TaskTemplate":{"RestartPolicy":{"Condition":"often"}}}}])",
       R"({"ListenAddr":1})", v1::SourceOutcome::MALFORMED, v1::SourceOutcome::MALFORMED},
  };
  for (const auto& c : kCases) {
    Swarm swarm;
    swarm.host.docker.Serve("/v1.41/services", c.services);
    swarm.host.files.AddFile(kState, c.state);
    const v1::SwarmFacts facts = swarm.Collect();
    EXPECT_EQ(facts.services_outcome().state(), c.services_outcome) << c.services;
    EXPECT_EQ(facts.state_file_outcome().state(), c.state_outcome) << c.state;
  }
  Swarm swarm;
  swarm.host.docker.Fail("/v1.41/services", absl::FailedPreconditionError("503"));
  swarm.host.files.AddDirectory("/var/lib/docker");
  swarm.host.files.SetError("/var/lib/docker", absl::PermissionDeniedError("EACCES"));
  const v1::SwarmFacts facts = swarm.Collect();
  EXPECT_EQ(facts.services_outcome().state(), v1::SourceOutcome::UNAVAILABLE);
  EXPECT_EQ(facts.state_file_outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
}

TEST(CollectSwarm, TellsRestartPoliciesApart) {
  Swarm swarm;
  swarm.host.docker.Serve("/v1.41/services", R"([
    {"ID":"c","Spec":{"TaskTemplate":{"RestartPolicy":{"Condition":"none","MaxAttempts":0,
       "Window":5}}}},
    {"ID":"a","Spec":{"TaskTemplate":{}}},
    {"ID":"b","Spec":{"TaskTemplate":{"RestartPolicy":{"Condition":"any"}},
       "EndpointSpec":{"Ports":[{"PublishMode":"host","TargetPort":80,"PublishedPort":99999}]}}}])");
  const v1::SwarmFacts facts = swarm.Collect();
  ASSERT_EQ(facts.services_size(), 3);
  EXPECT_EQ(facts.services(0).restart_condition(), v1::Service::RESTART_CONDITION_UNSPECIFIED);
  EXPECT_FALSE(facts.services(0).has_max_attempts());
  EXPECT_TRUE(Has(facts.services(1), "restart_condition: ANY ports { publish_mode: 'host' }"));
  EXPECT_EQ(facts.services(1).ports(0).published_port(), 0u);
  EXPECT_TRUE(Has(facts.services(2), "restart_condition: NONE max_attempts: 0 window_ns: 5"));
}

TEST(CollectSwarm, KeepsNoSecrets) {
  Swarm swarm;
  swarm.host.docker.Serve("/v1.41/services", R"([{"ID":"a","Spec":{"Name":"s",
    "Labels":{"k":"MARKER"},"TaskTemplate":{"ContainerSpec":{"Image":"MARKER","Env":["K=MARKER"],
      "Args":["MARKER"],"Secrets":[{"SecretName":"MARKER"}]},
      "LogDriver":{"Options":{"token":"MARKER"}}}}}])");
  swarm.host.files.AddFile(kState, R"({"ListenAddr":"0.0.0.0:2377","Token":"MARKER"})");
  EXPECT_EQ(swarm.Collect().SerializeAsString().find("MARKER"), std::string::npos);
}

}  // namespace
}  // namespace plimsoll::sources
