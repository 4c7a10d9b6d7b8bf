#include "controller/store/embedded_cluster.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/store/cluster_files.h"
#include "spdlog/spdlog.h"

namespace plimsoll::store {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStep = absl::Milliseconds(20);
constexpr absl::Duration kInitialiseTimeout = absl::Minutes(5);
constexpr absl::Duration kStartTimeout = absl::Minutes(5);
// A server that was killed may take this long to be gone, and its children to follow it.
constexpr absl::Duration kDying = absl::Milliseconds(100);
constexpr absl::Duration kOrphansTimeout = absl::Seconds(15);
constexpr absl::Duration kOrphansStep = absl::Milliseconds(500);
constexpr absl::Duration kFastShutdown = absl::Seconds(30);
constexpr absl::Duration kImmediateShutdown = absl::Seconds(5);

// Major version of the cluster in `data`; empty: none yet.
std::string VersionOf(const std::string& data) {
  std::string version;
  std::ifstream(data + "/PG_VERSION") >> version;
  return version;
}

// PostgreSQL says this too, but only in its log.
absl::Status CheckOwner(const std::string& data, const ClusterUser& user) {
  struct stat info;
  if (lstat(data.c_str(), &info) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot look at ", data, ": ", strerror(errno)));
  }
  if (info.st_uid != user.uid) {
    return absl::PermissionDeniedError(absl::StrCat(
        data, " belongs to uid ", info.st_uid, ", but PostgreSQL would run as ", user.name,
        "; start the controller as before, or run: chown -R ", user.name, " ", data));
  }
  if ((info.st_mode & 0027) != 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(data, " is open to others; run: chmod 0700 ", data));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedCluster>> EmbeddedCluster::Start(const Options& options) {
  std::unique_ptr<EmbeddedCluster> cluster(new EmbeddedCluster());
  absl::StatusOr<ClusterUser> user = FindClusterUser(options.run_as);
  if (!user.ok()) return user.status();
  cluster->user_ = *user;
  absl::StatusOr<std::string> pg_dir = PrepareDirectory(options.data_dir, *user);
  if (!pg_dir.ok()) return pg_dir.status();
  cluster->pg_dir_ = *pg_dir;
  absl::StatusOr<int> lock = TakeLock(*pg_dir);
  if (!lock.ok()) return lock.status();
  cluster->lock_fd_ = *lock;

  const std::string data = *pg_dir + "/data";
  absl::StatusOr<std::string> bin_dir = FindBinaries(options.bin_dir, VersionOf(data));
  if (!bin_dir.ok()) return bin_dir.status();
  cluster->bin_dir_ = *bin_dir;
  absl::StatusOr<int> log = OpenLog(*pg_dir);
  if (!log.ok()) return log.status();
  cluster->log_fd_ = *log;

  absl::Status status;
  if (VersionOf(data).empty()) status = cluster->Initialise();
  if (status.ok()) status = CheckOwner(data, *user);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> socket_dir = PrepareSocketDirectory(*pg_dir, *user);
  if (!socket_dir.ok()) return socket_dir.status();
  status = WriteConfiguration(*pg_dir, *socket_dir, *user);
  cluster->socket_dir_ = *socket_dir;
  if (status.ok() && !cluster->TakeOver()) status = cluster->Launch();
  if (!status.ok()) return status;
  cluster->url_ = absl::StrCat("host=", *socket_dir, " port=5432 dbname=plimsoll user=plimsoll");
  return cluster;
}

EmbeddedCluster::~EmbeddedCluster() {
  Stop();
  // Only a directory made for the socket below /tmp goes; it is empty now.
  if (!socket_dir_.empty() && socket_dir_ != pg_dir_ + "/run") rmdir(socket_dir_.c_str());
  if (log_fd_ >= 0) close(log_fd_);
  if (lock_fd_ >= 0) close(lock_fd_);
}

// Into a directory aside, so that a cluster is there as a whole or not at all.
absl::Status EmbeddedCluster::Initialise() {
  const std::string data = pg_dir_ + "/data";
  const std::string draft = pg_dir_ + "/data.new";
  std::error_code error;
  fs::remove_all(draft, error);
  if (mkdir(draft.c_str(), 0700) != 0 ||
      (geteuid() == 0 && chown(draft.c_str(), user_.uid, user_.gid) != 0)) {
    return absl::PermissionDeniedError(absl::StrCat("cannot make ", draft, ": ", strerror(errno)));
  }
  const struct {
    std::vector<std::string> argv;
    const char* input;
  } steps[] = {
      {{bin_dir_ + "/initdb", "--pgdata=" + draft, "--username=plimsoll", "--auth=reject",
        "--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync"},
       ""},
      {{bin_dir_ + "/postgres", "--single", "-F", "-D", draft, "template1"},
       "CREATE DATABASE plimsoll\n"},
  };
  struct stat before = {};
  fstat(log_fd_, &before);
  for (const auto& step : steps) {
    auto process = Process::Spawn(step.argv, user_, log_fd_, step.input);
    if (!process.ok()) return process.status();
    if (!(*process)->Wait(kInitialiseTimeout)) (*process)->Signal(SIGKILL);
    if (!(*process)->Wait(kImmediateShutdown) || !(*process)->succeeded()) {
      return absl::UnavailableError(
          absl::StrCat(step.argv[0], " failed; from ", LogTail(pg_dir_, before.st_size)));
    }
  }
  // The steps above leave the flushing to this one call, which takes seconds less than theirs.
  syncfs(log_fd_);
  if (rename(draft.c_str(), data.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot rename ", draft, " to ", data,
                                               ": remove what is there if it is not wanted"));
  }
  return absl::OkStatus();
}

bool EmbeddedCluster::TakeOver() {
  const PostmasterFile file = ReadPostmasterFile(pg_dir_);
  process_ = Process::Adopt(file.pid, user_, pg_dir_ + "/data");
  if (process_ != nullptr && process_->Wait(kDying)) process_ = nullptr;
  if (process_ == nullptr) {
    DisownPostmasterFile(pg_dir_, user_);
    unlink((socket_dir_ + "/.s.PGSQL.5432").c_str());
    unlink((socket_dir_ + "/.s.PGSQL.5432.lock").c_str());
    return false;
  }
  struct stat info;
  const bool reachable = stat((socket_dir_ + "/.s.PGSQL.5432").c_str(), &info) == 0;
  if (file.state == "ready" && reachable) {
    spdlog::info("took over the running database, pid {}", process_->pid());
    return true;
  }
  // Starting, stopping or cut off from its socket.
  Stop();
  return false;
}

absl::Status EmbeddedCluster::Launch() {
  absl::Status status = LaunchOnce();
  for (absl::Duration waited;
       absl::StrContains(status.message(), "shared memory block") && waited < kOrphansTimeout;
       waited += kOrphansStep) {
    absl::SleepFor(kOrphansStep);
    status = LaunchOnce();
  }
  return status;
}

absl::Status EmbeddedCluster::LaunchOnce() {
  struct stat before = {};
  fstat(log_fd_, &before);
  auto process = Process::Spawn({bin_dir_ + "/postgres", "-D", pg_dir_ + "/data", "-c",
                                 absl::StrCat("config_file=", pg_dir_, "/postgresql.conf")},
                                user_, log_fd_);
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  return AwaitReady(before.st_size);
}

absl::Status EmbeddedCluster::AwaitReady(off_t log_offset) {
  for (absl::Duration waited; waited < kStartTimeout; waited += kStep) {
    if (process_->Wait(kStep)) {
      process_ = nullptr;
      return absl::UnavailableError(
          absl::StrCat("PostgreSQL does not start; from ", LogTail(pg_dir_, log_offset)));
    }
    const PostmasterFile file = ReadPostmasterFile(pg_dir_);
    if (file.pid == process_->pid() && file.state == "ready") return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("PostgreSQL is not ready after ",
                                             absl::FormatDuration(kStartTimeout), "; from ",
                                             LogTail(pg_dir_, log_offset)));
}

void EmbeddedCluster::Stop() {
  if (process_ == nullptr) return;
  process_->Signal(SIGINT);
  if (!process_->Wait(kFastShutdown)) {
    spdlog::warn("database does not stop, pid {}: it will recover at the next start",
                 process_->pid());
    process_->Signal(SIGQUIT);
    process_->Wait(kImmediateShutdown);
  }
  process_ = nullptr;
}

}  // namespace plimsoll::store
