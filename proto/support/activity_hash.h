// The chain of the activity log, as both who writes it and who checks it compute it.
#pragma once

#include <string>

#include "plimsoll/v1/activity_service.pb.h"

namespace plimsoll::support {

// previous_hash of the first entry.
inline constexpr char kNoActivityHash[] =
    "0000000000000000000000000000000000000000000000000000000000000000";

// The hash of `entry` over all its other members, as v1.Activity describes it; lower-case hex.
// Pure.
std::string ActivityHash(const v1::Activity& entry);

}  // namespace plimsoll::support
