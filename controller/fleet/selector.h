// Label selectors, as the index answers them; what they are stands in policy/selector.h.
#pragma once

#include "controller/policy/selector.h"

namespace plimsoll::fleet {

using policy::Matches;
using policy::ParseSelector;
using policy::Requirement;
using policy::SavedSelectors;
using policy::Selector;
using policy::SelectorOf;

}  // namespace plimsoll::fleet
