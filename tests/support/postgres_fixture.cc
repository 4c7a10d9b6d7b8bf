#include "tests/support/postgres_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <pqxx/pqxx>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace plimsoll::testing {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Die(const std::string& why) {
  std::cerr << "postgres fixture: " << why << std::endl;
  std::_Exit(70);
}

// The unprivileged user that runs PostgreSQL; ourselves unless we are root.
const passwd& RunAs() {
  static const passwd* const user = geteuid() == 0 ? getpwnam("postgres") : getpwuid(geteuid());
  if (user == nullptr) Die("no user to run PostgreSQL as");
  return *user;
}

fs::path BinDir() {
  fs::path best;
  int best_version = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    const int version = std::atoi(entry.path().filename().c_str());
    if (version <= best_version || !fs::exists(entry.path() / "bin/initdb")) continue;
    best_version = version;
    best = entry.path() / "bin";
  }
  if (best.empty()) Die("PostgreSQL is not installed: apt-get install postgresql");
  return best;
}

// Starts `argv` as RunAs(), output to `log`. The child gets SIGQUIT when this process dies.
pid_t Spawn(const std::vector<std::string>& argv, const fs::path& log) {
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const passwd& user = RunAs();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(out, 1);
  dup2(out, 2);
  if (geteuid() == 0 &&
      (setgroups(0, nullptr) != 0 || setgid(user.pw_gid) != 0 || setuid(user.pw_uid) != 0)) {
    _exit(126);
  }
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent || chdir("/") != 0) _exit(126);
  for (const char* name : {"PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE"}) unsetenv(name);
  execv(args[0], args.data());
  _exit(127);
}

void Run(const std::vector<std::string>& argv, const fs::path& log) {
  int status = 0;
  if (waitpid(Spawn(argv, log), &status, 0) < 0 || status != 0) {
    Die(absl::StrCat(argv[0], " failed, see ", log.string()));
  }
}

// An initialised data directory that later processes copy: initdb takes ten times as long.
fs::path Template(const fs::path& bin) {
  const fs::path root = absl::StrCat("/tmp/plimsoll-test-postgres-", geteuid(), "-",
                                     bin.parent_path().filename().string());
  fs::create_directory(root);
  struct stat info;
  if (lstat(root.c_str(), &info) != 0 || info.st_uid != geteuid()) {
    Die(root.string() + " belongs to another user");
  }
  chmod(root.c_str(), 0711);
  const int lock = open((root / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX) != 0) Die("cannot lock " + root.string());
  if (!fs::exists(root / "data")) {
    fs::remove_all(root / "new");
    fs::create_directory(root / "new");
    if (chown((root / "new").c_str(), RunAs().pw_uid, RunAs().pw_gid) != 0) Die("chown failed");
    Run({bin / "initdb", "-D", root / "new", "-U", "plimsoll", "-A", "trust", "-E", "UTF8",
         "--locale=C", "--no-sync", "--no-instructions"},
        root / "initdb.log");
    fs::rename(root / "new", root / "data");
  }
  close(lock);
  return root / "data";
}

class Cluster {
 public:
  Cluster() {
    char dir[] = "/tmp/plimsoll-pg-XXXXXX";
    if (mkdtemp(dir) == nullptr) Die("mkdtemp failed");
    dir_ = dir;
    if (chown(dir, RunAs().pw_uid, RunAs().pw_gid) != 0) Die("chown failed");
    const fs::path bin = BinDir();
    const fs::path log = absl::StrCat(dir, ".log");
    Run({"/bin/cp", "-a", Template(bin), dir_ / "data"}, log);
    pid_ =
        Spawn({bin / "postgres", "-D", dir_ / "data", "-k", dir_, "-c", "listen_addresses=", "-c",
               "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c",
               "shared_buffers=32MB", "-c", "autovacuum=off", "-c", "jit=off"},
              log);
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (true) {
      try {
        pqxx::connection connection(Url("postgres"));
        break;
      } catch (const std::exception& error) {
        if (absl::Now() > deadline || waitpid(pid_, nullptr, WNOHANG) == pid_) {
          Die(absl::StrCat("PostgreSQL does not start, see ", log.string(), ": ", error.what()));
        }
      }
      absl::SleepFor(absl::Milliseconds(10));
    }
    fs::remove(log);
  }

  ~Cluster() {
    if (getpid() != owner_) return;
    kill(pid_, SIGQUIT);
    waitpid(pid_, nullptr, 0);
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }

  std::string Url(const std::string& database) const {
    return absl::StrCat("host=", dir_.string(), " user=plimsoll dbname=", database);
  }

 private:
  const pid_t owner_ = getpid();
  fs::path dir_;
  pid_t pid_ = -1;
};

}  // namespace

std::string FreshDatabase() {
  static const Cluster cluster;
  static std::atomic<int> count{0};
  const std::string name = absl::StrCat("test_", ++count);
  pqxx::connection connection(cluster.Url("postgres"));
  pqxx::nontransaction(connection)
      .exec("CREATE DATABASE " + name + " TEMPLATE template0 STRATEGY file_copy");
  return cluster.Url(name);
}

std::unique_ptr<store::Store> FreshStore() {
  auto store = store::Store::Open({.url = FreshDatabase(), .pool_size = 4});
  if (!store.ok()) Die(store.status().ToString());
  return *std::move(store);
}

}  // namespace plimsoll::testing
