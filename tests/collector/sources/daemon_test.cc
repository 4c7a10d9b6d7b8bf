#include <gtest/gtest.h>

#include <string>

#include "collector/sources/sources.h"
#include "tests/collector/sources/daemon_host.h"

namespace plimsoll::sources {
namespace {

using v1::SourceOutcome;

constexpr char kConfig[] = "/etc/docker/daemon.json";

std::string Words(std::initializer_list<std::string> words) {
  std::string joined;
  for (const std::string& word : words) joined += word + '\0';
  return joined;
}

v1::EngineFacts Rootless() {
  v1::EngineFacts engine;
  engine.add_security_options()->set_name("rootless");
  return engine;
}

TEST(CollectDaemon, RecordedEngines) {
  const struct {
    const char* engine;
    bool has_file;
    SourceOutcome::State file_state;
  } kCases[] = {
      {"stock", false, SourceOutcome::NOT_PRESENT},
      {"hardened-flags", false, SourceOutcome::NOT_PRESENT},
      {"hardened-json", true, SourceOutcome::OK},
      {"bad-json", true, SourceOutcome::OK},
  };
  for (const auto& c : kCases) {
    test::DaemonHost host;
    host.AddDaemon(500, test::EngineFixture(c.engine, "cmdline.bin"));
    host.files.AddDirectory("/etc/docker");
    if (c.has_file) host.files.AddFile(kConfig, test::EngineFixture(c.engine, "daemon.json"));
    const v1::DaemonFacts facts = CollectDaemon(host.env, {}, {});
    EXPECT_EQ(facts.outcome().state(), SourceOutcome::OK) << c.engine;
    EXPECT_EQ(facts.command_line().outcome().state(), SourceOutcome::OK);
    EXPECT_EQ(facts.config_file().outcome().state(), c.file_state) << c.engine;
    EXPECT_EQ(facts.config_file().path(), kConfig);
    EXPECT_FALSE(facts.config_file().path_is_explicit());
    EXPECT_EQ(facts.config_file().sha256().empty(), !c.has_file);
    EXPECT_EQ(facts.config_file().has_modify_time(), c.has_file);
    EXPECT_EQ(facts.environment().outcome().state(), SourceOutcome::OK);
  }
}

TEST(CollectDaemon, ThePathOfTheFile) {
  const struct {
    const char* name;
    const char* executable;
    std::string cmdline;
    v1::EngineFacts engine;
    const char* path;
    bool is_explicit;
  } kCases[] = {
      {"default", "/usr/sbin/dockerd", Words({"dockerd"}), {}, kConfig, false},
      {"flag",
       "/usr/sbin/dockerd",
       test::EngineFixture("config-file-elsewhere", "cmdline.bin"),
       {},
       "/etc/other-daemon.json",
       true},
      {"flag with =",
       "/usr/sbin/dockerd",
       test::EngineFixture("config-file-elsewhere-eq", "cmdline.bin"),
       {},
       "/etc/other-daemon.json",
       true},
      {"relative",
       "/usr/sbin/dockerd",
       Words({"dockerd", "--config-file=d.json"}),
       {},
       "/srv/d.json",
       true},
      {"rootless", "/usr/bin/dockerd", Words({"dockerd"}), Rootless(),
       "/home/ann/.config/docker/daemon.json", false},
      {"rootless by flag",
       "/usr/bin/dockerd",
       Words({"dockerd", "--rootless"}),
       {},
       "/home/ann/.config/docker/daemon.json",
       false},
      {"snap",
       "/snap/docker/2915/bin/dockerd",
       Words({"dockerd"}),
       {},
       "/var/snap/docker/current/config/daemon.json",
       false},
  };
  for (const auto& c : kCases) {
    test::DaemonHost host;
    host.AddDaemon(500, c.cmdline);
    host.files.AddSymlink("/proc/500/exe", c.executable)
        .AddSymlink("/proc/500/cwd", "/srv")
        .AddFile(c.path, R"({"icc": false})");
    host.names.users.push_back({"ann", 0, 0, "/home/ann"});
    const v1::DaemonFacts facts = CollectDaemon(host.env, c.engine, {});
    EXPECT_EQ(facts.config_file().path(), c.path) << c.name;
    EXPECT_EQ(facts.config_file().path_is_explicit(), c.is_explicit) << c.name;
    EXPECT_TRUE(facts.config_file().settings().has_icc()) << c.name;
  }
}

TEST(CollectDaemon, TheFileIsReadAsTheDaemonSeesIt) {
  test::DaemonHost host;
  host.AddDaemon(500, Words({"dockerd"}));
  host.files.AddFile(kConfig, R"({"icc": true})");
  host.process_files = std::make_unique<test::FakeFileSystem>();
  host.process_files->AddFile(kConfig, R"({"icc": false})");
  EXPECT_FALSE(CollectDaemon(host.env, {}, {}).config_file().settings().icc());

  host.process_files->SetError("/", absl::PermissionDeniedError("not ours"));
  EXPECT_TRUE(CollectDaemon(host.env, {}, {}).config_file().settings().icc());
}

TEST(CollectDaemon, EachPartHasItsOwnOutcome) {
  test::DaemonHost host;
  host.AddDaemon(500, Words({"dockerd", "-D"}));
  host.files.AddFile(kConfig, "{\"icc\": MARKER");
  host.files.SetReadError("/proc/500/environ", absl::PermissionDeniedError("no"));
  host.files.SetReadError("/proc/500/exe", absl::PermissionDeniedError("no"));
  v1::DaemonFacts facts = CollectDaemon(host.env, {}, {});
  EXPECT_EQ(facts.outcome().state(), SourceOutcome::OK);
  EXPECT_EQ(facts.executable(), "");
  EXPECT_EQ(facts.environment().outcome().state(), SourceOutcome::PERMISSION_DENIED);
  EXPECT_EQ(facts.config_file().outcome().state(), SourceOutcome::MALFORMED);
  EXPECT_TRUE(facts.command_line().settings().debug());
  EXPECT_EQ(facts.SerializeAsString().find("MARKER"), std::string::npos);

  host.files.AddFile(kConfig, std::string((1 << 20) + 1, ' '));
  EXPECT_EQ(CollectDaemon(host.env, {}, {}).config_file().outcome().state(),
            SourceOutcome::TRUNCATED);

  host.files.SetReadError("/proc/500/cmdline", absl::PermissionDeniedError("no"));
  facts = CollectDaemon(host.env, {}, {});
  EXPECT_EQ(facts.command_line().outcome().state(), SourceOutcome::PERMISSION_DENIED);
  // Which file it is, only the command line could tell.
  EXPECT_EQ(facts.config_file().outcome().state(), SourceOutcome::PERMISSION_DENIED);
}

TEST(CollectDaemon, NoDaemonAndSeveralDaemons) {
  test::DaemonHost host;
  host.files.AddFile(kConfig, R"({"icc": false})");
  v1::DaemonFacts facts = CollectDaemon(host.env, {}, {});
  EXPECT_EQ(facts.outcome().state(), SourceOutcome::UNAVAILABLE);
  EXPECT_EQ(facts.command_line().outcome().state(), SourceOutcome::UNAVAILABLE);
  EXPECT_EQ(facts.environment().outcome().state(), SourceOutcome::UNAVAILABLE);
  EXPECT_EQ(facts.config_file().outcome().state(), SourceOutcome::OK);

  host.AddProcess(500, "/usr/sbin/dockerd");
  host.AddProcess(600, "/usr/sbin/dockerd");
  facts = CollectDaemon(host.env, {}, {});
  EXPECT_EQ(facts.outcome().state(), SourceOutcome::AMBIGUOUS);
  EXPECT_EQ(facts.command_line().outcome().state(), SourceOutcome::AMBIGUOUS);
  EXPECT_EQ(facts.candidate_pids_size(), 2);
}

TEST(CollectDaemon, TwoNamesOfTheEnvironmentAndNoMore) {
  test::DaemonHost host;
  host.AddDaemon(500, Words({"dockerd", "--http-proxy=http://u:MARKER@p"}));
  host.files.AddFile("/proc/500/environ",
                     Words({"HTTP_PROXY=http://u:MARKER@p", "DOCKER_TLS_VERIFY=MARKER",
                            "XDOCKER_CERT_PATH=MARKER", "DOCKER_CERT_PATH=/srv/certs", "MARKER"}));
  v1::DaemonFacts facts = CollectDaemon(host.env, {}, {});
  EXPECT_TRUE(facts.environment().docker_tls_verify_set());
  EXPECT_EQ(facts.environment().docker_cert_path(), "/srv/certs");
  EXPECT_EQ(facts.SerializeAsString().find("MARKER"), std::string::npos);

  host.files.AddFile("/proc/500/environ", Words({"DOCKER_TLS_VERIFY="}));
  facts = CollectDaemon(host.env, {}, {});
  EXPECT_FALSE(facts.environment().docker_tls_verify_set());
  EXPECT_FALSE(facts.environment().has_docker_cert_path());
}

}  // namespace
}  // namespace plimsoll::sources
