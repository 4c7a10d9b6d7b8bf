// The ports through which the collector sees its host, in one bundle.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "collector/host/audit_netlink.h"
#include "collector/host/docker_client.h"
#include "collector/host/file_system.h"
#include "collector/host/name_service.h"
#include "collector/host/systemd_bus.h"
#include "proto/support/clock.h"

namespace plimsoll::host {

// Borrows everything; the owner outlives every collection. A collection uses it from two threads at
// once: `docker` from one, `audit`, `names` and `systemd` from the other, and `files`,
// `files_of_process` and `clock`, which are thread-safe, from both.
struct HostEnv {
  DockerClient& docker;
  // The host's own files, and /proc and /sys.
  const FileSystem& files;
  // The files as the process `pid` sees them (its mount namespace). Never null; errors show at use.
  std::function<std::unique_ptr<FileSystem>(int64_t pid)> files_of_process;
  AuditNetlink& audit;
  NameService& names;
  SystemdBus& systemd;
  const support::Clock& clock;
};

}  // namespace plimsoll::host
