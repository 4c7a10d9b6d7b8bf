// The files of the embedded cluster below <data_dir>/postgres. PostgreSQL's user owns `data` and
// `run` only; the rest belongs to the controller's user, so that nothing the server writes is ever
// followed or believed by a controller that is root.
//
//   lock              held (flock) by the controller that runs the cluster; holds its pid
//   data              the cluster
//   run               its socket, where the path is short and plain enough
//   socket_dir        names another directory for the socket, where it is not
//   postgresql.conf, pg_hba.conf, pg_ident.conf   written anew at each start
//   postgres.log      what initdb and the server print; postgres.log.1 the one before
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/cluster_process.h"

namespace plimsoll::store {

// Makes `data_dir` and `data_dir`/postgres where missing and returns the latter's absolute path.
// When root: lets the cluster's user pass through a private `data_dir` (mode 0710, the user's
// group). PERMISSION_DENIED: a directory above is closed to the user, or cannot be written; names
// it and the remedy.
absl::StatusOr<std::string> PrepareDirectory(const std::string& data_dir, const ClusterUser& user);

// Takes the lock and returns its descriptor. FAILED_PRECONDITION: another process holds it, with
// its pid.
absl::StatusOr<int> TakeLock(const std::string& pg_dir);

// The directory of the server's socket, mode 0700, the user's own. `pg_dir`/run; a new directory
// below /tmp where that path is longer than a socket's may be or holds what libpq would take apart.
absl::StatusOr<std::string> PrepareSocketDirectory(const std::string& pg_dir,
                                                   const ClusterUser& user);

// Writes the three configuration files. Authentication is by the peer's user: the kernel says who
// connects, and only the controller's own user is let in; there is no password to lose.
absl::Status WriteConfiguration(const std::string& pg_dir, const std::string& socket_dir,
                                const ClusterUser& user);

// Opens the log for appending; a long one is put aside first. Close it.
absl::StatusOr<int> OpenLog(const std::string& pg_dir);

// The last lines of the log from `offset` on, for an error message.
std::string LogTail(const std::string& pg_dir, off_t offset);

// What postmaster.pid says. Written by the server's user: nothing in it is to be trusted.
struct PostmasterFile {
  // 0: no such file.
  pid_t pid = 0;
  // "starting", "ready", "stopping"; may be empty.
  std::string state;
};
PostmasterFile ReadPostmasterFile(const std::string& pg_dir);

// For a postmaster.pid whose server is gone: puts our own pid in place of the server's, which the
// next server, our child, passes over. Otherwise a process that has the number by now, or a dead
// one that nobody reaped, would keep it from starting. The rest of the file stays: by it the next
// server notices survivors of the last one. Does nothing when there is no such file.
void DisownPostmasterFile(const std::string& pg_dir, const ClusterUser& user);

}  // namespace plimsoll::store
