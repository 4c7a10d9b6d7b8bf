// Label selectors, as the index answers them; what they are stands in evaluate/selector.h.
#pragma once

#include "controller/evaluate/selector.h"

namespace plimsoll::fleet {

using evaluate::Expand;
using evaluate::Matches;
using evaluate::Names;
using evaluate::ParseSelector;
using evaluate::Requirement;
using evaluate::SavedSelectors;
using evaluate::Selector;
using evaluate::SelectorOf;

}  // namespace plimsoll::fleet
