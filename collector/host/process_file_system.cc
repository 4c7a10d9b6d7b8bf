#include "collector/host/process_file_system.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

// Moves this thread into the network namespace at `path`, unless it is there.
absl::Status EnterNetwork(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const absl::string_view reason = strerror(errno);
    return errno == EACCES || errno == EPERM
               ? absl::PermissionDeniedError(absl::StrCat(path, ": open: ", reason))
               : absl::UnavailableError(absl::StrCat(path, ": open: ", reason));
  }
  struct stat theirs;
  struct stat ours;
  const bool same = fstat(fd, &theirs) == 0 && stat("/proc/thread-self/ns/net", &ours) == 0 &&
                    theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
  const int error = same || setns(fd, CLONE_NEWNET) == 0 ? 0 : errno;
  close(fd);
  if (error == 0) return absl::OkStatus();
  const std::string what = absl::StrCat(path, ": setns: ", strerror(error));
  return error == EPERM ? absl::PermissionDeniedError(what) : absl::UnavailableError(what);
}

}  // namespace

ProcessFileSystem::ProcessFileSystem(const std::string& host_root, int64_t pid)
    : PosixFileSystem(absl::StrCat(host_root, "/proc/", pid, "/root")),
      process_(absl::StrCat(host_root, "/proc/", pid)) {}

absl::StatusOr<std::string> ProcessFileSystem::ReadFile(absl::string_view path,
                                                        size_t limit) const {
  if (!absl::StartsWith(path, "/proc/sys/net/")) return PosixFileSystem::ReadFile(path, limit);
  absl::StatusOr<std::string> content;
  std::thread reader([&] {
    const absl::Status entered = EnterNetwork(process_ + "/ns/net");
    content = entered.ok() ? PosixFileSystem::ReadFile(path, limit) : entered;
  });
  reader.join();
  return content;
}

}  // namespace plimsoll::host
