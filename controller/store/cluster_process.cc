#include "controller/store/cluster_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/clock.h"

namespace plimsoll::store {
namespace {

namespace fs = std::filesystem;

// In the child, between fork and exec: only system calls.
bool BecomeUser(const ClusterUser& user) {
  if (geteuid() != 0) return true;
  return setgroups(1, &user.gid) == 0 && setgid(user.gid) == 0 && setuid(user.uid) == 0 &&
         geteuid() != 0;
}

bool HasBinaries(const fs::path& dir) {
  return access((dir / "postgres").c_str(), X_OK) == 0 &&
         access((dir / "initdb").c_str(), X_OK) == 0;
}

}  // namespace

absl::StatusOr<ClusterUser> FindClusterUser(const std::string& run_as) {
  const bool root = geteuid() == 0;
  const passwd* entry = root ? getpwnam(run_as.c_str()) : getpwuid(geteuid());
  if (entry == nullptr) {
    return absl::FailedPreconditionError(
        root ? absl::StrCat("PostgreSQL does not run as root, and there is no user \"", run_as,
                            "\" to run it as; install the package postgresql or name another user")
             : absl::StrCat("uid ", geteuid(),
                            " has no entry in the user database, which PostgreSQL needs"));
  }
  if (entry->pw_uid == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("PostgreSQL does not run as root, and user \"", run_as, "\" is root"));
  }
  return ClusterUser{entry->pw_name, entry->pw_uid, entry->pw_gid};
}

absl::StatusOr<std::string> FindBinaries(const std::string& bin_dir, const std::string& version) {
  if (!bin_dir.empty()) {
    if (HasBinaries(bin_dir)) return bin_dir;
    return absl::FailedPreconditionError(
        absl::StrCat("no programs postgres and initdb in ", bin_dir));
  }
  std::string best;
  int best_version = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string name = entry.path().filename();
    int number = 0;
    if (!absl::SimpleAtoi(name, &number) || number <= best_version) continue;
    if ((!version.empty() && name != version) || !HasBinaries(entry.path() / "bin")) continue;
    best_version = number;
    best = entry.path() / "bin";
  }
  if (!best.empty()) return best;
  const char* path = std::getenv("PATH");
  for (const absl::string_view dir : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    if (!dir.empty() && HasBinaries(std::string(dir))) return std::string(dir);
  }
  return absl::FailedPreconditionError(
      version.empty()
          ? "PostgreSQL is not installed and no database is configured: install the package "
            "postgresql, or give a database URL"
          : absl::StrCat("the data was written by PostgreSQL ", version,
                         ", which is not installed: install the package postgresql-", version));
}

Process::Process(pid_t pid)
    : pid_(pid), pidfd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}

Process::~Process() {
  if (pidfd_ >= 0) close(pidfd_);
}

absl::StatusOr<std::unique_ptr<Process>> Process::Spawn(const std::vector<std::string>& argv,
                                                        const ClusterUser& user, int log_fd,
                                                        const std::string& input) {
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  const char* environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "HOME=/", nullptr};
  int in[2];
  if (pipe2(in, O_CLOEXEC) != 0) return absl::UnavailableError("cannot make a pipe");
  const bool written =
      write(in[1], input.data(), input.size()) == static_cast<ssize_t>(input.size());
  close(in[1]);
  const pid_t pid = written ? fork() : -1;
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    umask(077);
    const bool ready = dup2(in[0], 0) == 0 && dup2(log_fd, 1) == 1 && dup2(log_fd, 2) == 2 &&
                       syscall(SYS_close_range, 3U, ~0U, 0U) == 0 && chdir("/") == 0 &&
                       BecomeUser(user);
    if (ready) execve(args[0], args.data(), const_cast<char**>(environment));
    _exit(127);
  }
  close(in[0]);
  if (pid < 0) return absl::UnavailableError(absl::StrCat("cannot start ", argv[0]));
  return std::unique_ptr<Process>(new Process(pid));
}

std::unique_ptr<Process> Process::Adopt(pid_t pid, const ClusterUser& user,
                                        const std::string& data_dir) {
  if (pid <= 1) return nullptr;
  // The handle first: what is checked below is then true of the very process it stands for.
  std::unique_ptr<Process> process(new Process(pid));
  const std::string proc = absl::StrCat("/proc/", pid);
  struct stat info;
  std::error_code error;
  if (stat(proc.c_str(), &info) != 0 || info.st_uid != user.uid) return nullptr;
  if (!fs::equivalent(fs::path(proc) / "cwd", data_dir, error)) return nullptr;
  if (fs::read_symlink(fs::path(proc) / "exe", error).filename().string().rfind("postgres", 0) !=
      0) {
    return nullptr;
  }
  return process;
}

bool Process::Wait(absl::Duration timeout) {
  if (ended_) return true;
  const absl::Time deadline = support::Clock::Real().Now() + timeout;
  while (true) {
    if (pidfd_ >= 0) {
      pollfd poll_fd = {pidfd_, POLLIN, 0};
      const absl::Duration left =
          std::max(deadline - support::Clock::Real().Now(), absl::ZeroDuration());
      ended_ = poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(left))) == 1;
    }
    int status = 0;
    const pid_t reaped = waitpid(pid_, &status, WNOHANG);
    if (reaped == pid_) {
      wait_status_ = status;
      ended_ = true;
    } else if (pidfd_ < 0 && reaped < 0) {
      // Not our child: it has ended when its number is free.
      ended_ = kill(pid_, 0) != 0 && errno == ESRCH;
    }
    if (ended_ || support::Clock::Real().Now() >= deadline) return ended_;
    if (pidfd_ < 0) absl::SleepFor(absl::Milliseconds(20));
  }
}

void Process::Signal(int number) {
  if (ended_) return;
  if (pidfd_ >= 0) {
    syscall(SYS_pidfd_send_signal, pidfd_, number, nullptr, 0);
  } else {
    kill(pid_, number);
  }
}

std::string FirstClosedDirectory(const std::vector<std::string>& directories,
                                 const ClusterUser& user) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (!BecomeUser(user)) _exit(255);
    for (size_t i = 0; i < directories.size(); ++i) {
      if (access(directories[i].c_str(), X_OK) != 0) _exit(static_cast<int>(i) + 1);
    }
    _exit(0);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const size_t index = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  if (index == 0) return "";
  return index <= directories.size() ? directories[index - 1] : directories.back();
}

}  // namespace plimsoll::store
