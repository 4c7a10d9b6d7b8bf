// The plan of a collector that has no controller to ask: everything the shipped baselines name. A
// test holds it against them.
#pragma once

#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::agent {

v1::CollectionPlan OfflinePlan();

}  // namespace plimsoll::agent
