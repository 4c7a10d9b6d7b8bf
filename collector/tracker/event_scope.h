// What an event of the engine makes worth a look.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "collector/host/engine_events.h"
#include "collector/sources/refresh.h"

namespace plimsoll::tracker {

// Path and query of the stream: events from `since` on (InfinitePast: from now on; the engine keeps
// its last 256), and of them only those that ScopeOf makes something of. Neither exec_*, nor
// attach, top or health_status pass: no fact that a rule reads follows from them, and they are most
// of what an engine says. `api_prefix` may be empty.
std::string EventsPath(absl::string_view api_prefix, absl::Time since);

// Empty for an event from which no fact follows. Pure; any event is safe.
sources::Scope ScopeOf(const host::EngineEvent& event);

// Whether the event tells of a container that exists but does not run yet: what is known within its
// first 200 ms is known before its first process.
bool IsUrgent(const host::EngineEvent& event);

}  // namespace plimsoll::tracker
