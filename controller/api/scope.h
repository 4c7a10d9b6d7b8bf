// The part of the fleet that a caller sees (Principal.scope).
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/fleet/selector.h"
#include "controller/scans/scheduler.h"
#include "controller/store/store.h"
#include "plimsoll/v1/host_service.pb.h"
#include "plimsoll/v1/selector.pb.h"

namespace plimsoll::api {

using store::Principal;

// Whether the caller sees a part of the fleet only.
inline bool Limited(const Principal& who) { return !who.scope.empty(); }

// What the caller's scope requires; empty: nothing. INTERNAL: the scope as stored is no selector.
absl::StatusOr<fleet::Selector> ScopeOf(const Principal& who);

// Both scopes at once: hosts that fit each. Empty: the whole fleet.
std::string JoinScopes(absl::string_view a, absl::string_view b);

// INVALID_ARGUMENT, with the field: not a selector, or one that names a saved selector. Who may
// save selectors must not change what others see.
absl::Status CheckScope(absl::string_view field, absl::string_view scope);

// Adds the caller's scope to what a request selects. Errors as ScopeOf.
absl::Status Narrow(const Principal& who, fleet::Selector& selector);

// The same for a selection that is kept. NOT_FOUND: names a host outside.
absl::Status Narrow(const Principal& who, const scans::HostResolver& resolve,
                    v1::HostSelector& selector);

// A host by id or name, as the caller sees it: one outside the scope is NOT_FOUND, in the words for
// one that is not there, as is, for a limited caller, a name that several hosts have: it would tell
// of those outside. Other errors as store::HostStore::Get.
absl::StatusOr<v1::Host> FindHost(store::Store& store, const Principal& who,
                                  const std::string& host);

// Whether every host that `selector` can ever mean is within the caller's scope.
bool Within(const Principal& who, const v1::HostSelector& selector);

// Ids of the hosts in the caller's scope, ascending. For limited callers.
absl::StatusOr<std::vector<std::string>> VisibleHosts(const Principal& who,
                                                      const scans::HostResolver& resolve);

// PERMISSION_DENIED for a limited caller; `what` says what would concern all hosts.
absl::Status RequireWholeFleet(const Principal& who, absl::string_view what);

}  // namespace plimsoll::api
