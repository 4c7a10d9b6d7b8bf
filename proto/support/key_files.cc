#include "proto/support/key_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::support {
namespace {
constexpr size_t kMaxKeyFileBytes = 1 << 20;

// For its owner alone, or a credential of systemd 254 and later: root's, mode 0440, where the
// group's bits are the mask of the access list that lets in the unit's user and nobody else.
bool IsPrivate(const struct stat& status) {
  const mode_t mode = status.st_mode & 07777;
  return (mode & 077) == 0 || (mode == 0440 && status.st_uid == 0 && status.st_gid == 0);
}

}  // namespace

absl::Status MakePrivateDirectory(const std::string& dir) {
  std::error_code error;
  const std::filesystem::path path(dir);
  if (std::filesystem::is_directory(path, error)) return absl::OkStatus();
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
    if (error)
      return absl::ErrnoToStatus(error.value(), absl::StrCat("create the parent of ", dir));
  }
  if (mkdir(dir.c_str(), 0700) != 0) {
    const int why = errno;
    // Somebody else was faster.
    if (why == EEXIST && std::filesystem::is_directory(path, error)) return absl::OkStatus();
    return absl::ErrnoToStatus(why, absl::StrCat("create directory ", dir));
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& dir) {
  const int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", dir));
  absl::Cleanup close_fd = [fd] { close(fd); };
  // EINVAL: a file system that has nothing to sync in a directory.
  if (fsync(fd) == 0 || errno == EINVAL) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("sync ", dir));
}

absl::Status WritePrivateFile(const std::string& path, absl::string_view content, unsigned mode) {
  const std::string temporary = absl::StrCat(path, ".new");
  unlink(temporary.c_str());
  const int fd =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("create ", temporary));
  absl::Cleanup close_fd = [fd] { close(fd); };
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t n = write(fd, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat("write ", temporary));
    done += static_cast<size_t>(n);
  }
  if (fchmod(fd, mode) != 0 || fsync(fd) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("sync ", temporary));
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("rename ", temporary, " to ", path));
  }
  const std::string dir = std::filesystem::path(path).parent_path();
  return SyncDirectory(dir.empty() ? "." : dir);
}

absl::StatusOr<std::string> ReadKeyFile(const std::string& path, bool secret) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  absl::Cleanup close_fd = [fd] { close(fd); };
  struct stat status;
  if (fstat(fd, &status) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("stat ", path));
  if (!S_ISREG(status.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  }
  if (secret && !IsPrivate(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " can be read by other users; run: chmod 600 ", path));
  }
  std::string content;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrCat("read ", path));
    content.append(buffer, static_cast<size_t>(n));
    if (content.size() > kMaxKeyFileBytes) {
      return absl::FailedPreconditionError(absl::StrCat(path, " is larger than 1 MiB"));
    }
  }
  return content;
}

}  // namespace plimsoll::support
