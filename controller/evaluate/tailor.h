// Fitting a baseline to a part of the fleet.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/tailoring_service.pb.h"

namespace plimsoll::evaluate {

// A copy of `baseline` with `tailorings` laid on, one after the other: with a digest of its own
// that depends on what they change, tailored_from and tailoring_ids (their names). Rules the
// baseline does not have are passed over: it may have lost them since. An alias follows its rule's
// parameters. INVALID_ARGUMENT: a parameter that the rule's check does not have, or a value it does
// not take; names the tailoring and the rule. Pure.
absl::StatusOr<v1::Baseline> Tailor(const v1::Baseline& baseline,
                                    const std::vector<const v1::Tailoring*>& tailorings);

}  // namespace plimsoll::evaluate
