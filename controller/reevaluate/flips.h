// What differs between two judgements of one host.
#pragma once

#include <string>
#include <vector>

#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/report.pb.h"
#include "plimsoll/v1/what_if_service.pb.h"

namespace plimsoll::reevaluate {

// One judgement: a report and the document it is by. Null both: the baseline is not judged.
struct Judged {
  const v1::HostReport* report = nullptr;
  const v1::Baseline* document = nullptr;
};

// Objects, and rules as a whole where no object differs, that have another status or another mark
// of a waiver; in the order of rules, then objects. An object that one of them does not name passes
// there, unless the rule as a whole is not judged, not applicable or unknown. host_id and hostname
// are not set. Pure.
std::vector<v1::Flip> FlipsOf(const Judged& before, const Judged& after);

}  // namespace plimsoll::reevaluate
