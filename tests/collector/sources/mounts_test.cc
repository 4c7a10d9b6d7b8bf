#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "collector/sources/sources.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using v1::SourceOutcome;

v1::EngineFacts Engine(const std::string& root, bool remapped = false) {
  v1::EngineFacts engine;
  engine.set_docker_root_dir(root);
  if (remapped) engine.add_security_options()->set_name("userns");
  return engine;
}

v1::DaemonFacts Daemon() {
  v1::DaemonFacts daemon;
  daemon.set_pid(500);
  return daemon;
}

test::DaemonHost& Fill(test::DaemonHost& host, const std::string& engine) {
  host.AddDaemon(500, "");
  host.files.AddFile("/proc/500/mountinfo", test::EngineFixture(engine, "mountinfo.txt"))
      .AddDirectory("/var/lib/docker/500000.500000")
      .AddDirectory("/var/log/audit");
  return host;
}

v1::AuditFacts NoAuditdConf() {
  v1::AuditFacts audit;
  audit.mutable_daemon_config()->mutable_outcome()->set_state(SourceOutcome::NOT_PRESENT);
  return audit;
}

std::vector<std::string> Points(const v1::MountsFacts& facts) {
  std::vector<std::string> points;
  for (const v1::MountEntry& entry : facts.entries()) {
    points.push_back(absl::StrCat(entry.device(), " ", entry.mount_point()));
  }
  return points;
}

TEST(CollectMounts, RecordedEngines) {
  const struct {
    const char* engine;
    v1::EngineFacts facts;
    std::vector<std::string> points;
  } kCases[] = {
      // dockerd's own bind mount of its data root is there, on the same device.
      {"stock", Engine("/var/lib/docker"), {"254:0 /", "254:0 /var/lib", "254:0 /var/lib/docker"}},
      {"partition-ext4",
       Engine("/var/lib/docker"),
       {"254:0 /", "254:0 /var/lib", "7:0 /var/lib/docker"}},
      {"userns-remap",
       Engine("/var/lib/docker/500000.500000", true),
       {"254:0 /", "254:0 /var/lib"}},
  };
  for (const auto& c : kCases) {
    test::DaemonHost host;
    const v1::MountsFacts facts = CollectMounts(Fill(host, c.engine).env, c.facts, Daemon(), {});
    EXPECT_EQ(facts.outcome().state(), SourceOutcome::OK);
    EXPECT_EQ(facts.data_root(), "/var/lib/docker") << c.engine;
    EXPECT_EQ(Points(facts), c.points) << c.engine;
  }
}

TEST(CollectMounts, TheLastOfSeveralMountsAtOnePointStaysLast) {
  test::DaemonHost host;
  Fill(host, "stock")
      .files.AddFile("/proc/500/mountinfo",
                     "1 0 8:1 / / rw - ext4 /dev/a rw\n"
                     "2 1 8:2 / /var/lib/docker rw - ext4 /dev/b rw\n"
                     "3 1 0:9 / /proc rw - proc proc rw\n"
                     "4 2 8:3 / /var/lib/docker rw - ext4 /dev/c rw\n"
                     "5 4 8:4 / /var/lib/docker/overlay2 rw - ext4 /dev/d rw\n"
                     "6 1 8:5 / /var/log/audit rw - ext4 /dev/e rw\n"
                     "7 1 8:6 / /var/lib/dockerx rw - ext4 /dev/f rw\n");
  EXPECT_EQ(Points(CollectMounts(host.env, Engine("/var/lib/docker"), Daemon(), NoAuditdConf())),
            (std::vector<std::string>{"8:1 /", "8:2 /var/lib/docker", "8:3 /var/lib/docker",
                                      "8:5 /var/log/audit"}));
}

TEST(CollectMounts, WhereTheDataRootComesFrom) {
  test::DaemonHost host;
  Fill(host, "stock")
      .files.AddDirectory("/srv/flag")
      .AddDirectory("/srv/file")
      .AddDirectory("/srv/1.2");
  const auto root = [&](const v1::EngineFacts& engine, const v1::DaemonFacts& daemon) {
    return CollectMounts(host.env, engine, daemon, {}).data_root();
  };
  v1::DaemonFacts daemon = Daemon();
  EXPECT_EQ(root({}, daemon), "/var/lib/docker");
  daemon.mutable_config_file()->mutable_settings()->set_data_root("/srv/file");
  EXPECT_EQ(root({}, daemon), "/srv/file");
  daemon.mutable_command_line()->mutable_settings()->set_data_root("/srv/flag");
  EXPECT_EQ(root({}, daemon), "/srv/flag");
  EXPECT_EQ(root(Engine("/var/lib/docker"), daemon), "/var/lib/docker");
  EXPECT_EQ(root(Engine("/srv/1.2"), daemon), "/srv/1.2") << "no remapping, no suffix";
  EXPECT_EQ(root(Engine("/srv/1.2", true), daemon), "/srv");
}

TEST(CollectMounts, LinksAreResolvedInTheDaemonsView) {
  test::DaemonHost host;
  Fill(host, "stock");
  host.process_files = std::make_unique<test::FakeFileSystem>();
  host.process_files->AddSymlink("/var/lib/docker", "/data/docker").AddDirectory("/data/docker");
  const v1::MountsFacts facts = CollectMounts(host.env, Engine("/var/lib/docker"), Daemon(), {});
  EXPECT_EQ(facts.data_root(), "/data/docker");
  EXPECT_EQ(facts.data_root_device(), "8:1");
  EXPECT_EQ(facts.data_root_parent_device(), "8:1");
}

TEST(CollectMounts, TheAuditLogsDirectory) {
  test::DaemonHost host;
  Fill(host, "stock").files.AddSymlink("/srv/log", "/var/log/audit");
  v1::AuditFacts audit;
  audit.mutable_daemon_config()->mutable_outcome()->set_state(SourceOutcome::OK);
  audit.mutable_daemon_config()->set_log_file("/srv/log/audit.log");
  v1::MountsFacts facts = CollectMounts(host.env, {}, Daemon(), audit);
  EXPECT_EQ(facts.audit_log_directory(), "/var/log/audit");
  EXPECT_EQ(facts.audit_log_outcome().state(), SourceOutcome::OK);

  audit.mutable_daemon_config()->set_log_file("/none/audit.log");
  facts = CollectMounts(host.env, {}, Daemon(), audit);
  EXPECT_EQ(facts.audit_log_outcome().state(), SourceOutcome::NOT_PRESENT);
  EXPECT_EQ(facts.audit_log_directory(), "");

  audit.mutable_daemon_config()->mutable_outcome()->set_state(SourceOutcome::PERMISSION_DENIED);
  facts = CollectMounts(host.env, {}, Daemon(), audit);
  EXPECT_EQ(facts.audit_log_outcome().state(), SourceOutcome::PERMISSION_DENIED);
}

TEST(CollectMounts, WithoutAnEngineTheAuditLogIsStillPlaced) {
  test::DaemonHost host;
  host.files.AddFile("/proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/a rw\n")
      .AddDirectory("/var/log/audit");
  v1::DaemonFacts daemon;
  daemon.mutable_outcome()->set_state(SourceOutcome::AMBIGUOUS);
  const v1::MountsFacts facts = CollectMounts(host.env, {}, daemon, NoAuditdConf());
  EXPECT_EQ(facts.outcome().state(), SourceOutcome::OK);
  EXPECT_EQ(facts.data_root_outcome().state(), SourceOutcome::AMBIGUOUS);
  EXPECT_EQ(facts.data_root(), "");
  EXPECT_EQ(Points(facts), std::vector<std::string>{"8:1 /"});
}

TEST(CollectMounts, UnreadableTables) {
  test::DaemonHost host;
  Fill(host, "stock").files.SetReadError("/proc/500/mountinfo", absl::PermissionDeniedError("no"));
  EXPECT_EQ(CollectMounts(host.env, {}, Daemon(), {}).outcome().state(),
            SourceOutcome::PERMISSION_DENIED);
  test::DaemonHost broken;
  Fill(broken, "stock").files.AddFile("/proc/500/mountinfo", "broken");
  EXPECT_EQ(CollectMounts(broken.env, {}, Daemon(), {}).outcome().state(),
            SourceOutcome::MALFORMED);
  test::DaemonHost gone;
  gone.AddDaemon(500, "");
  gone.files.AddFile("/proc/500/mountinfo", "");
  EXPECT_EQ(CollectMounts(gone.env, {}, Daemon(), {}).data_root_outcome().state(),
            SourceOutcome::NOT_PRESENT);
}

}  // namespace
}  // namespace plimsoll::sources
