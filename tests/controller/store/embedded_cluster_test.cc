#include "controller/store/embedded_cluster.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/store/store.h"

namespace plimsoll::store {
namespace {

namespace fs = std::filesystem;

std::string Contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Real user id of a process, from the kernel.
uid_t UidOf(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; status >> word;) {
    uid_t uid = 0;
    if (word == "Uid:" && status >> uid) return uid;
  }
  return static_cast<uid_t>(-1);
}

EmbeddedCluster::Options In(const std::string& data_dir) {
  EmbeddedCluster::Options options;
  options.data_dir = data_dir;
  return options;
}

bool Runs(pid_t pid) { return kill(pid, 0) == 0; }

class EmbeddedClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char dir[] = "/tmp/plimsoll-embedded-XXXXXX";
    ASSERT_NE(mkdtemp(dir), nullptr);
    dir_ = dir;
  }
  void TearDown() override { fs::remove_all(dir_); }

  auto Start() { return EmbeddedCluster::Start(In(dir_)); }

  // Runs `f` in a child of its own and returns the child's exit status; -1 when a signal ended it.
  template <class F>
  static int InChild(F f) {
    const pid_t pid = fork();
    if (pid == 0) _exit(f());
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string dir_;
};

TEST_F(EmbeddedClusterTest, KeepsItsDataAcrossRestarts) {
  pid_t pid = 0;
  {
    auto cluster = Start();
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    pid = (*cluster)->pid();
    auto store = Store::Open({.url = (*cluster)->url()});
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE(
        (*store)->tokens().Create({"t", "ann", Role::kAdmin}, "hash", absl::UnixEpoch(), {}).ok());
  }
  EXPECT_FALSE(Runs(pid));
  auto cluster = Start();
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  auto store = Store::Open({.url = (*cluster)->url()});
  ASSERT_TRUE(store.ok()) << store.status();
  auto found = (*store)->tokens().Find("hash", absl::UnixEpoch());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->name, "ann");
}

TEST_F(EmbeddedClusterTest, IsPrivateDurableAndNeverRoot) {
  auto cluster = Start();
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_NE(UidOf((*cluster)->pid()), 0u);
  EXPECT_EQ((*cluster)->url().find("password"), std::string::npos);
  struct stat info;
  ASSERT_EQ(stat((dir_ + "/postgres/data").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(stat((dir_ + "/postgres/run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  pqxx::connection connection((*cluster)->url());
  pqxx::nontransaction query(connection);
  const struct {
    const char* name;
    const char* value;
  } settings[] = {{"listen_addresses", ""},     {"fsync", "on"},
                  {"synchronous_commit", "on"}, {"full_page_writes", "on"},
                  {"server_encoding", "UTF8"},  {"unix_socket_permissions", "0700"}};
  for (const auto& setting : settings) {
    EXPECT_EQ(query.exec(absl::StrCat("SHOW ", setting.name))[0][0].as<std::string>(),
              setting.value)
        << setting.name;
  }
  // Nobody else may connect, not even as another role.
  EXPECT_THROW(pqxx::connection(absl::StrCat((*cluster)->url(), " user=postgres")),
               pqxx::broken_connection);
}

TEST_F(EmbeddedClusterTest, ASecondControllerIsToldWhoHoldsIt) {
  auto first = Start();
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_TRUE(absl::StrContains(second.status().message(), absl::StrCat("pid ", getpid(), ",")))
      << second.status();
  // And has done the first no harm.
  EXPECT_NO_THROW(pqxx::connection((*first)->url()));
  first->reset();
  EXPECT_TRUE(Start().ok());
}

// Starts a cluster in a child that is then killed with SIGKILL; returns the server's pid.
pid_t StartAndBeKilled(const std::string& dir) {
  int pipe_fds[2];
  EXPECT_EQ(pipe(pipe_fds), 0);
  const pid_t holder = fork();
  if (holder == 0) {
    auto cluster = EmbeddedCluster::Start(In(dir));
    pid_t pid = 0;
    if (cluster.ok()) {
      pqxx::connection connection((*cluster)->url());
      pqxx::nontransaction(connection).exec("CREATE TABLE kept AS SELECT 7 AS n");
      pid = (*cluster)->pid();
    }
    (void)!write(pipe_fds[1], &pid, sizeof pid);
    pause();
  }
  pid_t pid = 0;
  EXPECT_EQ(read(pipe_fds[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  return pid;
}

int64_t Kept(const EmbeddedCluster& cluster) {
  pqxx::connection connection(cluster.url());
  return pqxx::nontransaction(connection).exec("SELECT n FROM kept")[0][0].as<int64_t>();
}

TEST_F(EmbeddedClusterTest, TakesOverWhatAKilledControllerLeft) {
  const pid_t server = StartAndBeKilled(dir_);
  ASSERT_GT(server, 0);
  {
    auto cluster = Start();
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    EXPECT_EQ((*cluster)->pid(), server);
    EXPECT_EQ(Kept(**cluster), 7);
  }
  EXPECT_FALSE(fs::exists(dir_ + "/postgres/data/postmaster.pid"));
}

TEST_F(EmbeddedClusterTest, RecoversWhenTheServerWasKilledToo) {
  const pid_t server = StartAndBeKilled(dir_);
  ASSERT_GT(server, 0);
  // A child of it is still there for a while, and holds its memory.
  pqxx::connection held(
      absl::StrCat("host=", dir_, "/postgres/run port=5432 dbname=plimsoll user=plimsoll"));
  ASSERT_EQ(kill(held.backendpid(), SIGSTOP), 0);
  ASSERT_EQ(kill(server, SIGKILL), 0);
  std::thread releaser([pid = held.backendpid()] {
    absl::SleepFor(absl::Seconds(1));
    kill(pid, SIGCONT);
  });
  auto cluster = Start();
  releaser.join();
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_NE((*cluster)->pid(), server);
  EXPECT_EQ(Kept(**cluster), 7);
}

TEST_F(EmbeddedClusterTest, DoesNotBelieveAForeignPid) {
  { ASSERT_TRUE(Start().ok()); }
  // The pid file names this very test: a server would not start, and must not be signalled.
  const std::string file = dir_ + "/postgres/data/postmaster.pid";
  std::ofstream(file) << getpid() << "\n" << dir_ << "\n";
  struct stat info;
  ASSERT_EQ(stat((dir_ + "/postgres/data").c_str(), &info), 0);
  ASSERT_EQ(chown(file.c_str(), info.st_uid, info.st_gid), 0);
  auto cluster = Start();
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_NE((*cluster)->pid(), getpid());
}

TEST_F(EmbeddedClusterTest, AnInterruptedInitialisationIsStartedAgain) {
  fs::create_directories(dir_ + "/postgres/data.new/base");
  auto cluster = Start();
  EXPECT_TRUE(cluster.ok()) << cluster.status();
}

TEST_F(EmbeddedClusterTest, UsesAShortSocketPathWhereTheDirectoryIsLongOrOdd) {
  const std::string cases[] = {std::string(100, 'x'), "a b,c'd"};
  for (const std::string& name : cases) {
    const std::string dir = dir_ + "/" + name;
    ASSERT_EQ(chmod(dir_.c_str(), 0711), 0);
    std::string url;
    {
      auto cluster = EmbeddedCluster::Start(In(dir));
      ASSERT_TRUE(cluster.ok()) << cluster.status();
      url = (*cluster)->url();
      EXPECT_TRUE(absl::StartsWith(url, "host=/tmp/plimsoll-pg-")) << url;
      EXPECT_NO_THROW(pqxx::connection{url});
    }
    const std::string socket_dir = url.substr(5, url.find(' ') - 5);
    EXPECT_FALSE(fs::exists(socket_dir));
  }
}

TEST_F(EmbeddedClusterTest, SaysWhatIsMissing) {
  const struct {
    EmbeddedCluster::Options options;
    absl::StatusCode code;
    const char* says;
  } cases[] = {
      {{dir_, "/nowhere", "postgres"}, absl::StatusCode::kFailedPrecondition, "/nowhere"},
      {{dir_, "", "root"}, absl::StatusCode::kFailedPrecondition, "root"},
      {{dir_, "", "no-such-user"}, absl::StatusCode::kFailedPrecondition, "no-such-user"},
  };
  for (const auto& c : cases) {
    if (geteuid() != 0 && c.options.bin_dir.empty()) continue;
    const absl::Status status = EmbeddedCluster::Start(c.options).status();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), c.says)) << status;
  }
}

TEST_F(EmbeddedClusterTest, SaysWhichVersionTheDataNeeds) {
  fs::create_directories(dir_ + "/postgres/data");
  std::ofstream(dir_ + "/postgres/data/PG_VERSION") << "9999\n";
  const char* path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  const absl::Status status = Start().status();
  setenv("PATH", path, 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "postgresql-9999")) << status;
}

TEST_F(EmbeddedClusterTest, RefusesDirectoriesWithWrongOwnersOrModes) {
  ASSERT_EQ(geteuid(), 0u) << "needs root to change owners, as tests/run has it";
  { ASSERT_TRUE(Start().ok()); }
  const std::string data = dir_ + "/postgres/data";
  struct stat info;
  ASSERT_EQ(stat(data.c_str(), &info), 0);

  ASSERT_EQ(chmod(data.c_str(), 0755), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(Start().status())) << Start().status();
  ASSERT_EQ(chmod(data.c_str(), 0700), 0);

  ASSERT_EQ(chown(data.c_str(), 0, 0), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(Start().status())) << Start().status();
  ASSERT_EQ(chown(data.c_str(), info.st_uid, info.st_gid), 0);

  // A directory above that the server's user may not enter, and that is not ours to open.
  const std::string closed = dir_ + "/closed";
  fs::create_directory(closed);
  ASSERT_EQ(chmod(closed.c_str(), 0700), 0);
  const absl::Status status = EmbeddedCluster::Start(In(closed + "/controller")).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "chmod o+x " + closed)) << status;
  EXPECT_TRUE(Start().ok());
}

TEST_F(EmbeddedClusterTest, ShowsTheLogWhenTheServerDoesNotStart) {
  { ASSERT_TRUE(Start().ok()); }
  fs::remove(dir_ + "/postgres/data/global/pg_control");
  const absl::Status status = Start().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "pg_control")) << status;
  EXPECT_TRUE(absl::StrContains(Contents(dir_ + "/postgres/postgres.log"), "pg_control"));
}

TEST_F(EmbeddedClusterTest, RunsAsAnUnprivilegedController) {
  const passwd* nobody = getpwnam("nobody");
  ASSERT_EQ(geteuid(), 0u) << "needs root to become somebody else, as tests/run has it";
  ASSERT_NE(nobody, nullptr);
  ASSERT_EQ(chown(dir_.c_str(), nobody->pw_uid, nobody->pw_gid), 0);
  const int exit_status = InChild([&] {
    if (setgid(nobody->pw_gid) != 0 || setuid(nobody->pw_uid) != 0) return 1;
    auto cluster = Start();
    if (!cluster.ok()) std::cerr << cluster.status() << std::endl;
    if (!cluster.ok()) return 2;
    if (UidOf((*cluster)->pid()) != nobody->pw_uid) return 3;
    return Store::Open({.url = (*cluster)->url()}).ok() ? 0 : 4;
  });
  EXPECT_EQ(exit_status, 0);
}

}  // namespace
}  // namespace plimsoll::store
