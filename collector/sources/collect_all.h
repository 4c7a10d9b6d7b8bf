// What CollectAll and Refresh do alike once sections are in place.
#pragma once

#include "collector/host/host_env.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::sources {

// Counts the containers of each image, and takes the engine's own counts out where a listing tells
// better: no section changes because of what changed in another.
void DeriveCounts(v1::HostFacts* facts);

// Sets observed_time to now.
void StampObservedTime(host::HostEnv& env, v1::HostFacts* facts);

}  // namespace plimsoll::sources
