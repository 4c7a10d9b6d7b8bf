// Images with as few inspects as possible, for Refresh; CollectImages (sources.h) inspects all.
#pragma once

#include <set>
#include <string>

#include "collector/host/host_env.h"
#include "plimsoll/v1/image_facts.pb.h"

namespace plimsoll::sources {

// Lists all images, for only the listing tells which are top-level, and inspects those that
// `earlier` (sorted by id) does not know or could not read, and those in `again`: an image's
// configuration never changes under its id. container_count is left to the caller. Blocking.
v1::ImagesFacts RefreshImages(host::HostEnv& env, const std::string& api_prefix,
                              const v1::ImagesFacts& earlier, const std::set<std::string>& again);

}  // namespace plimsoll::sources
