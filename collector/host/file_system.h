// Files of the host, seen under a root directory: "/" itself, a mounted host ("--host-root"), or a
// process's own view ("/proc/<pid>/root").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace plimsoll::host {

enum class FileType {
  kUnknown,
  kRegular,
  kDirectory,
  kSymlink,
  kSocket,
  kCharacterDevice,
  kBlockDevice,
  kFifo
};

// One entry of a POSIX ACL beyond owner, group and others.
struct AclEntry {
  enum class Tag { kUser, kGroup, kMask } tag;
  std::optional<uint32_t> qualifier;
  uint32_t permissions = 0;
};

struct FileStatus {
  FileType type = FileType::kUnknown;
  // st_mode & 07777.
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t size = 0;
  uint64_t inode = 0;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  absl::Time modify_time;
};

// All paths are absolute and meant below the root; symbolic links, absolute ones too, are resolved
// below it, so that a link cannot lead out. Thread-safe. No call blocks on a FIFO or a device.
//
// Errors: NOT_FOUND (ENOENT, ENOTDIR), PERMISSION_DENIED (EACCES, EPERM), FAILED_PRECONDITION
// (ELOOP), RESOURCE_EXHAUSTED (longer than the limit), DATA_LOSS (EIO), UNAVAILABLE (ESRCH: the
// process is gone), INVALID_ARGUMENT (a path that is not absolute). Messages name the path and the
// call.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Without following the last component.
  virtual absl::StatusOr<FileStatus> Lstat(absl::string_view path) const = 0;
  // Following links.
  virtual absl::StatusOr<FileStatus> Stat(absl::string_view path) const = 0;
  // The path with every link resolved, as seen below the root. The target must exist.
  virtual absl::StatusOr<std::string> RealPath(absl::string_view path) const = 0;
  // Text of a link.
  virtual absl::StatusOr<std::string> ReadLink(absl::string_view path) const = 0;
  // Content of a regular file of at most `limit` bytes; /proc and /sys files too.
  virtual absl::StatusOr<std::string> ReadFile(absl::string_view path, size_t limit) const = 0;
  // Names in a directory, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> ListDirectory(absl::string_view path) const = 0;
  // Extended ACL entries; empty when there are none or the file system has no ACLs.
  virtual absl::StatusOr<std::vector<AclEntry>> Acl(absl::string_view path) const = 0;
};

}  // namespace plimsoll::host
