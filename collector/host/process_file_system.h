// The files of the host as one of its processes sees them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/host/posix_file_system.h"

namespace plimsoll::host {

// PosixFileSystem below /proc/<pid>/root, with one addition: what lies below /proc/sys/net belongs
// to a network namespace, and the kernel shows the reader's own. ReadFile therefore reads it on a
// thread that first enters the process's namespace (CAP_SYS_ADMIN where that is not ours, else
// PERMISSION_DENIED; UNAVAILABLE when the process is gone). All other calls, Stat too, see the
// collector's own /proc/sys/net.
class ProcessFileSystem : public PosixFileSystem {
 public:
  // `host_root` is "" or the directory where the host's root is mounted.
  ProcessFileSystem(const std::string& host_root, int64_t pid);

  absl::StatusOr<std::string> ReadFile(absl::string_view path, size_t limit) const override;

 private:
  const std::string process_;
};

}  // namespace plimsoll::host
