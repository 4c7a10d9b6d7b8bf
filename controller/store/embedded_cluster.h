// A private PostgreSQL of the controller's own, for when no database is configured.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace plimsoll::store {

// Runs `postgres` below `data_dir`/postgres, on a unix socket only, with its own user, durable
// commits on. Started and stopped with this object; a cluster left running by a killed controller
// is found and taken over. Not thread-safe.
class EmbeddedCluster {
 public:
  struct Options {
    std::string data_dir;
    // Where postgres and initdb are; empty: looked for (/usr/lib/postgresql/*/bin, PATH).
    std::string bin_dir;
    // System user to run as when the controller is root; PostgreSQL never runs as root.
    std::string run_as = "postgres";
  };

  // Initialises the cluster on first use, starts it and waits until it answers. Errors:
  // FAILED_PRECONDITION (no PostgreSQL installed, says which package; another controller holds the
  // directory, says its pid), PERMISSION_DENIED, UNAVAILABLE (did not start; the message has the
  // last lines of its log).
  static absl::StatusOr<std::unique_ptr<EmbeddedCluster>> Start(const Options& options);
  // Stops the cluster (fast shutdown).
  ~EmbeddedCluster();

  // libpq connection string.
  const std::string& url() const { return url_; }

 private:
  EmbeddedCluster() = default;
  std::string url_;
  std::string pg_dir_;
  std::string bin_dir_;
  int lock_fd_ = -1;
  int pid_ = -1;
};

}  // namespace plimsoll::store
