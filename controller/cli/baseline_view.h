// Baselines and rules for people.
#pragma once

#include <iosfwd>

#include "controller/cli/terminal.h"
#include "plimsoll/v1/baseline.pb.h"

namespace plimsoll::cli {

// One line a rule, by section.
void PrintRules(const v1::Baseline& baseline, const Terminal& terminal, std::ostream& out);
// Everything about one rule: texts, references, the check and its parameters with their values.
void PrintRule(const v1::Rule& rule, const Terminal& terminal, std::ostream& out);

}  // namespace plimsoll::cli
