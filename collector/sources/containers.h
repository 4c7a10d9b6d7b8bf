// Containers one by one, for Refresh; CollectContainers (sources.h) collects all.
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "collector/host/host_env.h"
#include "plimsoll/v1/container_facts.pb.h"
#include "plimsoll/v1/daemon_facts.pb.h"
#include "plimsoll/v1/engine_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"
#include "plimsoll/v1/volume_facts.pb.h"

namespace plimsoll::sources {

// Inspects the containers of `ids` anew, one request each and no listing: those that are gone are
// taken out of `facts`, new ones put in by id. What is no id is passed over. Blocking; borrows all
// for the call.
//
// An error means that an inspect was refused or made no sense, and that only a listing can tell
// what there is: `facts` then want a CollectContainers. A known container whose inspect timed out
// is no error; its outcome says so.
absl::Status RefreshContainers(host::HostEnv& env, const std::string& api_prefix,
                               const v1::CollectionPlan& plan, const v1::EngineFacts& engine,
                               const v1::DaemonFacts& daemon, const v1::VolumesFacts& volumes,
                               const std::set<std::string>& ids, v1::ContainersFacts* facts);

// Finds anew where mounts of the volumes named in `changed` come from. Asks the engine nothing.
void ResolveVolumes(host::HostEnv& env, const v1::DaemonFacts& daemon,
                    const v1::VolumesFacts& volumes, const std::set<std::string>& changed,
                    v1::ContainersFacts* facts);

}  // namespace plimsoll::sources
