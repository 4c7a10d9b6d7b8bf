// What-ifs, as commands ask for them.
#pragma once

#include "absl/status/status.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/what_if_service.pb.h"

namespace plimsoll::cli {

// Starts a what-if, shows on a terminal how far it is, waits for its end, and prints counts and at
// most `limit` flips (0: all that are listed).
absl::Status RunWhatIf(Client& client, const v1::StartWhatIfRequest& request, int limit,
                       Session& session);

// Counts and flips for people.
void PrintWhatIf(const v1::WhatIf& what_if, const v1::ListWhatIfFlipsResponse& flips,
                 Session& session);

}  // namespace plimsoll::cli
