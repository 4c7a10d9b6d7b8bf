// Which process is the engine that answers the socket (rules.md S1).
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "collector/host/host_env.h"
#include "plimsoll/v1/daemon_facts.pb.h"
#include "plimsoll/v1/unit_facts.pb.h"

namespace plimsoll::sources {

// Finds dockerd and fills pid, pid_method, candidate_pids and socket_peer_is_proxy. In order: the
// socket's peer, MainPID of the service unit, the pid file, the only process whose executable is
// dockerd. The text of command lines is never searched. A peer that is another program than dockerd
// (and not PID 1, which opens sockets for others) is noted as a proxy, and the search goes on; so
// it does for pid 0, a process of another PID namespace.
//
// Errors: ABORTED (several candidates, all in candidate_pids), UNAVAILABLE (no such process
// visible), or what reading /proc said.
absl::Status FindDaemon(host::HostEnv& env, const v1::UnitsFacts& units, v1::DaemonFacts* facts);

// Fills what /proc tells of process `facts->pid()`: start_time, executable, uid, user namespace,
// containerd, home and working directory. What cannot be read stays empty; errors name the first of
// the needed ones (start time, executable, uid).
absl::Status DescribeDaemon(host::HostEnv& env, v1::DaemonFacts* facts);

// The files as `pid` sees them, or those of the host where its view is closed to us or `pid` is 0.
// Borrows `env`.
class DaemonFiles {
 public:
  DaemonFiles(host::HostEnv& env, int64_t pid);
  const host::FileSystem& operator*() const { return *files_; }
  const host::FileSystem* operator->() const { return files_; }

 private:
  std::unique_ptr<host::FileSystem> own_;
  const host::FileSystem* files_;
};

}  // namespace plimsoll::sources
