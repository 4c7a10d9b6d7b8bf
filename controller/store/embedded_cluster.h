// A private PostgreSQL of the controller's own, for when no database is configured.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "controller/store/cluster_process.h"

namespace plimsoll::store {

// Runs `postgres` below `data_dir`/postgres, on a unix socket only, with its own user, durable
// commits on. Started and stopped with this object; a cluster left running by a killed controller
// is found and taken over. The kernel tells the server who connects (peer authentication), and only
// the controller's own system user is let in: there is no password. Not thread-safe.
class EmbeddedCluster {
 public:
  struct Options {
    std::string data_dir = {};
    // Where postgres and initdb are; empty: looked for (/usr/lib/postgresql/*/bin, PATH).
    std::string bin_dir = {};
    // System user to run as when the controller is root; PostgreSQL never runs as root.
    std::string run_as = "postgres";
  };

  // Initialises the cluster on first use, starts it and waits until it answers; up to 5 minutes
  // when it has a crash to recover from. Errors: FAILED_PRECONDITION (no PostgreSQL installed, says
  // which package; another controller holds the directory, says its pid), PERMISSION_DENIED (says
  // which path and what to do), UNAVAILABLE (did not start; the message has the last lines of its
  // log).
  static absl::StatusOr<std::unique_ptr<EmbeddedCluster>> Start(const Options& options);
  // Stops the cluster (fast shutdown, immediate after 30 s) and gives the directory free. Close
  // every connection before.
  ~EmbeddedCluster();

  EmbeddedCluster(const EmbeddedCluster&) = delete;
  EmbeddedCluster& operator=(const EmbeddedCluster&) = delete;

  // libpq connection string.
  const std::string& url() const { return url_; }
  // Process id of the server.
  pid_t pid() const { return process_->pid(); }

 private:
  EmbeddedCluster() = default;
  absl::Status Initialise();
  // True: a running server is ours now.
  bool TakeOver();
  // Waits for children of an earlier server that hold its memory.
  absl::Status Launch();
  absl::Status LaunchOnce();
  absl::Status AwaitReady(off_t log_offset);
  void Stop();

  ClusterUser user_;
  std::string bin_dir_;
  std::string pg_dir_;
  std::string socket_dir_;
  std::string url_;
  int lock_fd_ = -1;
  int log_fd_ = -1;
  std::unique_ptr<Process> process_;
};

}  // namespace plimsoll::store
