#include "controller/evaluate/failing_containers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"

namespace plimsoll::evaluate {
namespace {

v1::Container MakeContainer(char digit) {
  v1::Container container;
  container.set_id(std::string(64, digit));
  container.set_name(absl::StrCat("web-", std::string(1, digit)));
  container.set_image_id("sha256:1");
  container.set_image_ref("nginx:1");
  container.set_privileged(true);
  v1::Container::Mount& mount = *container.add_mounts();
  mount.set_type("bind");
  mount.set_source("/srv/data");
  mount.set_real_source("/srv/data");
  mount.set_destination("/data");
  v1::Container::Port& port = *container.add_ports();
  port.set_container_port(80);
  port.set_origin(v1::Container::Port::CONFIGURED);
  return container;
}

// What each instance has of its own.
TEST(ContainerFingerprintTest, IsTheSameForInstancesOfOneConfiguration) {
  const v1::Container base = MakeContainer('a');
  const std::function<void(v1::Container&)> changes[] = {
      [](v1::Container& c) { c.set_id(std::string(64, 'b')); },
      [](v1::Container& c) { c.set_name("other"); },
      [](v1::Container& c) { c.mutable_outcome()->set_duration_us(9); },
      [](v1::Container& c) { c.mutable_create_time()->set_seconds(9); },
      [](v1::Container& c) { c.mutable_start_time()->set_seconds(9); },
      [](v1::Container& c) { c.set_status(v1::Container::EXITED); },
      [](v1::Container& c) { c.set_pid(9); },
      [](v1::Container& c) { c.set_exit_code(137); },
      [](v1::Container& c) { c.set_health_status("healthy"); },
      [](v1::Container& c) { c.mutable_runtime()->mutable_namespaces(); },
      [](v1::Container& c) { c.set_cgroup_parent("/kubepods/pod1"); },
      [](v1::Container& c) { (*c.mutable_labels())["com.docker.swarm.task.id"] = "t"; },
      [](v1::Container& c) {
        v1::Container::Port& live = *c.add_ports();
        live.set_container_port(80);
        live.set_host_port(49153);
        live.set_origin(v1::Container::Port::LIVE);
      },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    v1::Container changed = base;
    changes[i](changed);
    EXPECT_EQ(ContainerFingerprint(changed), ContainerFingerprint(base)) << i;
  }
  const auto pair = [&](const std::function<void(v1::Container&, char)>& set) {
    v1::Container one = MakeContainer('a'), two = MakeContainer('b');
    set(one, 'a');
    set(two, 'b');
    EXPECT_EQ(ContainerFingerprint(one), ContainerFingerprint(two));
    EXPECT_NE(ContainerFingerprint(one), ContainerFingerprint(base));
  };
  pair([](v1::Container& c, char d) { c.set_network_mode("container:" + std::string(64, d)); });
  pair([](v1::Container& c, char d) {
    v1::Container::NetworkAttachment& network = *c.add_networks();
    network.set_name("bridge");
    network.set_id(std::string(64, d));
  });
  pair([](v1::Container& c, char d) {
    v1::Container::Mount& volume = *c.add_mounts();
    volume.set_type("volume");
    volume.set_name(std::string(64, d));
    volume.set_source(absl::StrCat("/var/lib/docker/volumes/", std::string(64, d), "/_data"));
    volume.set_real_source(volume.source());
  });
  pair([](v1::Container& c, char d) {
    c.set_process_label(absl::StrCat("system_u:system_r:container_t:s0:c", d == 'a' ? 1 : 2));
  });
}

TEST(ContainerFingerprintTest, DiffersWithSettings) {
  const v1::Container base = MakeContainer('a');
  const std::function<void(v1::Container&)> changes[] = {
      [](v1::Container& c) { c.set_image_id("sha256:2"); },
      [](v1::Container& c) { c.set_privileged(false); },
      [](v1::Container& c) { c.clear_privileged(); },
      [](v1::Container& c) { c.add_cap_add("ALL"); },
      [](v1::Container& c) { c.set_user("root"); },
      [](v1::Container& c) { c.mutable_mounts(0)->set_source("/srv/other"); },
      [](v1::Container& c) { c.mutable_ports(0)->set_host_port(80); },
      [](v1::Container& c) { c.set_memory_limit_bytes(1); },
      [](v1::Container& c) { c.set_network_mode("host"); },
      [](v1::Container& c) { c.set_process_label("system_u:system_r:spc_t:s0"); },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    v1::Container changed = base;
    changes[i](changed);
    EXPECT_NE(ContainerFingerprint(changed), ContainerFingerprint(base)) << i;
  }
}

class FailingContainersTest : public ::testing::Test {
 protected:
  FailingContainersTest() {
    for (int i = 0; i < 4; ++i) {
      const std::string id = absl::StrCat("r", i);
      baseline_.add_rules()->set_id(id);
      v1::Verdict& verdict = *report_.add_verdicts();
      verdict.set_rule_id(id);
      verdict.set_status(v1::Verdict::FAIL);
    }
    for (const char digit : {'a', 'b', 'c', 'd'}) {
      *facts_.mutable_containers()->add_containers() = MakeContainer(digit);
    }
    facts_.mutable_containers()->mutable_containers(2)->set_user("root");
  }
  void Finding(int rule, const std::string& object,
               v1::Verdict::Status status = v1::Verdict::FAIL) {
    v1::Finding& finding = *report_.mutable_verdicts(rule)->add_findings();
    finding.set_object_id(object);
    finding.set_status(status);
  }
  static std::string Id(char digit) { return std::string(64, digit); }

  v1::HostFacts facts_;
  v1::Baseline baseline_;
  v1::HostReport report_;
};

TEST_F(FailingContainersTest, CountsByConfigurationAndRules) {
  Finding(0, Id('a'));
  Finding(0, Id('a'));
  Finding(0, Id('b'));
  Finding(2, Id('a'));
  Finding(2, Id('b'));
  Finding(2, Id('d'));
  Finding(0, Id('c'));
  Finding(2, Id('c'));
  Finding(3, "/etc/docker/daemon.json");
  Finding(3, "");
  // Neither what is not known nor what passes fails.
  Finding(1, Id('a'), v1::Verdict::UNKNOWN);
  Finding(1, Id('b'), v1::Verdict::PASS);
  const v1::FailingContainers failing = FailingContainersOf(facts_, baseline_, report_);
  ASSERT_EQ(failing.configurations_size(), 3);
  const uint64_t web = ContainerFingerprint(MakeContainer('a'));
  std::vector<std::string> lines;
  for (const auto& c : failing.configurations()) {
    std::string line = absl::StrCat(c.fingerprint() == web ? "web" : "root", " ", c.count(), ":");
    for (const int rule : c.rules()) absl::StrAppend(&line, " ", rule);
    lines.push_back(line);
  }
  EXPECT_THAT(lines, ::testing::UnorderedElementsAre("web 2: 0 2", "web 1: 2", "root 1: 0 2"));
  EXPECT_LE(failing.configurations(0).fingerprint(), failing.configurations(1).fingerprint());
  EXPECT_LE(failing.configurations(1).fingerprint(), failing.configurations(2).fingerprint());
}

TEST_F(FailingContainersTest, AVerdictThatIsNotFailCountsNothing) {
  Finding(0, Id('a'));
  report_.mutable_verdicts(0)->set_status(v1::Verdict::UNKNOWN);
  EXPECT_EQ(FailingContainersOf(facts_, baseline_, report_).configurations_size(), 0);
}

TEST_F(FailingContainersTest, KnownFingerprintsAreUsedUntilForgotten) {
  Finding(0, Id('a'));
  ContainerFingerprints fingerprints;
  const auto first = FailingContainersOf(facts_, baseline_, report_, fingerprints);
  facts_.mutable_containers()->mutable_containers(0)->set_user("root");
  const auto cached = FailingContainersOf(facts_, baseline_, report_, fingerprints);
  EXPECT_EQ(cached.SerializeAsString(), first.SerializeAsString());
  fingerprints.Forget(Id('a'));
  const auto fresh = FailingContainersOf(facts_, baseline_, report_, fingerprints);
  EXPECT_NE(fresh.SerializeAsString(), first.SerializeAsString());
}

}  // namespace
}  // namespace plimsoll::evaluate
