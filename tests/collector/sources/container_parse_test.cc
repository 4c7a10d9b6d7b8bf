#include "collector/sources/container_parse.h"

#include <dirent.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::Fixture;
using test::Has;

std::string IdOf(const std::string& inspect) {
  const size_t at = inspect.find("\"Id\":\"") + 6;
  return inspect.substr(at, inspect.find('"', at) - at);
}

v1::Container Read(const std::string& body, absl::Status* status = nullptr) {
  v1::Container container;
  container.set_id(IdOf(body));
  const absl::Status read = ReadInspectedContainer(body, AllowedLabels({}), &container);
  if (status != nullptr) {
    *status = read;
  } else {
    EXPECT_TRUE(read.ok()) << read;
  }
  return container;
}

v1::Container Recorded(const std::string& name) {
  return Read(Fixture(absl::StrCat("docker-20.10/containers/", name, ".json")));
}

// An inspect reply with pieces put into its parts; each piece starts with a comma, or is empty.
std::string Inspect(const std::string& host_config, const std::string& config = "",
                    const std::string& more = "") {
  return absl::StrCat(
      R"({"Id":"c1","State":{"Status":"running","Pid":9},"HostConfig":{"Privileged":false)",
      host_config, R"(},"Config":{"User":"")", config, "}", more, "}");
}

std::vector<std::string> RecordedNames() {
  std::vector<std::string> names;
  DIR* directory = ::opendir(PLIMSOLL_SOURCE_DIR "/tests/fixtures/docker-20.10/containers");
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (absl::EndsWith(name, ".json")) names.push_back(name.substr(0, name.size() - 5));
  }
  ::closedir(directory);
  return names;
}

TEST(ReadInspectedContainer, ReadsEveryRecordedContainer) {
  const std::vector<std::string> names = RecordedNames();
  EXPECT_GE(names.size(), 122u);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const v1::Container container = Recorded(name);
    EXPECT_EQ(container.name(), name == "ev-after-update" ? "ev" : name);
    EXPECT_TRUE(absl::StartsWith(container.image_id(), "sha256:"));
    EXPECT_NE(container.status(), v1::Container::STATUS_UNSPECIFIED);
    EXPECT_NE(container.healthcheck(), v1::HEALTHCHECK_KIND_UNSPECIFIED);
    EXPECT_TRUE(container.has_privileged());
    EXPECT_TRUE(container.has_readonly_rootfs());
    EXPECT_GT(container.create_time().seconds(), 1700000000);
    EXPECT_FALSE(container.log_driver().empty());
  }
}

TEST(ReadInspectedContainer, ReadsWhatIsSpecialAboutEachRecording) {
  const std::map<std::string, std::string> kCases = {
      {"plain", R"pb(status: RUNNING
                     privileged: false
                     readonly_rootfs: false
                     network_mode: "default"
                     ipc_mode: "private"
                     cgroupns_mode: "host"
                     restart_policy: "no"
                     log_driver: "json-file"
                     healthcheck: HEALTHCHECK_ABSENT
                     image_ref: "bb"
                     networks { name: "bridge" }
                     security_options {
                       seccomp: SECCOMP_DEFAULT
                       label_disabled: false
                       systempaths_unconfined: false
                       other_count: 0
                     })pb"},
      {"created", "status: CREATED privileged: true security_options { label_disabled: true }"},
      {"exited-3",
       "status: EXITED exit_code: 3 start_time { seconds: 1795331170 nanos: 556068419 }"},
      {"oom", "status: EXITED exit_code: 137 memory_limit_bytes: 6291456"},
      {"paused", "status: PAUSED pid: 29369"},
      {"restarting", "status: RESTARTING restart_policy: 'always' exit_code: 1"},
      {"ev-after-update", "memory_limit_bytes: 33554432"},
      {"everything", R"pb(user: "1000:1000"
                          readonly_rootfs: true
                          cap_drop: "ALL"
                          pids_limit: 100
                          memory_limit_bytes: 67108864
                          restart_policy: "on-failure"
                          restart_maximum_retry_count: 5
                          image_ref: "user:1"
                          network_mode: "app"
                          healthcheck: HEALTHCHECK_CMD_SHELL
                          health_status: "starting"
                          security_options { no_new_privileges: true }
                          networks { name: "app" }
                          ports {
                            container_port: 80
                            protocol: "tcp"
                            host_ip: "127.0.0.1"
                            host_port: 18099
                            origin: LIVE
                          }
                          ports {
                            container_port: 80
                            protocol: "tcp"
                            host_ip: "127.0.0.1"
                            host_port: 18099
                            origin: CONFIGURED
                          })pb"},
      {"user-padded-zero", "user: '00'"},
      {"user-zero-zero", "user: '0:0'"},
      {"user-root", "user: 'root'"},
      {"user-name", "user: 'app'"},
      {"user-image", "user: '1000'"},
      {"user-override-image", "user: '0'"},
      {"privileged", "privileged: true security_options { label_disabled: true }"},
      {"cap-add", "cap_add: ['NET_ADMIN', 'SYS_TIME']"},
      {"cap-add-lower", "cap_add: 'net_admin'"},
      {"cap-add-prefix", "cap_add: 'CAP_NET_ADMIN'"},
      {"cap-add-all", "cap_add: 'ALL'"},
      {"cap-drop-all-add", "cap_add: 'NET_BIND_SERVICE' cap_drop: 'ALL'"},
      {"nnp", "security_options { no_new_privileges: true }"},
      {"nnp-eq", "security_options { no_new_privileges: true }"},
      {"nnp-true", "security_options { no_new_privileges: true }"},
      {"nnp-false", "security_options { no_new_privileges: false }"},
      {"apparmor-unconfined", "security_options { apparmor: 'unconfined' }"},
      {"apparmor-colon", "security_options { apparmor: 'unconfined' }"},
      {"seccomp-unconfined", "security_options { seccomp: SECCOMP_UNCONFINED }"},
      {"label-disable", "security_options { label_disabled: true }"},
      {"label-type", "security_options { label_type: 'svirt_apache_t' }"},
      {"label-level", "security_options { label_level: 's0:c100,c200' }"},
      {"systempaths-unconfined", "security_options { systempaths_unconfined: true }"},
      {"net-host", "network_mode: 'host' networks { name: 'host' }"},
      {"net-none", "network_mode: 'none'"},
      {"net-two", "networks { name: 'app' } networks { name: 'bridge' }"},
      {"net-container",
       "network_mode: 'container:c6a461a554c0ad90e72f947f32287ebedb2cf1c71989d102e"
       "a614fa9049b2b4a'"},
      {"pid-host", "pid_mode: 'host'"},
      {"pid-container",
       "pid_mode: 'container:c6a461a554c0ad90e72f947f32287ebedb2cf1c71989d102ea614fa"
       "9049b2b4a'"},
      {"ipc-host", "ipc_mode: 'host'"},
      {"ipc-shareable", "ipc_mode: 'shareable'"},
      {"uts-host", "uts_mode: 'host'"},
      {"userns-host", "userns_mode: 'host'"},
      {"memory-reservation", "memory_reservation_bytes: 33554432"},
      {"pids-limit", "pids_limit: 100"},
      {"ulimit", "ulimits { name: 'nofile' soft: 1024 hard: 2048 }"},
      {"cgroup-parent", "cgroup_parent: '/odd'"},
      {"restart-on-failure", "restart_policy: 'on-failure' restart_maximum_retry_count: 0"},
      {"restart-on-failure-10", "restart_policy: 'on-failure' restart_maximum_retry_count: 10"},
      {"restart-unless-stopped", "restart_policy: 'unless-stopped'"},
      {"logdriver-none", "log_driver: 'none'"},
      {"device-r",
       "devices { host_path: '/dev/zero' container_path: '/dev/zero2' permissions: 'r' }"},
      {"device-rwm", "devices { host_path: '/dev/null' permissions: 'rwm' }"},
      {"device-cgroup-rule", "device_cgroup_rules: 'c 1:3 rwm'"},
      {"health-off", "healthcheck: HEALTHCHECK_NONE"},
      {"health-none-image", "healthcheck: HEALTHCHECK_NONE"},
      {"health-failing", "healthcheck: HEALTHCHECK_CMD_SHELL health_status: 'unhealthy'"},
      {"bind-root-ro",
       "mounts { type: 'bind' source: '/' destination: '/host' propagation: 'rslave' "
       "read_write: false }"},
      {"bind-sock", "mounts { source: '/var/run/docker.sock' read_write: true }"},
      {"volume-named", R"pb(mounts {
                              type: "volume"
                              name: "vol1"
                              driver: "local"
                              read_write: true
                              source: "/var/lib/docker/volumes/vol1/_data"
                              destination: "/data"
                            })pb"},
      {"propagation-mount-shared", "mounts { propagation: 'shared' }"},
      {"port-all", R"pb(publish_all_ports: true
                        exposed_only_count: 0
                        ports {
                          container_port: 53
                          protocol: "udp"
                          host_ip: "0.0.0.0"
                          host_port: 32768
                          origin: LIVE
                        }
                        ports { container_port: 53 protocol: "udp" host_ip: "::" host_port: 32768 }
                        ports { container_port: 80 protocol: "tcp" host_ip: "0.0.0.0" }
                        ports { container_port: 80 protocol: "tcp" host_ip: "::" })pb"},
      {"port-random", R"pb(ports { container_port: 80 origin: CONFIGURED }
                           ports { container_port: 80 host_ip: "0.0.0.0" host_port: 32768 }
                           ports { container_port: 80 host_ip: "::" host_port: 32768 })pb"},
      {"expose-only", "exposed_only_count: 1"},
      {"volume-image", "exposed_only_count: 2 health_status: 'healthy'"},
  };
  for (const auto& [name, expected] : kCases) {
    EXPECT_TRUE(Has(Recorded(name), expected)) << name;
  }
}

TEST(ReadInspectedContainer, WhatTheEngineDidNotSayIsAbsent) {
  const v1::Container plain = Recorded("plain");
  EXPECT_FALSE(plain.has_pids_limit());
  EXPECT_FALSE(plain.security_options().has_no_new_privileges());
  EXPECT_FALSE(plain.security_options().has_apparmor());
  EXPECT_FALSE(plain.has_health_status());
  EXPECT_EQ(plain.ports_size(), 0);
  EXPECT_FALSE(Recorded("created").has_pid());
  EXPECT_FALSE(Recorded("created").has_start_time());
  EXPECT_FALSE(Recorded("restarting").has_pid());
  EXPECT_FALSE(Recorded("privileged").security_options().systempaths_unconfined());
  for (const char* name : {"pids-zero", "pids-minus1"}) {
    EXPECT_FALSE(Recorded(name).has_pids_limit()) << name;
  }
  EXPECT_EQ(Read(Inspect(R"(,"PidsLimit":0)")).pids_limit(), 0);
  EXPECT_TRUE(Read(Inspect(R"(,"PidsLimit":0)")).has_pids_limit());
  EXPECT_FALSE(Read(Inspect(R"(,"PidsLimit":null)")).has_pids_limit());
  // Engine 29 leaves empty fields out.
  const v1::Container bare =
      Read(R"({"Id":"c1","State":{"Status":"exited"},"HostConfig":{},"Config":{}})");
  EXPECT_EQ(bare.user(), "");
  EXPECT_FALSE(bare.has_privileged());
  EXPECT_FALSE(bare.has_readonly_rootfs());
}

TEST(ReadInspectedContainer, ReadsDeviceRequestsAndNonRecursiveBinds) {
  const v1::Container container = Read(Inspect(
      R"(,"DeviceRequests":[{"Driver":"nvidia","Count":-1,"Capabilities":[["gpu","compute"],["x"]]}],
          "Mounts":[{"Target":"/b/","BindOptions":{"NonRecursive":true}},{"Target":"/a"}])",
      "", R"(,"Mounts":[{"Type":"bind","Source":"/2","Destination":"/b","RW":true},
                        {"Type":"bind","Source":"/1","Destination":"/a","RW":false}])"));
  EXPECT_TRUE(Has(container, R"pb(
    device_requests { driver: "nvidia" count: -1 capabilities: "gpu,compute" capabilities: "x" }
    mounts { source: "/1" destination: "/a" }
    mounts { source: "/2" destination: "/b" non_recursive: true read_write: true })pb"));
  EXPECT_FALSE(container.mounts(0).non_recursive());
}

TEST(ReadInspectedContainer, KeepsAllowedLabelsOnly) {
  const std::string body = Fixture("docker-20.10/daemon/swarm-default/service-container.json");
  const v1::Container task = Read(body);
  EXPECT_EQ(task.labels_size(), 4);
  EXPECT_EQ(task.labels().at("com.docker.swarm.service.name"), "svc");
  EXPECT_EQ(task.labels().count("com.docker.swarm.task.name"), 0u);
  EXPECT_TRUE(Recorded("labelled").labels().empty());
  v1::CollectionPlan plan;
  plan.add_label_keys("com.example.team");
  const std::string labelled = Fixture("docker-20.10/containers/labelled.json");
  v1::Container container;
  container.set_id(IdOf(labelled));
  ASSERT_TRUE(ReadInspectedContainer(labelled, AllowedLabels(plan), &container).ok());
  EXPECT_EQ(container.labels_size(), 1);
  EXPECT_EQ(container.labels().at("com.example.team"), "web");
}

TEST(ReadInspectedContainer, WrongTypesNameTheField) {
  const struct {
    std::string body;
    const char* field;
  } kCases[] = {
      {Inspect(R"(,"ReadonlyRootfs":"false")"), "HostConfig.ReadonlyRootfs"},
      {Inspect(R"(,"CapAdd":"ALL")"), "HostConfig.CapAdd"},
      {Inspect(R"(,"SecurityOpt":{})"), "HostConfig.SecurityOpt"},
      {Inspect(R"(,"PidsLimit":"100")"), "HostConfig.PidsLimit"},
      {Inspect(R"(,"Memory":1e30)"), "HostConfig.Memory"},
      {Inspect(R"(,"Devices":[7])"), "HostConfig.Devices[0]"},
      {Inspect("", R"(,"Labels":{"com.docker.compose.project":7})"),
       "Config.Labels.com.docker.compose.project"},
      {Inspect("", R"(,"Healthcheck":{"Test":"NONE"})"), "Config.Healthcheck.Test"},
      {Inspect("", "", R"(,"Mounts":{})"), "Mounts"},
      {Inspect("", "", R"(,"NetworkSettings":{"Networks":[]})"), "NetworkSettings.Networks"},
      {R"({"Id":"c1","State":{"Status":"running"},"Config":{}})", "HostConfig"},
      {R"({"Id":"c1","State":{"Status":"running"},"HostConfig":{}})", "Config"},
      {R"({"Id":"c1","HostConfig":{},"Config":{}})", "State"},
      {R"({"Id":"c1","State":{"Status":"frozen"},"HostConfig":{},"Config":{}})", "State.Status"},
      {R"({"Id":7})", "Id"},
  };
  for (const auto& c : kCases) {
    absl::Status status;
    Read(c.body, &status);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << c.body;
    EXPECT_TRUE(absl::StartsWith(status.message(), c.field)) << status;
  }
  v1::Container other;
  other.set_id("c2");
  EXPECT_EQ(ReadInspectedContainer(Inspect(""), {}, &other).code(), absl::StatusCode::kDataLoss);
}

TEST(ReadInspectedContainer, BoundsEverything) {
  std::string caps = R"(,"CapAdd":["X")";
  std::string bindings = R"(,"PortBindings":{"1/tcp":[{})";
  for (int i = 0; i < 5000; ++i) caps += R"(,"X")";
  for (int i = 0; i < 5000; ++i) bindings += ",{}";
  absl::Status status;
  EXPECT_EQ(Read(Inspect(caps + "]"), &status).cap_add_size(), 1024);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Read(Inspect(bindings + "]}"), &status).ports_size(), 4096);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  const std::string name(5000, 'n');
  const v1::Container container =
      Read(Inspect(R"(,"PidMode":")" + name + "\"", "", R"(,"Name":"/)" + name + "\""));
  EXPECT_EQ(container.name().size(), 255u);
  EXPECT_EQ(container.pid_mode().size(), 255u);
}

TEST(ReadInspectedContainer, HostileNamesStillSerialise) {
  const v1::Container container =
      Read(Inspect("", R"(,"Image":"u:secret@reg/i")", ",\"Name\":\"/<script>\xff\\u0000\\n\""));
  EXPECT_EQ(container.name(), "<script>\xEF\xBF\xBD\xEF\xBF\xBD\n");
  EXPECT_EQ(container.image_ref(), "reg/i");
  v1::Container copy;
  EXPECT_TRUE(copy.ParseFromString(container.SerializeAsString()));
}

TEST(ReadListedContainer, TakesItsOwnNameNotALinks) {
  const struct {
    const char *names, *name;
  } kCases[] = {{R"(["/web"])", "web"},
                {R"(["/db/alias","/web"])", "web"},
                {R"(["/web","/db/alias"])", "web"},
                {R"(["/db/alias"])", "db/alias"},
                {"null", ""}};
  for (const auto& c : kCases) {
    const auto document = host::JsonDocument::Parse(absl::StrCat(
        R"({"Id":"c1","Names":)", c.names, R"(,"State":"dead","Image":"a:b@r/i","Created":5})"));
    ASSERT_TRUE(document.ok());
    host::JsonErrors errors;
    const v1::Container container = ReadListedContainer(document->Object(errors));
    EXPECT_EQ(container.name(), c.name) << c.names;
    EXPECT_TRUE(Has(container, "status: DEAD image_ref: 'r/i' create_time { seconds: 5 }"));
  }
}

}  // namespace
}  // namespace plimsoll::sources
