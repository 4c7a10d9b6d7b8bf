// Collecting again only what may have changed.
#pragma once

#include <map>
#include <set>
#include <string>

#include "collector/host/host_env.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::sources {

// Parts of a host's facts that may be out of date. A hint too many costs time, one too few is made
// up for by the next full collection.
struct Scope {
  // Everything: CollectAll.
  bool all = false;
  // Containers and images by full id; one that is gone is taken out. A container costs one inspect.
  // Any image costs the listing of images too, since only that tells which are top-level.
  std::set<std::string> containers;
  std::set<std::string> images;
  // The lists themselves: objects that came, went or changed unnoticed.
  bool container_list = false;
  bool image_list = false;
  bool networks = false;
  bool volumes = false;
  bool swarm = false;
  // Engine, daemon, units and machine: after a restart or a change of its configuration.
  bool daemon = false;
  bool files = false;
  bool audit = false;
  bool mounts = false;
  bool users = false;
  bool listeners = false;

  bool empty() const;
  void Merge(const Scope& other);
  bool operator==(const Scope&) const = default;
};

// Brings `facts`, a complete collection of earlier, up to date in what `scope` names and in what
// depends on it (a container's image count, say), with observed_time set. Sections not named keep
// their outcome and its observed time. With `scope.all`, or when `facts` is not a complete
// collection or the engine has become another, or is gone, the same as CollectAll. Never fails as a
// whole. Blocking, thread-compatible.
void Refresh(host::HostEnv& env, const v1::CollectionPlan& plan, const std::string& socket_path,
             const std::map<std::string, std::string>& labels, const Scope& scope,
             v1::HostFacts& facts);

}  // namespace plimsoll::sources
