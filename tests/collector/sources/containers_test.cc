#include <dirent.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::Fixture;
using test::Has;

const std::string kId(64, 'a');

std::string IdOf(const std::string& inspect) {
  const size_t at = inspect.find("\"Id\":\"") + 6;
  return inspect.substr(at, inspect.find('"', at) - at);
}

// A host with an engine, and what CollectContainers wants to know beside it.
struct Host : FakeEngineHost {
  v1::CollectionPlan plan;
  v1::EngineFacts engine;
  v1::DaemonFacts daemon;
  v1::VolumesFacts volumes;

  Host() {
    engine.set_docker_root_dir("/var/lib/docker");
    engine.mutable_info_outcome()->set_state(v1::SourceOutcome::OK);
    volumes.mutable_outcome()->set_state(v1::SourceOutcome::OK);
  }
  void ServeRecorded() {
    docker.ServeFile("/v1.41/containers/json?all=1", "docker-20.10/containers-all.json");
    DIR* directory = ::opendir(PLIMSOLL_SOURCE_DIR "/tests/fixtures/docker-20.10/containers");
    ASSERT_NE(directory, nullptr);
    while (const dirent* entry = ::readdir(directory)) {
      const std::string name = entry->d_name;
      if (!absl::EndsWith(name, ".json")) continue;
      const std::string inspect = Fixture("docker-20.10/containers/" + name);
      docker.Serve(absl::StrCat("/v1.41/containers/", IdOf(inspect), "/json"), inspect);
    }
    ::closedir(directory);
  }
  // One container, running as process 42.
  void ServeOne(const std::string& inspect_more = "") {
    docker.Serve("/v1.41/containers/json?all=1",
                 absl::StrCat(R"([{"Id":")", kId, R"(","Names":["/web"],"State":"running"}])"));
    docker.Serve(absl::StrCat("/v1.41/containers/", kId, "/json"),
                 absl::StrCat(R"({"Id":")", kId, R"(","State":{"Status":"running","Pid":42},)",
                              R"("HostConfig":{},"Config":{})", inspect_more, "}"));
  }
  v1::ContainersFacts Collect() {
    return CollectContainers(env, "/v1.41", plan, engine, daemon, volumes);
  }
};

TEST(CollectContainers, ReadsAWholeRecordedHost) {
  Host host;
  host.ServeRecorded();
  const v1::ContainersFacts facts = host.Collect();
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK) << facts.outcome().message();
  ASSERT_EQ(facts.containers_size(), 121);
  for (int i = 0; i < facts.containers_size(); ++i) {
    const v1::Container& container = facts.containers(i);
    EXPECT_EQ(container.outcome().state(), v1::SourceOutcome::OK) << container.name();
    EXPECT_EQ(container.state_file_outcome().state(), v1::SourceOutcome::NOT_PRESENT);
    const bool has_process =
        container.status() == v1::Container::RUNNING || container.status() == v1::Container::PAUSED;
    EXPECT_EQ(container.has_runtime(), has_process) << container.name();
    EXPECT_TRUE(i == 0 || facts.containers(i - 1).id() < container.id());
  }
  // One listing, and one inspect each.
  EXPECT_EQ(host.docker.all_calls().size(), 122u);
  for (const auto& [path, calls] : host.docker.all_calls()) EXPECT_EQ(calls, 1) << path;
}

TEST(CollectContainers, EqualHostsGiveEqualBytes) {
  Host one, two;
  one.ServeRecorded();
  two.ServeRecorded();
  EXPECT_EQ(one.Collect().SerializeAsString(), two.Collect().SerializeAsString());
}

TEST(CollectContainers, AVanishedContainerIsDroppedAndOtherErrorsStayWithIt) {
  Host host;
  host.ServeRecorded();
  const auto path = [](const std::string& name) {
    return absl::StrCat("/v1.41/containers/",
                        IdOf(Fixture(absl::StrCat("docker-20.10/containers/", name, ".json"))),
                        "/json");
  };
  host.docker.Fail(path("exited"), absl::NotFoundError("404"));
  host.docker.Fail(path("plain"), absl::DeadlineExceededError("hung"));
  host.docker.Fail(path("paused"), absl::PermissionDeniedError("403"));
  host.docker.Fail(path("memory"), absl::ResourceExhaustedError("too long"));
  host.docker.Serve(path("init"), "{\"Id\":");
  const v1::ContainersFacts facts = host.Collect();
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(facts.containers_size(), 120);
  for (const v1::Container& container : facts.containers()) {
    EXPECT_NE(container.name(), "exited");
    const v1::SourceOutcome::State state =
        container.name() == "plain"    ? v1::SourceOutcome::TIMED_OUT
        : container.name() == "paused" ? v1::SourceOutcome::PERMISSION_DENIED
        : container.name() == "memory" ? v1::SourceOutcome::TRUNCATED
        : container.name() == "init"   ? v1::SourceOutcome::MALFORMED
                                       : v1::SourceOutcome::OK;
    EXPECT_EQ(container.outcome().state(), state) << container.name();
    if (state == v1::SourceOutcome::OK) continue;
    // The listing's fields are there, the inspect's are not.
    EXPECT_TRUE(
        Has(container, container.name() == "paused" ? "status: PAUSED" : "status: RUNNING"));
    EXPECT_TRUE(absl::StartsWith(container.image_id(), "sha256:"));
    EXPECT_FALSE(container.has_privileged());
  }
}

TEST(CollectContainers, ErrorsOfTheListingAreTheSections) {
  Host host;
  const struct {
    absl::Status error;
    v1::SourceOutcome::State state;
  } kCases[] = {{absl::UnavailableError("x"), v1::SourceOutcome::UNAVAILABLE},
                {absl::DeadlineExceededError("x"), v1::SourceOutcome::TIMED_OUT},
                {absl::PermissionDeniedError("x"), v1::SourceOutcome::PERMISSION_DENIED},
                {absl::ResourceExhaustedError("x"), v1::SourceOutcome::TRUNCATED}};
  for (const auto& c : kCases) {
    host.docker.FailOthers(c.error);
    EXPECT_EQ(host.Collect().outcome().state(), c.state);
  }
  for (const char* reply : {"{}", "", "[1]", R"([{"Id":"../../etc/passwd"}])", R"([{"Id":7}])",
                            R"([{"Id":"a b"}])", R"([{}])"}) {
    host.docker.Serve("/v1.41/containers/json?all=1", reply);
    const v1::ContainersFacts facts = host.Collect();
    EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::MALFORMED) << reply;
    EXPECT_TRUE(facts.containers().empty()) << reply;
  }
}

TEST(CollectContainers, AHostWithoutContainersIsAnAnswer) {
  for (const char* reply : {"[]", "null"}) {
    Host host;
    host.docker.Serve("/v1.41/containers/json?all=1", reply);
    EXPECT_EQ(host.Collect().outcome().state(), v1::SourceOutcome::OK) << reply;
  }
}

TEST(CollectContainers, TooManyAreCut) {
  Host host;
  std::string listing = "[";
  for (int i = 0; i < 10001; ++i) {
    absl::StrAppend(&listing, i > 0 ? "," : "", R"({"Id":"c)", i, R"("})");
  }
  host.docker.Serve("/v1.41/containers/json?all=1", listing + "]");
  host.docker.FailOthers(absl::UnavailableError("x"));
  const v1::ContainersFacts facts = host.Collect();
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::TRUNCATED);
  EXPECT_EQ(facts.containers_size(), 10000);
}

TEST(CollectContainers, ReadsOneBooleanOfTheStateFile) {
  const std::string path = "/var/lib/docker/containers/" + kId + "/config.v2.json";
  const struct {
    const char* content;
    v1::SourceOutcome::State state;
    bool has, value;
  } kCases[] = {
      {R"({"Config":{"Env":["X=MARKER"]},"NoNewPrivileges":true})", v1::SourceOutcome::OK, true,
       true},
      {R"({"NoNewPrivileges":false})", v1::SourceOutcome::OK, true, false},
      {R"({"Config":{"NoNewPrivileges":true}})", v1::SourceOutcome::OK, false, false},
      {R"({"NoNewPrivileges":"true"})", v1::SourceOutcome::MALFORMED, false, false},
      {"{\"NoNew", v1::SourceOutcome::MALFORMED, false, false},
  };
  for (const auto& c : kCases) {
    Host host;
    host.ServeOne();
    host.files.AddFile(path, c.content);
    const v1::ContainersFacts facts = host.Collect();
    ASSERT_EQ(facts.containers_size(), 1);
    const v1::Container& container = facts.containers(0);
    EXPECT_EQ(container.state_file_outcome().state(), c.state) << c.content;
    EXPECT_EQ(container.has_state_file_no_new_privileges(), c.has) << c.content;
    EXPECT_EQ(container.state_file_no_new_privileges(), c.value) << c.content;
    EXPECT_EQ(facts.SerializeAsString().find("MARKER"), std::string::npos);
  }
  Host host;
  host.ServeOne();
  host.files.AddFile(path, "{}").SetError(path, absl::PermissionDeniedError("EACCES"));
  EXPECT_EQ(host.Collect().containers(0).state_file_outcome().state(),
            v1::SourceOutcome::PERMISSION_DENIED);
  host.engine.clear_docker_root_dir();
  EXPECT_EQ(host.Collect().containers(0).state_file_outcome().state(),
            v1::SourceOutcome::NOT_COLLECTED);
}

TEST(CollectContainers, LooksThroughTheDaemonsEyesAndAtTheHostsProc) {
  Host host;
  host.ServeOne(R"(,"Mounts":[{"Type":"bind","Source":"/link","Destination":"/x","RW":true}])");
  host.daemon.set_pid(7);
  host.files.AddSymlink("/link", "/of-the-host").AddDirectory("/of-the-host");
  host.files.AddFile("/proc/42/cgroup", "0::/docker/" + kId);
  auto& seen = host.process_files[7];
  seen.AddSymlink("/link", "/of-the-daemon").AddDirectory("/of-the-daemon");
  seen.AddFile("/var/lib/docker/containers/" + kId + "/config.v2.json",
               R"({"NoNewPrivileges":true})");
  EXPECT_TRUE(Has(host.Collect().containers(0),
                  R"pb(mounts { real_source: "/of-the-daemon" resolution: RESOLVED }
                       state_file_no_new_privileges: true
                       runtime { cgroup_parent: "/docker" })pb"));
}

TEST(CollectContainers, ALabelIsReadOnlyWhereAModuleMayBe) {
  Host host;
  host.ServeOne();
  host.files.AddFile("/proc/42/cgroup", "0::/docker/" + kId);
  host.files.AddFile("/proc/42/attr/current", "docker-default (enforce)\n");
  EXPECT_FALSE(host.Collect().containers(0).runtime().has_lsm_label());
  host.engine.add_security_options()->set_name("apparmor");
  EXPECT_EQ(host.Collect().containers(0).runtime().lsm_label(), "docker-default (enforce)");
  host.engine.Clear();
  EXPECT_TRUE(host.Collect().containers(0).runtime().has_lsm_label());
}

// rules.md section 4: a marker wherever the Engine API or a state file may hold a secret.
TEST(CollectContainers, NoSecretLeavesTheHost) {
  Host host;
  host.docker.Serve("/v1.41/containers/json?all=1", absl::StrCat(R"([{"Id":")", kId, R"(",
    "Names":["/web"],"Image":"https://u:MARKER@reg/i:1","Command":"run MARKER",
    "Labels":{"k":"MARKER","MARKER":"v"},"State":"running","Status":"Up MARKER"}])"));
  host.docker.Serve(absl::StrCat("/v1.41/containers/", kId, "/json"),
                    absl::StrCat(R"({"Id":")", kId, R"(",
    "Path":"MARKER","Args":["--password","MARKER"],"LogPath":"/MARKER","ExecIDs":["MARKER"],
    "State":{"Status":"running","Pid":42,"Error":"MARKER",
      "Health":{"Status":"healthy","Log":[{"Output":"MARKER"}]}},
    "GraphDriver":{"Data":{"x":"MARKER"}},
    "HostConfig":{"Binds":["MARKER:/x"],"LogConfig":{"Type":"splunk","Config":{"splunk-token":"MARKER"}},
      "SecurityOpt":["seccomp={\"comment\":\"MARKER\"}","odd=MARKER","MARKER"],
      "Sysctls":{"k":"MARKER"},"StorageOpt":{"k":"MARKER"},"ExtraHosts":["MARKER"],
      "Annotations":{"k":"MARKER"},"Tmpfs":{"/x":"MARKER"},
      "Mounts":[{"Type":"volume","Target":"/d","Source":"v",
        "VolumeOptions":{"Labels":{"k":"MARKER"},"DriverConfig":{"Options":{"o":"password=MARKER"}}}}],
      "DeviceRequests":[{"Driver":"nvidia","Options":{"k":"MARKER"},"DeviceIDs":["MARKER"]}]},
    "Config":{"Env":["TOKEN=MARKER"],"Cmd":["MARKER"],"Entrypoint":["MARKER"],"OnBuild":["MARKER"],
      "Shell":["MARKER"],"Image":"u:MARKER@reg/i:1","Labels":{"k":"MARKER","MARKER":"v"},
      "Healthcheck":{"Test":["CMD-SHELL","curl -H MARKER"]},"StopSignal":"MARKER"},
    "NetworkSettings":{"Networks":{"n":{"NetworkID":"1","Aliases":["MARKER"],
      "DriverOpts":{"k":"MARKER"},"IPAMConfig":{"x":"MARKER"}}}},
    "Mounts":[{"Type":"volume","Name":"v","Driver":"local","Source":"/v","Destination":"/d",
      "Mode":"MARKER","RW":true}]})"));
  host.files.AddFile("/var/lib/docker/containers/" + kId + "/config.v2.json",
                     R"({"Config":{"Env":["T=MARKER"]},"NoNewPrivileges":false,"Path":"MARKER"})");
  host.files.AddFile("/proc/42/cgroup", "0::/docker/" + kId);
  host.files.AddFile("/proc/42/environ", "TOKEN=MARKER");
  host.files.AddFile("/proc/42/cmdline", "MARKER");
  host.files.AddFile("/proc/42/status", "Name:\tMARKER\nUid:\t0\t0\t0\t0\n");
  const v1::ContainersFacts facts = host.Collect();
  ASSERT_EQ(facts.containers_size(), 1);
  EXPECT_TRUE(Has(facts.containers(0), R"pb(
    outcome { state: OK }
    image_ref: "reg/i:1"
    log_driver: "splunk"
    runtime { uid: 0 }
    security_options { seccomp: SECCOMP_CUSTOM other_count: 2 }
    healthcheck: HEALTHCHECK_CMD_SHELL)pb"));
  EXPECT_EQ(facts.SerializeAsString().find("MARKER"), std::string::npos) << facts.DebugString();
  EXPECT_EQ(host.files.read_paths().count("/proc/42/environ"), 0u);
  EXPECT_EQ(host.files.read_paths().count("/proc/42/cmdline"), 0u);
}

TEST(CollectContainers, WithoutAnEngineNothingIsAsked) {
  Host host;
  const auto facts =
      CollectContainers(host.env, "", host.plan, host.engine, host.daemon, host.volumes);
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::UNAVAILABLE);
  EXPECT_TRUE(host.docker.all_calls().empty());
}

}  // namespace
}  // namespace plimsoll::sources
