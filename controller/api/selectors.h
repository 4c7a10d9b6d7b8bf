// The API of saved selectors, free of transport; see api.h for what all handlers have in common.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/fleet/index.h"
#include "controller/policy/policy_book.h"
#include "controller/store/store.h"
#include "plimsoll/v1/selector_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// Thread-safe. Borrows what it is given. Errors as selector_service.proto says. What a change does
// to this controller's policy it has done when the method returns; other controllers follow.
class Selectors {
 public:
  Selectors(store::Store& store, const fleet::FleetIndex& index, policy::PolicyBook& book,
            const support::Clock& clock)
      : store_(store), index_(index), book_(book), clock_(clock) {}
  absl::StatusOr<v1::SavedSelector> Save(const store::Principal& who,
                                         const v1::SaveSelectorRequest& request);
  absl::StatusOr<v1::SavedSelector> Get(const store::Principal& who,
                                        const v1::GetSelectorRequest& request);
  absl::StatusOr<v1::ListSelectorsResponse> List(const store::Principal& who,
                                                 const v1::ListSelectorsRequest& request);
  absl::StatusOr<v1::DeleteSelectorResponse> Delete(const store::Principal& who,
                                                    const v1::DeleteSelectorRequest& request);

 private:
  // What names it: schedules, and what judges and tells.
  struct Dependents {
    std::vector<std::string> schedules;
    std::vector<std::string> policy;
  };
  absl::StatusOr<Dependents> DependentsOf(const std::string& name) const;
  // Sets host_count.
  absl::Status Count(const store::Principal& who, v1::SavedSelector& selector) const;
  void Changed(const store::Principal& who, const std::string& name);

  store::Store& store_;
  const fleet::FleetIndex& index_;
  policy::PolicyBook& book_;
  const support::Clock& clock_;
};

class MethodTable;
// Adds the methods of the service. Borrows the handler.
void AddSelectorMethods(MethodTable& table, Selectors& selectors);

}  // namespace plimsoll::api
