// Programs of PostgreSQL as processes: found, started unprivileged, watched, stopped.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace plimsoll::store {

// The system user that PostgreSQL runs as.
struct ClusterUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// `run_as` when we are root, ourselves otherwise; never root. FAILED_PRECONDITION: no such user, or
// it is root; the message says what to do.
absl::StatusOr<ClusterUser> FindClusterUser(const std::string& run_as);

// The directory that holds `postgres` and `initdb` of this major version (empty: the newest):
// `bin_dir` when given, else /usr/lib/postgresql/*/bin, else the directories of PATH.
// FAILED_PRECONDITION names the package to install.
absl::StatusOr<std::string> FindBinaries(const std::string& bin_dir, const std::string& version);

// A process known by a handle that no other process can inherit (pidfd); where the kernel has none,
// by its number. Not thread-safe.
class Process {
 public:
  // Starts `argv` in its own session as `user` with an environment of our own and no open files but
  // standard input (`input`, a few hundred bytes), and output appended to `log_fd`. Signals sent to
  // our terminal do not reach it. UNAVAILABLE: cannot fork.
  static absl::StatusOr<std::unique_ptr<Process>> Spawn(const std::vector<std::string>& argv,
                                                        const ClusterUser& user, int log_fd,
                                                        const std::string& input = "");
  // A process that runs `postgres` as `user` in the directory `data_dir`; null when `pid` is not
  // one, whatever else it may be.
  static std::unique_ptr<Process> Adopt(pid_t pid, const ClusterUser& user,
                                        const std::string& data_dir);
  // Closes the handle; the process goes on.
  ~Process();

  pid_t pid() const { return pid_; }
  // Waits for the end of the process. False: it still runs after `timeout`.
  bool Wait(absl::Duration timeout);
  void Signal(int number);
  // After Wait returned true, for a child of ours: it ended with exit status 0.
  bool succeeded() const { return wait_status_ == 0; }

 private:
  explicit Process(pid_t pid);
  const pid_t pid_;
  int pidfd_ = -1;
  bool ended_ = false;
  int wait_status_ = -1;
};

// Empty when `user` may enter every one of `directories`, else the first that it may not.
std::string FirstClosedDirectory(const std::vector<std::string>& directories,
                                 const ClusterUser& user);

}  // namespace plimsoll::store
