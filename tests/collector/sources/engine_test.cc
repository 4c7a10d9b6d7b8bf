#include <gtest/gtest.h>

#include <string>

#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::Fixture;
using test::Has;

const char kSocket[] = "/run/docker.sock";

EngineReply CollectRecorded(const std::string& name) {
  FakeEngineHost host;
  const std::string at = absl::StrCat("docker-20.10/daemon/", name);
  // Of the locked swarm only /info was recorded; the engine is the same.
  const bool locked = name == "swarm-locked";
  host.docker.ServeFile("/version", (locked ? "docker-20.10/daemon/stock" : at) + "/version.json");
  host.docker.ServeFile("/v1.41/info", at + "/info.json");
  EngineReply reply = CollectEngine(host.env, kSocket);
  EXPECT_EQ(host.docker.calls("/version"), 1);
  EXPECT_EQ(host.docker.calls("/v1.41/info"), 1);
  EXPECT_EQ(host.docker.all_calls().size(), 2u);
  return reply;
}

EngineReply CollectText(const std::string& version, const std::string& info,
                        const std::string& prefix) {
  FakeEngineHost host;
  host.docker.Serve("/version", version);
  host.docker.Serve(prefix + "/info", info);
  return CollectEngine(host.env, kSocket);
}

std::string Version(const std::string& api, const std::string& min) {
  return absl::StrCat(R"({"Components":[{"Name":"Engine","Version":"1"}],"ApiVersion":")", api,
                      R"(","MinAPIVersion":")", min, R"("})");
}

std::string Info(const std::string& more) {
  return absl::StrCat(
      R"({"Driver":"overlay2","DockerRootDir":"/d","LoggingDriver":"local","Swarm":{"LocalNodeState":"inactive"})",
      more.empty() ? "" : ",", more, "}");
}

TEST(CollectEngine, ReadsEveryRecordedEngine) {
  const struct {
    const char* name;
    const char* engine;
    const char* swarm;
  } kCases[] = {
      {"stock", R"pb(debug: false
                     live_restore: false
                     experimental: false
                     logging_driver: "json-file"
                     docker_root_dir: "/var/lib/docker"
                     storage_driver: "overlay2"
                     default_runtime: "runc"
                     default_runtime_path: "runc"
                     init_binary: "docker-init"
                     security_options {
                       name: "seccomp"
                       values { key: "profile" value: "default" }
                     }
                     registry {
                       insecure_cidrs: "127.0.0.0/8"
                       indexes { name: "docker.io" secure: true }
                     })pb",
       "local_node_state: INACTIVE"},
      {"busy", "logging_driver: 'json-file'", "local_node_state: INACTIVE"},
      {"hardened-flags", "live_restore: true", "local_node_state: INACTIVE"},
      {"hardened-json", "live_restore: true logging_driver: 'syslog'", ""},
      {"flags-spaces", "logging_driver: 'journald'", ""},
      {"bad-flags",
       R"pb(debug: true
            experimental: true
            storage_driver: "vfs"
            warnings { code: API_UNENCRYPTED endpoint: "127.0.0.1:2375" count: 1 })pb",
       ""},
      {"bad-json", "warnings { code: API_UNENCRYPTED endpoint: '127.0.0.1:2375' count: 1 }", ""},
      {"config-file-elsewhere", "", ""},
      {"config-file-elsewhere-eq", "", ""},
      {"tls-verify", "", ""},
      {"tls-noverify", "", ""},
      {"tls-json", "", ""},
      {"authz", "authorization_plugins: 'allowall'", ""},
      {"userns-remap", R"pb(docker_root_dir: "/var/lib/docker/500000.500000"
                            security_options {
                              name: "seccomp"
                              values { key: "profile" value: "default" }
                            }
                            security_options { name: "userns" })pb",
       ""},
      {"data-root-elsewhere", "docker_root_dir: '/var/lib/elsewhere'", ""},
      {"partition-ext4", "", ""},
      {"partition-tmpfs", "", ""},
      {"seccomp-profile",
       R"pb(security_options {
              name: "seccomp"
              values { key: "profile" value: "/etc/seccomp.json" }
            })pb",
       ""},
      {"selinux-flag", "", ""},
      {"swarm-default", "",
       R"pb(local_node_state: ACTIVE
            control_available: true
            node_id: "ndvmr2hhl3fsfqbclylf45rmc"
            cluster_id: "pvud7o3j763ff9qfupm36g7bv"
            auto_lock_managers: false
            manager_count: 1
            node_count: 1)pb"},
      {"swarm-listen-one", "", "local_node_state: ACTIVE"},
      {"swarm-listen-lo", "", "local_node_state: ACTIVE"},
      {"swarm-autolock", "", "local_node_state: ACTIVE auto_lock_managers: true"},
      {"swarm-locked", "", "local_node_state: LOCKED"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    const EngineReply reply = CollectRecorded(c.name);
    EXPECT_EQ(reply.api_prefix, "/v1.41");
    EXPECT_TRUE(Has(reply.engine, absl::StrCat(c.engine, R"pb(
                      outcome { state: OK }
                      info_outcome { state: OK }
                      is_docker_engine: true
                      version: "20.10.24+dfsg1"
                      api_version: "1.41"
                      min_api_version: "1.12"
                      os: "linux"
                      architecture: "amd64"
                      socket_path: "/run/docker.sock"
                      memory_limit_supported: true
                      cgroup_version: "1"
                      cgroup_driver: "cgroupfs")pb")));
    EXPECT_TRUE(Has(reply.swarm_from_info, absl::StrCat(c.swarm, " outcome { state: OK }")));
    EXPECT_FALSE(reply.engine.id().empty());
  }
}

TEST(CollectEngine, ALockedOrWorkerNodeHasNoCluster) {
  EXPECT_FALSE(CollectRecorded("swarm-locked").swarm_from_info.has_auto_lock_managers());
  EXPECT_FALSE(CollectRecorded("swarm-locked").swarm_from_info.has_cluster_id());
  EXPECT_FALSE(CollectRecorded("stock").swarm_from_info.has_auto_lock_managers());
}

TEST(CollectEngine, NegotiatesTheApiVersion) {
  const struct {
    const char *api, *min, *prefix;
    v1::SourceOutcome::State state;
  } kCases[] = {
      {"1.41", "1.12", "/v1.41", v1::SourceOutcome::OK},
      {"1.47", "1.24", "/v1.47", v1::SourceOutcome::OK},
      {"1.52", "1.44", "/v1.52", v1::SourceOutcome::OK},
      {"1.60", "1.44", "/v1.52", v1::SourceOutcome::OK},
      {"1.9", "1.1", "/v1.9", v1::SourceOutcome::OK},
      {"1.41", "", "/v1.41", v1::SourceOutcome::OK},
      {"1.60", "1.53", "", v1::SourceOutcome::UNSUPPORTED},
      {"2.0", "2.0", "", v1::SourceOutcome::UNSUPPORTED},
      {"", "1.12", "", v1::SourceOutcome::MALFORMED},
      {"latest", "1.12", "", v1::SourceOutcome::MALFORMED},
      {"1.41/../x", "1.12", "", v1::SourceOutcome::MALFORMED},
  };
  for (const auto& c : kCases) {
    const EngineReply reply = CollectText(Version(c.api, c.min), Info(""), c.prefix);
    EXPECT_EQ(reply.api_prefix, c.prefix) << c.api;
    EXPECT_EQ(reply.engine.outcome().state(), c.state) << reply.engine.outcome().message();
    EXPECT_EQ(reply.engine.info_outcome().state(), c.state) << c.api;
  }
}

TEST(CollectEngine, KnowsPodmanFromDocker) {
  const struct {
    const char* components;
    bool docker;
    const char* version;
  } kCases[] = {
      {R"([{"Name":"Engine","Version":"29.1.0"}])", true, "29.1.0"},
      {R"([{"Name":"containerd","Version":"2"},{"Name":"Docker Engine","Version":"28"}])", true,
       "28"},
      {R"([{"Name":"Podman Engine","Version":"4.3.1"}])", false, "4.3.1"},
      {R"([{"Name":"Conmon","Version":"2"}])", false, "0"},
      {"null", false, "0"},
  };
  for (const auto& c : kCases) {
    const EngineReply reply = CollectText(
        absl::StrCat(R"({"Version":"0","ApiVersion":"1.41","Components":)", c.components, "}"),
        Info(""), "/v1.41");
    EXPECT_EQ(reply.engine.is_docker_engine(), c.docker) << c.components;
    EXPECT_EQ(reply.engine.version(), c.version);
    EXPECT_EQ(reply.engine.outcome().state(), v1::SourceOutcome::OK);
  }
}

TEST(CollectEngine, MapsWarningsAndDropsTheirText) {
  const EngineReply reply = CollectText(Version("1.41", "1.12"), Info(R"("Warnings":[
      "WARNING: API is accessible on http://0.0.0.0:2375 without encryption.\n  more",
      "[DEPRECATION NOTICE]: API is accessible on http://0.0.0.0:2375 without encryption.",
      "WARNING: API is accessible on https://u:MARKER@[::]:2376 without TLS client verification.",
      "WARNING: No swap limit support", "WARNING: MARKER"])"),
                                        "/v1.41");
  EXPECT_TRUE(Has(reply.engine, R"pb(
    warnings { count: 2 }
    warnings { code: API_UNENCRYPTED endpoint: "0.0.0.0:2375" count: 2 }
    warnings { code: API_UNVERIFIED endpoint: "[::]:2376" count: 1 })pb"));
  EXPECT_EQ(reply.engine.SerializeAsString().find("MARKER"), std::string::npos);
}

TEST(CollectEngine, ReadsNewFieldsAndLeavesAbsentOnesOut) {
  const EngineReply reply = CollectText(
      Version("1.52", "1.44"),
      Info(R"("FirewallBackend":{"Driver":"nftables","Info":[["EnableUserlandProxy","true"]]},
              "SecurityOptions":["seccomp","name=apparmor","name=cgroupns,x=1,y=2"],
              "RegistryConfig":{"InsecureRegistryCIDRs":["::1/128","127.0.0.0/8"],
                "IndexConfigs":{"u:MARKER@reg:5000":{"Name":"reg:5000","Secure":false}}},
              "Plugins":{"Authorization":null,"Log":["local"]})"),
      "/v1.52");
  EXPECT_TRUE(Has(reply.engine, R"pb(
    firewall { driver: "nftables" userland_proxy: true }
    security_options { name: "seccomp" }
    security_options { name: "apparmor" }
    security_options {
      name: "cgroupns"
      values { key: "x" value: "1" }
      values { key: "y" value: "2" }
    }
    registry {
      insecure_cidrs: "127.0.0.0/8"
      insecure_cidrs: "::1/128"
      indexes { name: "reg:5000" }
    }
    log_plugins: "local"
    info_outcome { state: OK })pb"));
  EXPECT_FALSE(reply.engine.has_debug());
  EXPECT_FALSE(reply.engine.has_live_restore());
  EXPECT_FALSE(reply.engine.has_pids_limit_supported());
  EXPECT_TRUE(reply.engine.authorization_plugins().empty());
  EXPECT_EQ(reply.engine.SerializeAsString().find("MARKER"), std::string::npos);
  EXPECT_FALSE(CollectRecorded("stock").engine.has_firewall());
}

TEST(CollectEngine, EveryErrorIsAnOutcomeOfBothParts) {
  const struct {
    absl::Status error;
    v1::SourceOutcome::State state;
  } kCases[] = {
      {absl::UnavailableError("no socket"), v1::SourceOutcome::UNAVAILABLE},
      {absl::PermissionDeniedError("EACCES"), v1::SourceOutcome::PERMISSION_DENIED},
      {absl::DeadlineExceededError("hung"), v1::SourceOutcome::TIMED_OUT},
      {absl::DataLossError("garbage"), v1::SourceOutcome::MALFORMED},
  };
  for (const auto& c : kCases) {
    FakeEngineHost host;
    host.docker.FailOthers(c.error);
    const EngineReply reply = CollectEngine(host.env, kSocket);
    EXPECT_EQ(reply.engine.outcome().state(), c.state);
    EXPECT_EQ(reply.engine.outcome().message(), c.error.message());
    EXPECT_EQ(reply.engine.info_outcome().state(), c.state);
    EXPECT_EQ(reply.swarm_from_info.outcome().state(), c.state);
    EXPECT_EQ(reply.api_prefix, "");
  }
}

TEST(CollectEngine, AHungEngineIsAskedOnce) {
  FakeEngineHost host;
  host.docker.FailOthers(absl::DeadlineExceededError("hung"));
  CollectEngine(host.env, kSocket);
  EXPECT_EQ(host.docker.all_calls().size(), 1u);
}

TEST(CollectEngine, APluginMayRefuseOneOfTheTwo) {
  FakeEngineHost host;
  host.docker.Fail("/version", absl::PermissionDeniedError("403"));
  host.docker.Serve("/v1.41/info", Info(""));
  EngineReply reply = CollectEngine(host.env, kSocket);
  EXPECT_EQ(reply.api_prefix, "/v1.41");
  EXPECT_EQ(reply.engine.outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
  EXPECT_EQ(reply.engine.info_outcome().state(), v1::SourceOutcome::OK);

  host.docker.Fail("/v1.41/info", absl::InvalidArgumentError("too old"));
  host.docker.Serve("/v1.44/info", Info(""));
  EXPECT_EQ(CollectEngine(host.env, kSocket).api_prefix, "/v1.44");

  host.docker.Serve("/version", Version("1.41", "1.12"));
  host.docker.Fail("/v1.41/info", absl::PermissionDeniedError("403"));
  reply = CollectEngine(host.env, kSocket);
  EXPECT_EQ(reply.api_prefix, "/v1.41");
  EXPECT_EQ(reply.engine.outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(reply.engine.info_outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
  EXPECT_EQ(reply.swarm_from_info.outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
}

TEST(CollectEngine, WrongTypesAreMalformedAndNameTheField) {
  const struct {
    std::string info;
    const char* field;
  } kCases[] = {
      {Info(R"("Debug":"false")"), "Debug"},
      {Info(R"("Plugins":[])"), "Plugins"},
      {Info(R"("RegistryConfig":{"InsecureRegistryCIDRs":"x"})"),
       "RegistryConfig.InsecureRegistryCIDRs"},
      {Info(R"("SecurityOptions":[1])"), "SecurityOptions"},
      {"[]", "reply"},
      {"{}", "Driver"},
      {R"({"message":"page not found"})", "Driver"},
      {"<html>", "not JSON"},
  };
  for (const auto& c : kCases) {
    const EngineReply reply = CollectText(Version("1.41", "1.12"), c.info, "/v1.41");
    EXPECT_EQ(reply.engine.info_outcome().state(), v1::SourceOutcome::MALFORMED) << c.info;
    EXPECT_NE(reply.engine.info_outcome().message().find(c.field), std::string::npos)
        << reply.engine.info_outcome().message();
    EXPECT_EQ(reply.api_prefix, "/v1.41");
  }
  const EngineReply odd = CollectText(R"({"ApiVersion":"1.41","BuildTime":7})", Info(""), "/v1.41");
  EXPECT_EQ(odd.engine.outcome().state(), v1::SourceOutcome::MALFORMED);
  EXPECT_EQ(odd.api_prefix, "/v1.41");
}

TEST(CollectEngine, ASwarmStateNobodyKnowsIsMalformed) {
  for (const char* swarm : {R"({"LocalNodeState":"frozen"})", R"({})", "null"}) {
    const EngineReply reply = CollectText(
        Version("1.41", "1.12"),
        absl::StrCat(R"({"Driver":"x","DockerRootDir":"/d","LoggingDriver":"y","Swarm":)", swarm,
                     "}"),
        "/v1.41");
    EXPECT_EQ(reply.swarm_from_info.outcome().state(), v1::SourceOutcome::MALFORMED) << swarm;
    EXPECT_EQ(reply.engine.info_outcome().state(), v1::SourceOutcome::OK) << swarm;
  }
}

}  // namespace
}  // namespace plimsoll::sources
