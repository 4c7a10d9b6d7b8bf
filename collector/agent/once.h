// --once: one collection into a file.
#pragma once

#include "absl/status/status.h"
#include "collector/agent/config.h"
#include "collector/host/host_env.h"

namespace plimsoll::agent {

// Collects and writes `config.out` whole (0600) or not at all; "-" is standard output. Errors name
// the file.
absl::Status CollectOnce(host::HostEnv& env, const Config& config);

}  // namespace plimsoll::agent
