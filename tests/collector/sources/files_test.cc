#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "collector/sources/file_fact.h"
#include "collector/sources/file_paths.h"
#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::FakeFileSystem;
using test::Has;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Not;

v1::FileFact Examine(const FakeFileSystem& files, const std::string& path) {
  const support::FakeClock clock(absl::FromUnixSeconds(1800000000));
  v1::FileFact fact;
  FileExaminer(files, clock).Examine(path, &fact);
  return fact;
}

TEST(FileFactTest, OwnerModeTypeLinks) {
  FakeFileSystem files;
  files.AddFile("/etc/docker/daemon.json", "{}", 04640, {5, 6})
      .SetModifyTime("/etc/docker/daemon.json", absl::FromUnixMillis(1700000000250))
      .AddDirectory("/etc/docker", 01755, {0, 7})
      .AddSymlink("/var/run", "/run")
      .AddSocket("/run/docker.sock", 0660, {0, 998})
      .AddSymlink("/etc/alias.json", "docker/daemon.json")
      .AddSpecial("/dev/fifo", host::FileType::kFifo)
      .AddSpecial("/dev/char", host::FileType::kCharacterDevice, 0666)
      .AddSpecial("/dev/block", host::FileType::kBlockDevice);
  const struct {
    const char* path;
    const char* expected;
  } kRows[] = {
      {"/etc/docker/daemon.json",
       "canonical_path: '/etc/docker/daemon.json' type: REGULAR mode: 2464 uid: 5 gid: 6 "
       "device: '8:1' size_bytes: 2 modify_time { seconds: 1700000000 nanos: 250000000 }"},
      {"/etc/docker", "canonical_path: '/etc/docker' type: DIRECTORY mode: 1005 gid: 7"},
      {"//etc///docker/", "path: '//etc///docker/' canonical_path: '/etc/docker' type: DIRECTORY"},
      {"/etc/alias.json",
       "canonical_path: '/etc/docker/daemon.json' is_symlink: true type: REGULAR mode: 2464"},
      {"/var/run/docker.sock",
       "canonical_path: '/run/docker.sock' type: SOCKET mode: 432 gid: 998"},
      {"/dev/fifo", "type: FIFO"},
      {"/dev/char", "type: CHARACTER_DEVICE"},
      {"/dev/block", "type: BLOCK_DEVICE"},
      {"/", "type: DIRECTORY canonical_path: '/'"}};
  for (const auto& row : kRows) {
    const v1::FileFact fact = Examine(files, row.path);
    EXPECT_TRUE(Has(fact, absl::StrCat("outcome { state: OK } ", row.expected))) << row.path;
    EXPECT_EQ(fact.path(), row.path);
  }
  EXPECT_FALSE(Examine(files, "/var/run/docker.sock").is_symlink()) << "only its directory is one";
  EXPECT_FALSE(Examine(files, "/etc/docker").has_modify_time());
}

TEST(FileFactTest, ParentsThatOthersMayWrite) {
  const struct {
    uint32_t mode;
    test::Owner owner;
    bool writable;
  } kRows[] = {{0755, {0, 0}, false},   {0775, {0, 0}, true},    {0757, {0, 0}, true},
               {01777, {0, 0}, false},  {0755, {1000, 0}, true}, {01777, {1000, 0}, true},
               {0755, {0, 1000}, false}};
  for (const auto& row : kRows) {
    FakeFileSystem files;
    files.AddFile("/d/f").AddDirectory("/d", row.mode, row.owner).AddSymlink("/l", "/d/f");
    EXPECT_EQ(Examine(files, "/d/f").parent_writable_by_others(), row.writable) << row.mode;
    EXPECT_EQ(Examine(files, "/l").parent_writable_by_others(), row.writable) << "the target's";
  }
}

TEST(FileFactTest, AclEntries) {
  FakeFileSystem files;
  files.AddSocket("/run/docker.sock", 0660)
      .SetAcl("/run/docker.sock", {{host::AclEntry::Tag::kUser, 1000, 6},
                                   {host::AclEntry::Tag::kGroup, 0, 4},
                                   {host::AclEntry::Tag::kMask, {}, 7}});
  const v1::FileFact fact = Examine(files, "/run/docker.sock");
  EXPECT_TRUE(Has(fact, R"pb(acl { tag: USER qualifier: 1000 permissions: 6 }
                             acl { tag: GROUP qualifier: 0 permissions: 4 }
                             acl { tag: MASK permissions: 7 })pb"));
  EXPECT_FALSE(fact.acl(2).has_qualifier());
  files.SetReadError("/run/docker.sock", absl::DataLossError("io"));
  EXPECT_EQ(Examine(files, "/run/docker.sock").outcome().state(), v1::SourceOutcome::MALFORMED);
}

TEST(FileFactTest, MissingIsNotUnreadable) {
  FakeFileSystem files;
  files.AddDirectory("/etc/docker")
      .AddFile("/etc/file")
      .AddDirectory("/blind")
      .SetReadError("/blind", absl::PermissionDeniedError("no"))
      .SetError("/closed", absl::PermissionDeniedError("no"))
      .SetError("/broken/x", absl::DataLossError("io"))
      .AddDirectory("/broken")
      .AddSymlink("/loop", "/loop")
      .AddSymlink("/lib", "usr/lib")
      .AddDirectory("/usr/lib")
      .AddSymlink("/etc/dangling", "docker/gone.json")
      .AddSymlink("/etc/dangling-far", "../lib/a/b")
      .AddSymlink("/dir-dangling", "/nowhere");
  const struct {
    const char* path;
    v1::SourceOutcome::State state;
    const char* canonical;
    bool is_symlink;
  } kRows[] = {
      {"/etc/docker/daemon.json", v1::SourceOutcome::NOT_PRESENT, "/etc/docker/daemon.json", false},
      {"/lib/none", v1::SourceOutcome::NOT_PRESENT, "/usr/lib/none", false},
      {"/lib/none/deep/er", v1::SourceOutcome::NOT_PRESENT, "/usr/lib/none/deep/er", false},
      {"/none", v1::SourceOutcome::NOT_PRESENT, "/none", false},
      {"/etc/file/below", v1::SourceOutcome::NOT_PRESENT, "/etc/file/below", false},
      {"/etc/dangling", v1::SourceOutcome::NOT_PRESENT, "/etc/docker/gone.json", true},
      {"/etc/dangling-far", v1::SourceOutcome::NOT_PRESENT, "/usr/lib/a/b", true},
      {"/dir-dangling/x", v1::SourceOutcome::NOT_PRESENT, "/nowhere/x", false},
      {"/blind/none", v1::SourceOutcome::PERMISSION_DENIED, "/blind/none", false},
      {"/closed/none", v1::SourceOutcome::PERMISSION_DENIED, "", false},
      {"/broken/x", v1::SourceOutcome::MALFORMED, "", false},
      {"/loop", v1::SourceOutcome::UNAVAILABLE, "", true},
      {"relative", v1::SourceOutcome::UNSUPPORTED, "", false},
      {"", v1::SourceOutcome::UNSUPPORTED, "", false}};
  for (const auto& row : kRows) {
    const v1::FileFact fact = Examine(files, row.path);
    EXPECT_EQ(fact.outcome().state(), row.state) << row.path << fact.outcome().message();
    EXPECT_EQ(fact.canonical_path(), row.canonical) << row.path;
    EXPECT_EQ(fact.is_symlink(), row.is_symlink) << row.path;
    EXPECT_EQ(fact.type(), v1::FileFact::TYPE_UNSPECIFIED) << row.path;
  }
}

struct Configured {
  v1::EngineFacts engine;
  v1::DaemonFacts daemon;
  v1::UnitsFacts units;
  std::set<std::string> Paths(const FakeFileSystem& files = {}) const {
    return EnginePaths(files, engine, daemon, units);
  }
};

TEST(EnginePathsTest, ProgramsConfigurationAndDataRoot) {
  Configured c;
  EXPECT_THAT(c.Paths(), ElementsAre("/etc/docker/daemon.json", "/var/run/docker.sock"));
  c.engine.set_docker_root_dir("/data/100000.100000");
  c.engine.set_socket_path("/run/other.sock");
  c.daemon.set_executable("/usr/sbin/dockerd");
  c.daemon.set_containerd_executable("/usr/bin/containerd");
  c.daemon.mutable_config_file()->set_path("/srv/daemon.json");
  EXPECT_THAT(c.Paths(), ElementsAre("/data", "/data/100000.100000", "/etc/docker/daemon.json",
                                     "/run/other.sock", "/srv/daemon.json", "/usr/bin/containerd",
                                     "/usr/sbin/dockerd", "/var/run/docker.sock"));
  for (const char* plain : {"/data/1.a", "/data/.5", "/data/5.", "/data/5"}) {
    c.engine.set_docker_root_dir(plain);
    EXPECT_THAT(c.Paths(), Not(Contains("/data"))) << plain;
  }
}

TEST(EnginePathsTest, TlsFiles) {
  Configured c;
  v1::Settings* line = c.daemon.mutable_command_line()->mutable_settings();
  v1::Settings* file = c.daemon.mutable_config_file()->mutable_settings();
  c.daemon.set_home_directory("/home/d");
  EXPECT_THAT(c.Paths(), Not(Contains("/home/d/.docker/ca.pem"))) << "TLS is off";
  line->set_tlscacert("/tls/ca.pem");
  file->set_tlskey("keys/key.pem");
  EXPECT_THAT(c.Paths(), Contains("/tls/ca.pem"));
  EXPECT_THAT(c.Paths(), Not(Contains("keys/key.pem")));
  c.daemon.set_working_directory("/");
  EXPECT_THAT(c.Paths(), Contains("/keys/key.pem"));
  c.daemon.set_working_directory("/srv/docker");
  EXPECT_THAT(c.Paths(), Contains("/srv/docker/keys/key.pem"));
  line->set_tlsverify(false);
  EXPECT_THAT(c.Paths(), Contains("/home/d/.docker/cert.pem")) << "even tlsverify=false is TLS";
  EXPECT_THAT(c.Paths(), Not(Contains("/home/d/.docker/ca.pem"))) << "named otherwise";
  c.daemon.mutable_environment()->set_docker_cert_path("/certs");
  EXPECT_THAT(c.Paths(), Contains("/certs/cert.pem"));
  c.daemon.mutable_environment()->clear_docker_cert_path();
  c.daemon.clear_home_directory();
  EXPECT_THAT(c.Paths(), Contains("/root/.docker/cert.pem"));
}

TEST(EnginePathsTest, UnixSockets) {
  Configured c;
  auto* hosts = c.daemon.mutable_command_line()->mutable_settings()->mutable_hosts();
  for (const char* host : {"unix:///a.sock", "fd://", "tcp://0.0.0.0:2375", ":2376"}) {
    hosts->add_values(host);
  }
  c.daemon.mutable_config_file()->mutable_settings()->mutable_hosts()->add_values("unix:///b.sock");
  v1::Unit* unit = c.units.add_units();
  unit->add_listen()->set_address("/run/docker.sock");
  unit->add_listen()->set_address("2375");
  EXPECT_THAT(c.Paths(),
              ElementsAre("/a.sock", "/b.sock", "/etc/docker/daemon.json", "/run/docker.sock"));
  hosts->add_values("unix://");
  EXPECT_THAT(c.Paths(), Contains("/var/run/docker.sock"));
}

TEST(EnginePathsTest, TheDefaultRuntime) {
  Configured c;
  FakeFileSystem files;
  c.engine.set_default_runtime_path("runc");
  files.AddFile("/usr/sbin/runc").AddFile("/usr/bin/runc");
  EXPECT_THAT(c.Paths(files),
              IsSupersetOf({"/usr/local/sbin/runc", "/usr/local/bin/runc", "/usr/sbin/runc"}));
  EXPECT_THAT(c.Paths(files), Not(Contains("/usr/bin/runc")));
  EXPECT_THAT(c.Paths(), Contains("/bin/runc")) << "found nowhere: all are evidence";
  c.engine.set_default_runtime_path("/opt/runc");
  EXPECT_THAT(c.Paths(files), Contains("/opt/runc"));
}

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() { daemon_.set_pid(812); }
  v1::FilesFacts Collect() { return CollectFiles(host_.env, plan_, engine_, daemon_, units_); }
  static const v1::FileFact* Find(const v1::FilesFacts& facts, const std::string& path) {
    for (const v1::FileFact& file : facts.files()) {
      if (file.path() == path) return &file;
    }
    return nullptr;
  }

  FakeEngineHost host_;
  v1::CollectionPlan plan_;
  v1::EngineFacts engine_;
  v1::DaemonFacts daemon_;
  v1::UnitsFacts units_;
};

TEST_F(FilesTest, SortedOnceEachInTheEnginesView) {
  host_.files.AddFile("/etc/default/docker", "", 0644).AddFile("/lib/unit", "", 0600);
  host_.process_files[812] = FakeFileSystem();
  host_.process_files[812].AddFile("/etc/default/docker", "", 0666).AddFile("/lib/unit", "", 0777);
  for (const char* path : {"/etc/default/docker", "/zz", "/etc/docker/daemon.json", "/zz"}) {
    plan_.add_paths(path);
  }
  v1::Unit* unit = units_.add_units();
  unit->set_load_state(v1::Unit::LOADED);
  unit->set_fragment_path("/lib/unit");
  unit->add_drop_in_paths("/lib/unit.d/a.conf");
  v1::Unit* masked = units_.add_units();
  masked->set_load_state(v1::Unit::MASKED);
  masked->set_fragment_path("/dev/null");
  v1::FilesFacts facts = Collect();
  std::vector<std::string> paths;
  for (const v1::FileFact& file : facts.files()) paths.push_back(file.path());
  EXPECT_THAT(paths, ElementsAre("/etc/default/docker", "/etc/docker/daemon.json", "/lib/unit",
                                 "/lib/unit.d/a.conf", "/var/run/docker.sock", "/zz"));
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK);
  EXPECT_EQ(Find(facts, "/etc/default/docker")->mode(), 0666u) << "what the engine sees";
  EXPECT_EQ(Find(facts, "/lib/unit")->mode(), 0600u) << "what PID 1 sees";

  host_.process_files[812].SetError("/", absl::PermissionDeniedError("no"));
  facts = Collect();
  EXPECT_EQ(Find(facts, "/etc/default/docker")->mode(), 0644u) << "the host's own view";
}

TEST_F(FilesTest, ALongPlanIsCutOffAndSaysSo) {
  for (int i = 0; i < 1100; ++i) plan_.add_paths(absl::StrCat("/p/", i));
  const v1::FilesFacts facts = Collect();
  EXPECT_EQ(facts.files_size(), 1024);
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::TRUNCATED);
  EXPECT_NE(Find(facts, "/etc/docker/daemon.json"), nullptr);
}

TEST_F(FilesTest, RegistryCertificates) {
  host_.files.AddFile("/etc/docker/certs.d/reg:5000/ca.crt", "", 0444)
      .AddFile("/etc/docker/certs.d/reg:5000/client.cert", "", 0644, {0, 5})
      .AddFile("/etc/docker/certs.d/reg:5000/client.key", "", 0400)
      .AddFile("/etc/docker/certs.d/a/b/c/deep.pem")
      .AddFile("/etc/docker/certs.d/top.crt")
      .AddFile("/etc/docker/certs.d/notes.txt")
      .AddFile("/etc/docker/certs.d/x/UPPER.CRT")
      .AddDirectory("/etc/docker/certs.d/dir.crt")
      .AddSpecial("/etc/docker/certs.d/fifo.key", host::FileType::kFifo)
      .AddSymlink("/etc/docker/certs.d/circle", "..")
      .AddSymlink("/etc/docker/certs.d/gone.pem", "/gone")
      .AddFile("/etc/pki/real.crt", "", 0640)
      .AddSymlink("/etc/docker/certs.d/x/link.crt", "/etc/pki/real.crt")
      .AddFile("/etc/docker/certs.d/x/bad\xff.crt");
  const v1::FilesFacts facts = Collect();
  EXPECT_EQ(facts.registry_certificates_outcome().state(), v1::SourceOutcome::OK);
  std::vector<std::string> paths;
  for (const v1::FileFact& file : facts.registry_certificates()) paths.push_back(file.path());
  EXPECT_THAT(
      paths,
      ElementsAre("/etc/docker/certs.d/a/b/c/deep.pem", "/etc/docker/certs.d/reg:5000/ca.crt",
                  "/etc/docker/certs.d/reg:5000/client.cert",
                  "/etc/docker/certs.d/reg:5000/client.key", "/etc/docker/certs.d/top.crt",
                  "/etc/docker/certs.d/x/bad\xEF\xBF\xBD.crt", "/etc/docker/certs.d/x/link.crt"));
  EXPECT_TRUE(Has(facts.registry_certificates(6),
                  "is_symlink: true canonical_path: '/etc/pki/real.crt' mode: 416"));
  EXPECT_TRUE(Has(facts.registry_certificates(5), "outcome { state: OK }"));
  for (const std::string& read : host_.files.read_paths()) {
    ADD_FAILURE() << read << " was opened: certificates and keys never are";
  }
}

TEST_F(FilesTest, RegistryCertificatesThatCannotBeListed) {
  const auto state = [this] { return Collect().registry_certificates_outcome().state(); };
  EXPECT_EQ(state(), v1::SourceOutcome::NOT_PRESENT);
  host_.files.AddDirectory("/etc/docker/certs.d");
  EXPECT_EQ(state(), v1::SourceOutcome::OK);
  host_.files.AddFile("/etc/docker/certs.d/a/ca.crt").AddFile("/etc/docker/certs.d/b/ca.crt");
  host_.files.SetReadError("/etc/docker/certs.d/a", absl::PermissionDeniedError("no"));
  EXPECT_EQ(state(), v1::SourceOutcome::PERMISSION_DENIED);
  EXPECT_EQ(Collect().registry_certificates_size(), 1) << "the others are still looked at";
  host_.files.SetError("/etc/docker/certs.d/b/ca.crt", absl::DataLossError("io"));
  EXPECT_EQ(Collect().registry_certificates(0).outcome().state(), v1::SourceOutcome::MALFORMED);
  host_.files.SetError("/etc/docker", absl::PermissionDeniedError("no"));
  EXPECT_EQ(state(), v1::SourceOutcome::PERMISSION_DENIED);
}

TEST_F(FilesTest, TooManyRegistryCertificates) {
  for (int i = 0; i < 4095; ++i) host_.files.AddFile(absl::StrCat("/etc/docker/certs.d/x/", i));
  EXPECT_EQ(Collect().registry_certificates_outcome().state(), v1::SourceOutcome::OK);
  host_.files.AddFile("/etc/docker/certs.d/x/last");
  EXPECT_EQ(Collect().registry_certificates_outcome().state(), v1::SourceOutcome::TRUNCATED);
}

}  // namespace
}  // namespace plimsoll::sources
