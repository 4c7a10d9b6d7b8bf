// What the first word of a health check's Test is worth; shared by images and containers.
#pragma once

#include "controller/evaluate/checks/container_scope.h"
#include "plimsoll/v1/image_facts.pb.h"

namespace plimsoll::evaluate {

// Passes for CMD and CMD-SHELL. Nothing, NONE and what the engine does not run fail; a kind that
// was not read is UNKNOWN. `source` names the field for the finding and is a literal.
Outcome JudgeHealthcheckKind(v1::HealthcheckKind kind, const char* source);

}  // namespace plimsoll::evaluate
