// What the kernel says of a container's first process.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"
#include "plimsoll/v1/container_facts.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::sources {

// Reads /proc/<pid>/{cgroup,status,uid_map,ns/*,attr/...} and the limits of its cgroup, once
// /proc/<pid>/cgroup has shown that the process belongs to container `id` (a process id may be
// someone else's by now). `files` holds the host's /proc and /sys. `with_lsm` false leaves the
// security label out: the engine knows of no security module.
//
// The outcome speaks for cgroup, status, uid_map and the namespaces; label and limits are read
// where they can be, on cgroup v1 and v2 alike.
void ReadRuntime(const host::FileSystem& files, const support::Clock& clock, int64_t pid,
                 absl::string_view id, bool with_lsm, v1::Container::Runtime* runtime);

// Where /proc/<pid>/cgroup places a container.
struct CgroupPlace {
  // Below the controller's mount point, up to and with the component that names the container;
  // empty: no such line.
  std::string pids_path;
  std::string memory_path;
  // The component's parent, "/" at the top.
  std::string parent;
  // One hierarchy for everything.
  bool unified = false;
};

// Pure. False when no line names `id`: "/docker/<id>", "/system.slice/docker-<id>.scope",
// "/kubepods/.../<id>", also with further components behind.
bool FindCgroup(absl::string_view proc_cgroup, absl::string_view id, CgroupPlace* place);

}  // namespace plimsoll::sources
