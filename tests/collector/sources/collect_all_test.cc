#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "collector/sources/sources.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using v1::SourceOutcome;

// The outcome of every section that a message of HostFacts holds, by name.
std::map<std::string, SourceOutcome> Outcomes(const v1::HostFacts& facts) {
  std::map<std::string, SourceOutcome> outcomes;
  const auto* descriptor = v1::HostFacts::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* section = descriptor->field(i);
    if (section->is_repeated() || section->message_type() == nullptr) continue;
    const auto* outcome = section->message_type()->FindFieldByName("outcome");
    if (outcome == nullptr) continue;
    const auto& message = facts.GetReflection()->GetMessage(facts, section);
    outcomes[section->name()] =
        static_cast<const SourceOutcome&>(message.GetReflection()->GetMessage(message, outcome));
  }
  return outcomes;
}

TEST(CollectAll, WithoutAnEngineTheHostIsStillCollected) {
  test::DaemonHost host;
  host.AddProcess(1, "/usr/lib/systemd/systemd", 0);
  host.files.AddFile("/proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/a rw\n")
      .AddDirectory("/var/log/audit")
      .AddFile("/etc/audit/audit.rules", "-w /etc\n");
  v1::CollectionPlan plan;
  plan.add_paths("/etc/audit");
  const v1::HostFacts facts =
      CollectAll(host.env, plan, "/run/docker.sock", {{"site", "a\xff"}, {"rack", "7"}});
  EXPECT_FALSE(facts.collector_version().empty());
  EXPECT_EQ(facts.observed_time().seconds(), 1700000000);
  EXPECT_EQ(facts.labels().at("site"), "a\xEF\xBF\xBD");
  EXPECT_EQ(facts.labels().at("rack"), "7");

  const std::map<std::string, SourceOutcome> outcomes = Outcomes(facts);
  EXPECT_EQ(outcomes.size(), 14u);
  for (const auto& [section, outcome] : outcomes) {
    EXPECT_NE(outcome.state(), SourceOutcome::NOT_COLLECTED) << section;
  }
  for (const char* section :
       {"engine", "containers", "images", "volumes", "networks", "swarm", "daemon", "listeners"}) {
    EXPECT_EQ(outcomes.at(section).state(), SourceOutcome::UNAVAILABLE) << section;
    EXPECT_FALSE(outcomes.at(section).message().empty()) << section;
  }
  for (const char* section : {"audit", "mounts", "files"}) {
    EXPECT_EQ(outcomes.at(section).state(), SourceOutcome::OK) << section;
  }
  EXPECT_EQ(facts.audit().persisted_rules_size(), 1);
  EXPECT_GE(facts.files().files_size(), 1);
}

// An engine with a few replies; 404 for all else.
class ScriptedDockerClient : public test::PeerOnlyDockerClient {
 public:
  std::map<std::string, std::string> replies;

  absl::StatusOr<std::string> Get(absl::string_view path) override {
    const auto reply = replies.find(std::string(path));
    if (reply == replies.end()) return absl::NotFoundError("no such path");
    return reply->second;
  }
  void GetEach(const std::vector<std::string>& paths, const Done& done) override {
    for (size_t i = 0; i < paths.size(); ++i) {
      const absl::StatusOr<std::string> body = Get(paths[i]);
      if (body.ok()) done(i, absl::string_view(*body));
      if (!body.ok()) done(i, body.status());
    }
  }
};

TEST(CollectAll, ImagesKnowHowManyContainersUseThem) {
  test::DaemonHost host;
  ScriptedDockerClient docker;
  const auto container = [](const std::string& id, const std::string& image) {
    return absl::StrCat(R"({"Id": ")", id, R"(", "Name": "/c", "Image": ")", image,
                        R"(", "State": {"Status": "exited"}, "Config": {}, "HostConfig": {},)",
                        R"( "NetworkSettings": {}, "Mounts": []})");
  };
  docker.replies = {
      {"/version",
       R"({"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Components": [{"Name": "Engine", "Version": "20.10.24"}]})"},
      {"/v1.41/containers/json?all=1",
       R"([{"Id": "c1", "Names": ["/a"]}, {"Id": "c2", "Names": ["/b"]}])"},
      {"/v1.41/containers/c1/json", container("c1", "sha256:used")},
      {"/v1.41/containers/c2/json", container("c2", "sha256:used")},
      {"/v1.41/images/json", R"([{"Id": "sha256:idle"}, {"Id": "sha256:used"}])"},
      {"/v1.41/images/sha256:idle/json", R"({"Id": "sha256:idle", "Config": {}})"},
      {"/v1.41/images/sha256:used/json", R"({"Id": "sha256:used", "Config": {}})"},
  };
  host::HostEnv env{docker,       host.files, host.env.files_of_process, host.audit, host.names,
                    host.systemd, host.clock};
  const v1::HostFacts facts = CollectAll(env, {}, "/run/docker.sock", {});
  ASSERT_EQ(facts.images().images_size(), 2) << facts.images().outcome().message();
  EXPECT_EQ(facts.images().images(0).container_count(), 0);
  EXPECT_EQ(facts.images().images(1).container_count(), 2);
}

TEST(CollectAll, TheSameHostGivesTheSameBytes) {
  test::DaemonHost host;
  host.AddDaemon(500, std::string("dockerd\0", 8));
  const v1::CollectionPlan plan;
  EXPECT_EQ(CollectAll(host.env, plan, "/run/docker.sock", {}).SerializeAsString(),
            CollectAll(host.env, plan, "/run/docker.sock", {}).SerializeAsString());
}

}  // namespace
}  // namespace plimsoll::sources
