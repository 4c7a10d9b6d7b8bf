// The real ports, made and owned in one place.
#pragma once

#include <memory>
#include <string>

#include "collector/host/docker_client.h"
#include "collector/host/host_env.h"
#include "proto/support/clock.h"

namespace plimsoll::host {

// What tells one host from another for the ports.
struct RealEnvOptions {
  // How to reach the engine; the socket's path is the collector's own, never below `host_root`.
  DockerClientOptions docker;
  // "/" for the machine the collector runs on, else the absolute path where the host's root is
  // mounted (with its /proc and /run), as "/host". Under it, users and groups come from the host's
  // files, and the view of a process from its /proc.
  std::string host_root = "/";
};

// Owns what env() borrows, so it outlives every use of it. Making one reads and connects to
// nothing but `host_root`. Thread-compatible.
class RealEnv {
 public:
  // `clock` must live as long.
  explicit RealEnv(RealEnvOptions options, const support::Clock& clock = support::Clock::Real());
  ~RealEnv();
  RealEnv(const RealEnv&) = delete;
  RealEnv& operator=(const RealEnv&) = delete;

  HostEnv& env() { return *env_; }

 private:
  std::unique_ptr<DockerClient> docker_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<AuditNetlink> audit_;
  std::unique_ptr<NameService> names_;
  std::unique_ptr<SystemdBus> systemd_;
  std::unique_ptr<HostEnv> env_;
};

}  // namespace plimsoll::host
