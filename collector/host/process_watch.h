// Notices that a process ended and that its mounts changed.
#pragma once

#include <cstdint>
#include <string>

namespace plimsoll::host {

// Two descriptors to poll for, of one process. Either is -1 where the kernel does not offer it.
// Thread-compatible.
class ProcessWatch {
 public:
  // `host_root` is "/" or where the host's root is mounted. `pid` 0: no process, and the mounts of
  // PID 1. A pid of another PID namespace than ours has no `exit_fd`: here it would be someone
  // else's.
  ProcessWatch(const std::string& host_root, int64_t pid);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // Readable once the process has ended (EPOLLIN).
  int exit_fd() const { return exit_fd_; }
  // Has news (EPOLLPRI) after each change of the process's mount namespace.
  int mounts_fd() const { return mounts_fd_; }
  // The process had ended before it could be watched.
  bool gone() const { return gone_; }

 private:
  int exit_fd_ = -1;
  int mounts_fd_ = -1;
  bool gone_ = false;
};

}  // namespace plimsoll::host
