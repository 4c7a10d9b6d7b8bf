// The handlers of scans and schedules over a real PostgreSQL.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/api/api.h"
#include "controller/api/schedules.h"
#include "controller/fleet/selector.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::api {

// Selects hosts as the fleet index does, from the store itself.
inline scans::HostResolver StoreResolver(store::Store& store) {
  return [&store](const v1::HostSelector& selector) -> absl::StatusOr<std::vector<std::string>> {
    fleet::SavedSelectors saved;
    const auto selectors = store.selectors().List();
    if (!selectors.ok()) return selectors.status();
    for (const v1::SavedSelector& each : *selectors) {
      saved.emplace(each.name(), *fleet::ParseSelector(each.expression()));
    }
    const auto wanted = fleet::SelectorOf({selector.labels().begin(), selector.labels().end()},
                                          selector.expression(), saved);
    if (!wanted.ok()) return wanted.status();
    std::vector<std::string> ids;
    std::vector<std::string> missing(selector.hosts().begin(), selector.hosts().end());
    const auto moment = store.fleet().Load([&](const store::HostState& state) {
      const v1::Host& host = state.host;
      bool named = selector.hosts().empty();
      for (const std::string& name : selector.hosts()) {
        if (name != host.id() && name != host.hostname()) continue;
        named = true;
        missing.erase(std::remove(missing.begin(), missing.end(), name), missing.end());
      }
      const bool fits = named && host.connection() != v1::Host::REVOKED &&
                        fleet::Matches(*wanted, {host.labels().begin(), host.labels().end()});
      if (fits) ids.push_back(host.id());
    });
    if (!moment.ok()) return moment.status();
    if (!missing.empty()) return absl::NotFoundError(absl::StrCat("no host ", missing[0]));
    return ids;
  };
}

// The clock stands at At(100).
struct ScanParts {
  store::Principal viewer{"1", "vera", store::Role::kViewer};
  store::Principal auditor{"2", "audrey", store::Role::kAuditor};
  store::Principal otto{"3", "otto", store::Role::kOperator};
  store::Principal admin{"4", "ada", store::Role::kAdmin};

  // A connected host.
  absl::Status AddHost(const std::string& id, const std::string& hostname,
                       const std::map<std::string, std::string>& labels = {}) {
    return store::AddHost(*store, id, hostname, labels).status();
  }

  support::FakeClock clock{store::At(100)};
  const std::unique_ptr<store::Store> store =
      *store::Store::Open({.url = testing::FreshDatabase(), .pool_size = 4});
  scans::ScanBoard board{store->scans(), clock};
  Scans scans{*store, board, StoreResolver(*store), clock};
  Schedules schedules{*store, StoreResolver(*store), clock};
};

}  // namespace plimsoll::api
