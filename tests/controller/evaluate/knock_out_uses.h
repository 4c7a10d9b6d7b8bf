// Which sources checks use without needing them; found, and held, by the knock-out test.
#pragma once

#include <map>
#include <set>
#include <string>

#include "controller/evaluate/check.h"

namespace plimsoll::evaluate {

// v1::Check's field name -> sources.
using Uses = std::map<std::string, std::set<Source>>;

// Used to prove a violation, to explain one, or only on some hosts. An entry that no sample host
// shows to be used fails the test, and so does a use without an entry.
const Uses& AlsoUses();

// The few of them that may still pass, in other words, when the source is missing.
const Uses& PassesWithout();

}  // namespace plimsoll::evaluate
