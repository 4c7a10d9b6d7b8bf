// Baselines that a controller keeps, beside those that come with the program.
#pragma once

#include "controller/cli/command.h"

namespace plimsoll::cli {

// Adds upload, versions, activate, rollback and what-if to `baseline`. `session` outlives the
// parse.
void AddBaselineVersions(Command baseline, Session& session);

}  // namespace plimsoll::cli
