#include "collector/agent/offline_plan.h"

namespace plimsoll::agent {
namespace {

constexpr const char* kPaths[] = {
    "/",
    "/bin/runc",
    "/boot",
    "/dev",
    "/etc",
    "/etc/audit/audit.rules",
    "/etc/containerd/config.toml",
    "/etc/default/docker",
    "/etc/docker",
    "/etc/docker/daemon.json",
    "/etc/sysconfig/docker",
    "/lib",
    "/proc",
    "/root/.docker/ca.pem",
    "/root/.docker/cert.pem",
    "/root/.docker/key.pem",
    "/run/containerd",
    "/run/docker.sock",
    "/sbin/runc",
    "/sys",
    "/usr",
    "/usr/bin/containerd",
    "/usr/bin/containerd-shim",
    "/usr/bin/containerd-shim-runc-v1",
    "/usr/bin/containerd-shim-runc-v2",
    "/usr/bin/docker",
    "/usr/bin/docker-containerd",
    "/usr/bin/docker-runc",
    "/usr/bin/dockerd",
    "/usr/bin/runc",
    "/usr/local/bin/runc",
    "/usr/local/sbin/runc",
    "/usr/sbin/dockerd",
    "/usr/sbin/runc",
    "/var/lib/docker",
    "/var/log/audit",
    "/var/run/docker.sock",
    "/var/snap/docker/current/config/daemon.json",
};

constexpr const char* kUnits[] = {"docker.service", "docker.socket", "snap.docker.dockerd.service"};

}  // namespace

v1::CollectionPlan OfflinePlan() {
  v1::CollectionPlan plan;
  for (const char* path : kPaths) plan.add_paths(path);
  for (const char* unit : kUnits) plan.add_units(unit);
  return plan;
}

}  // namespace plimsoll::agent
