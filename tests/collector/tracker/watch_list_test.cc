#include "collector/tracker/watch_list.h"

#include <gtest/gtest.h>

namespace plimsoll::tracker {
namespace {

using Depth = host::FileWatcher::Target::Depth;

v1::CollectionPlan Plan() {
  v1::CollectionPlan plan;
  plan.add_units("docker.service");
  plan.add_units("../../etc/shadow");
  plan.add_paths("/etc/docker");
  plan.add_paths("relative");
  return plan;
}

v1::HostFacts Facts() {
  v1::HostFacts facts;
  facts.mutable_daemon()->set_pid(7);
  facts.mutable_daemon()->mutable_config_file()->set_path("/opt/docker.json");
  facts.mutable_engine()->set_docker_root_dir("/var/lib/docker");
  for (const char* path : {"/opt/docker.json", "/run/docker.sock", "/lib/systemd/a.service"}) {
    facts.mutable_files()->add_files()->set_path(path);
  }
  v1::Unit* unit = facts.mutable_units()->add_units();
  unit->set_fragment_path("/lib/systemd/a.service");
  return facts;
}

TEST(WatchList, EachFileLeadsToItsFacts) {
  const WatchLists lists = MakeWatchLists(Plan(), Facts());
  EXPECT_TRUE(lists.engine.targets.empty()) << "the engine sees the host's files";
  const auto& scopes = lists.host.scopes;
  const struct {
    const char* path;
    bool daemon, files, users, audit, swarm;
  } kCases[] = {
      {"/opt/docker.json", true, true, false, false, false},
      {"/etc/docker/daemon.json", true, true, false, false, false},
      {"/run/docker.sock", false, true, false, false, false},
      {"/etc/docker", false, true, false, false, false},
      {"/lib/systemd/a.service", true, true, false, false, false},
      {"/etc/systemd/system/docker.service", true, true, false, false, false},
      {"/etc/systemd/system/docker.service.d", true, true, false, false, false},
      {"/etc/docker/certs.d", false, true, false, false, false},
      {"/etc/passwd", false, false, true, false, false},
      {"/etc/group", false, false, true, false, false},
      {"/etc/audit/auditd.conf", false, false, false, true, false},
      {"/etc/audit/rules.d", false, false, false, true, false},
      {"/var/lib/docker/swarm/docker-state.json", false, false, false, false, true},
  };
  for (const auto& c : kCases) {
    ASSERT_TRUE(scopes.contains(c.path)) << c.path;
    const sources::Scope& scope = scopes.at(c.path);
    EXPECT_EQ(scope.daemon, c.daemon) << c.path;
    EXPECT_EQ(scope.files, c.files) << c.path;
    EXPECT_EQ(scope.users, c.users) << c.path;
    EXPECT_EQ(scope.audit, c.audit) << c.path;
    EXPECT_EQ(scope.swarm, c.swarm) << c.path;
    EXPECT_TRUE(lists.host.targets.contains(c.path));
  }
  const auto& targets = lists.host.targets;
  EXPECT_EQ(targets.at("/etc/systemd/system/docker.service.d").depth, Depth::kEntries);
  EXPECT_EQ(targets.at("/etc/audit/rules.d").depth, Depth::kEntries);
  EXPECT_EQ(targets.at("/etc/docker/certs.d").depth, Depth::kTwoLevels);
  EXPECT_EQ(targets.at("/var/lib/docker/swarm/docker-state.json").depth, Depth::kItself);
  for (const auto& [path, target] : targets) {
    EXPECT_EQ(path[0], '/') << path;
    EXPECT_EQ(path.find(".."), std::string::npos) << path;
  }
}

TEST(WatchList, AnEngineOfItsOwnMountNamespaceSeesItsOwnFiles) {
  v1::HostFacts facts = Facts();
  facts.mutable_machine()->mutable_engine_namespaces()->set_mnt(2);
  facts.mutable_machine()->mutable_init_namespaces()->set_mnt(1);
  const WatchLists lists = MakeWatchLists(Plan(), facts);
  EXPECT_TRUE(lists.engine.targets.contains("/opt/docker.json"));
  EXPECT_TRUE(lists.engine.targets.contains("/etc/docker/certs.d"));
  EXPECT_FALSE(lists.host.targets.contains("/opt/docker.json"));
  // Units and users are PID 1's.
  EXPECT_TRUE(lists.host.targets.contains("/lib/systemd/a.service"));
  EXPECT_FALSE(lists.engine.targets.contains("/lib/systemd/a.service"));
  EXPECT_TRUE(lists.host.targets.contains("/etc/group"));
}

TEST(WatchList, WithoutFactsTheFixedPartIsWatched) {
  const WatchLists lists = MakeWatchLists(Plan(), {});
  EXPECT_TRUE(lists.host.targets.contains("/etc/docker/daemon.json"));
  EXPECT_TRUE(lists.host.targets.contains("/etc/docker"));
  EXPECT_TRUE(lists.host.targets.contains("/etc/group"));
}

TEST(WatchList, AnEndlessPlanIsBounded) {
  v1::CollectionPlan plan;
  for (int i = 0; i < 10000; ++i) plan.add_paths("/x/" + std::to_string(i));
  EXPECT_LE(MakeWatchLists(plan, {}).host.targets.size(), 2048u);
}

}  // namespace
}  // namespace plimsoll::tracker
