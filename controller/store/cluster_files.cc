#include "controller/store/cluster_files.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/strings/substitute.h"
#include "proto/support/logging.h"
#include "spdlog/spdlog.h"

namespace plimsoll::store {
namespace {

namespace fs = std::filesystem;

// sun_path holds 108 bytes with its NUL; the socket is named .s.PGSQL.5432.
constexpr size_t kLongestSocketDirectory = 107 - sizeof("/.s.PGSQL.5432") + 1;
constexpr off_t kLongLog = 8 << 20;

// Settled for a controller that shares a small machine. Statements and their values are not logged.
constexpr char kConfiguration[] = R"(# Written by the controller at each start: changes are lost.
listen_addresses = ''
unix_socket_directories = '$0'
unix_socket_permissions = 0700
port = 5432
hba_file = '$1/pg_hba.conf'
ident_file = '$1/pg_ident.conf'
max_connections = 60
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
max_parallel_workers_per_gather = 0
work_mem = 8MB
maintenance_work_mem = 64MB
max_wal_size = 512MB
min_wal_size = 80MB
wal_compression = on
synchronous_commit = on
fsync = on
full_page_writes = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = off
log_destination = 'stderr'
log_line_prefix = '%m [%p] '
log_min_messages = warning
log_min_error_statement = panic
log_checkpoints = off
)";

absl::Status Failed(absl::string_view what, const std::string& path) {
  const int error = errno;
  const std::string message = absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(error));
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(message);
  }
  return absl::UnavailableError(message);
}

// Replaces `path` as a whole.
absl::Status WriteFile(const std::string& path, const std::string& text, mode_t mode, gid_t group) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return Failed("write", draft);
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       (geteuid() != 0 || fchown(fd, 0, group) == 0) && fchmod(fd, mode) == 0 &&
                       fsync(fd) == 0;
  close(fd);
  if (!written || rename(draft.c_str(), path.c_str()) != 0) return Failed("write", path);
  return absl::OkStatus();
}

std::string ReadFile(const std::string& path, off_t offset = 0, size_t limit = 4096) {
  std::string text(limit, '\0');
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  const ssize_t size = fd < 0 ? 0 : pread(fd, text.data(), text.size(), offset);
  if (fd >= 0) close(fd);
  text.resize(std::max<ssize_t>(size, 0));
  return text;
}

// A directory of the user's own that nobody else may enter, and no link to one.
bool IsPrivateDirectory(const std::string& path, const ClusterUser& user) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == user.uid &&
         (info.st_mode & 0077) == 0;
}

absl::Status MakeDirectory(const std::string& path, mode_t mode, uid_t owner, gid_t group) {
  if (mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return absl::OkStatus();
    return Failed("make directory", path);
  }
  if (geteuid() == 0 && chown(path.c_str(), owner, group) != 0) return Failed("chown", path);
  if (chmod(path.c_str(), mode) != 0) return Failed("chmod", path);
  return absl::OkStatus();
}

// Lets the user's group pass through a directory that root keeps private.
absl::Status OpenToGroup(const std::string& dir, const ClusterUser& user) {
  struct stat info;
  if (stat(dir.c_str(), &info) != 0) return Failed("look at", dir);
  if (geteuid() != 0 || info.st_uid != 0 || (info.st_mode & 0077) != 0) return absl::OkStatus();
  if (chown(dir.c_str(), 0, user.gid) != 0 || chmod(dir.c_str(), 0710) != 0) {
    return Failed("open", dir);
  }
  return absl::OkStatus();
}

// Neither PostgreSQL's list of directories nor libpq's list of hosts can take it apart.
bool IsPlain(absl::string_view path) {
  return std::all_of(path.begin(), path.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::string_view("/._-+").find(c) != absl::string_view::npos;
  });
}

}  // namespace

absl::StatusOr<std::string> PrepareDirectory(const std::string& data_dir, const ClusterUser& user) {
  std::error_code error;
  const fs::path dir = fs::absolute(data_dir, error).lexically_normal();
  fs::create_directories(dir.parent_path(), error);
  if (error) {
    errno = error.value();
    return Failed("make directory", dir.parent_path());
  }
  const std::string pg_dir = dir / "postgres";
  absl::Status status = MakeDirectory(dir, 0700, geteuid(), getegid());
  if (status.ok()) status = OpenToGroup(dir, user);
  if (status.ok()) status = MakeDirectory(pg_dir, 0750, geteuid(), user.gid);
  if (!status.ok()) return status;
  std::vector<std::string> ancestors;
  for (fs::path path = pg_dir; path != path.parent_path(); path = path.parent_path()) {
    ancestors.insert(ancestors.begin(), path);
  }
  const std::string closed = FirstClosedDirectory(ancestors, user);
  if (closed.empty()) return pg_dir;
  return absl::PermissionDeniedError(
      absl::StrCat("PostgreSQL runs as user ", user.name, ", who cannot enter ", closed,
                   "; run: chmod o+x ", closed, ", or choose another data directory"));
}

absl::StatusOr<int> TakeLock(const std::string& pg_dir) {
  const std::string path = pg_dir + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("open", path);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const std::string pid(absl::StripAsciiWhitespace(ReadFile(path)));
    close(fd);
    return absl::FailedPreconditionError(
        absl::StrCat("another controller, pid ", pid.empty() ? "unknown" : pid, ", uses ", pg_dir,
                     "; stop it, choose another data directory, or give both one database URL"));
  }
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd, 0) != 0 ||
      pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    absl::Status status = Failed("write", path);
    close(fd);
    return status;
  }
  return fd;
}

absl::StatusOr<std::string> PrepareSocketDirectory(const std::string& pg_dir,
                                                   const ClusterUser& user) {
  const std::string near = pg_dir + "/run";
  if (near.size() <= kLongestSocketDirectory && IsPlain(near)) {
    if (absl::Status status = MakeDirectory(near, 0700, user.uid, user.gid); !status.ok()) {
      return status;
    }
    if (IsPrivateDirectory(near, user)) return near;
    return absl::PermissionDeniedError(
        absl::StrCat(near, " must be a directory of user ", user.name, " with mode 0700"));
  }
  const std::string note = pg_dir + "/socket_dir";
  std::string dir = ReadFile(note);
  if (absl::StartsWith(dir, "/tmp/plimsoll-pg-") && IsPrivateDirectory(dir, user)) return dir;
  char fresh[] = "/tmp/plimsoll-pg-XXXXXX";
  if (mkdtemp(fresh) == nullptr) return Failed("make directory", fresh);
  if (geteuid() == 0 && chown(fresh, user.uid, user.gid) != 0) return Failed("chown", fresh);
  spdlog::info("database socket goes to {}: the path {} is {}", fresh, support::LogSafe(near),
               IsPlain(near) ? "longer than a socket's may be" : "not plain enough for libpq");
  if (absl::Status status = WriteFile(note, fresh, 0600, user.gid); !status.ok()) return status;
  return std::string(fresh);
}

absl::Status WriteConfiguration(const std::string& pg_dir, const std::string& socket_dir,
                                const ClusterUser& user) {
  // PostgreSQL's configuration files quote a quote by doubling it.
  const std::string quoted_dir = absl::StrJoin(absl::StrSplit(pg_dir, '\''), "''");
  const passwd* self = getpwuid(geteuid());
  if (self == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("uid ", geteuid(), " has no entry in the user database"));
  }
  const struct {
    const char* name;
    std::string text;
  } files[] = {
      {"postgresql.conf", absl::Substitute(kConfiguration, socket_dir, quoted_dir)},
      {"pg_hba.conf", "local all all peer map=plimsoll\n"},
      {"pg_ident.conf", absl::StrCat("plimsoll \"", self->pw_name, "\" plimsoll\n")},
  };
  for (const auto& file : files) {
    absl::Status status =
        WriteFile(absl::StrCat(pg_dir, "/", file.name), file.text, 0640, user.gid);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<int> OpenLog(const std::string& pg_dir) {
  const std::string path = pg_dir + "/postgres.log";
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && info.st_size > kLongLog) {
    rename(path.c_str(), (path + ".1").c_str());
  }
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("open", path);
  return fd;
}

std::string LogTail(const std::string& pg_dir, off_t offset) {
  constexpr off_t kBytes = 4096;
  constexpr size_t kLines = 8;
  const std::string path = pg_dir + "/postgres.log";
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return "(no log)";
  const std::string text = ReadFile(path, std::max(offset, info.st_size - kBytes), kBytes);
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.size() > kLines) lines.erase(lines.begin(), lines.end() - kLines);
  return absl::StrCat(path, ":\n", absl::StrJoin(lines, "\n"));
}

PostmasterFile ReadPostmasterFile(const std::string& pg_dir) {
  const std::vector<std::string> lines =
      absl::StrSplit(ReadFile(pg_dir + "/data/postmaster.pid"), '\n');
  PostmasterFile file;
  // Line 1: pid; line 8: state, padded.
  if (!absl::SimpleAtoi(lines[0], &file.pid)) file.pid = 0;
  if (lines.size() >= 8) file.state = std::string(absl::StripAsciiWhitespace(lines[7]));
  return file;
}

void DisownPostmasterFile(const std::string& pg_dir, const ClusterUser& user) {
  const std::string path = pg_dir + "/data/postmaster.pid";
  const std::string text = ReadFile(path);
  const size_t end = text.find('\n');
  if (end == std::string::npos) return;
  const std::string ours = absl::StrCat(getpid(), text.substr(end));
  const int fd = open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat info;
  if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == user.uid &&
      info.st_nlink == 1 && ftruncate(fd, 0) == 0) {
    (void)!write(fd, ours.data(), ours.size());
  }
  if (fd >= 0) close(fd);
}

}  // namespace plimsoll::store
