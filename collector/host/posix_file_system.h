// FileSystem on the machine itself.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"

namespace plimsoll::host {

// Files under `root`: "/" itself; a directory where another root file system is mounted; or
// "/proc/<pid>/root", the view of a process, which crosses into its mount namespace.
//
// Under "/" the kernel resolves paths, so the magic links of /proc work (RealPath of
// /proc/<pid>/exe). Under any other root nothing leads out: the kernel's own RESOLVE_IN_ROOT where
// it exists, else a walk of ours, component by component over held directories; there, the magic
// links of /proc are not followed (ReadLink still reads their text).
//
// Files are looked at through O_PATH, and only regular files are ever opened for reading: a FIFO
// does not block and a device (a watchdog, a tape) is never touched. Listings of more than 262144
// names are refused with RESOURCE_EXHAUSTED. Further errors than the interface names: ReadFile of
// something else than a regular file is FAILED_PRECONDITION, ReadLink of something else than a link
// INVALID_ARGUMENT, as are names that hold a NUL byte or are too long for the kernel; what has no
// name above is UNAVAILABLE with the system's own words.
//
// A root that cannot be opened shows at the first use: UNAVAILABLE when the process is gone,
// PERMISSION_DENIED when it may not be looked into.
class PosixFileSystem : public FileSystem {
 public:
  // `use_openat2` false keeps to our own walk; it is there for tests.
  explicit PosixFileSystem(std::string root, bool use_openat2 = true);
  ~PosixFileSystem() override;
  PosixFileSystem(const PosixFileSystem&) = delete;
  PosixFileSystem& operator=(const PosixFileSystem&) = delete;

  absl::StatusOr<FileStatus> Lstat(absl::string_view path) const override;
  absl::StatusOr<FileStatus> Stat(absl::string_view path) const override;
  absl::StatusOr<std::string> RealPath(absl::string_view path) const override;
  absl::StatusOr<std::string> ReadLink(absl::string_view path) const override;
  absl::StatusOr<std::string> ReadFile(absl::string_view path, size_t limit) const override;
  absl::StatusOr<std::vector<std::string>> ListDirectory(absl::string_view path) const override;
  absl::StatusOr<std::vector<AclEntry>> Acl(absl::string_view path) const override;

 private:
  class Fd;
  // An O_PATH descriptor of what `path` names.
  absl::StatusOr<Fd> Open(absl::string_view path, bool follow_last, absl::string_view call) const;
  // The walk. `canonical` receives the path with links resolved; may be null.
  absl::StatusOr<Fd> Walk(absl::string_view path, bool follow_last, absl::string_view call,
                          std::string* canonical) const;
  absl::Status Error(int error, absl::string_view path, absl::string_view call) const;

  const std::string root_;
  const bool is_slash_;
  int root_fd_ = -1;
  int root_errno_ = 0;
  bool use_openat2_ = false;
};

// Entries beyond owner, group and others of the value of "system.posix_acl_access". DATA_LOSS: not
// such a value. Pure.
absl::StatusOr<std::vector<AclEntry>> ParsePosixAcl(absl::string_view value);

}  // namespace plimsoll::host
