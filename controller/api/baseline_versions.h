// The API of uploaded baselines, free of transport; see api.h for what all handlers have in common.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "controller/policy/policy_book.h"
#include "controller/store/store.h"
#include "plimsoll/v1/baseline_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// Thread-safe. Borrows what it is given. Errors as baseline_service.proto says. What an activation
// does to this controller's policy and index it has done when the method returns.
class BaselineVersions {
 public:
  BaselineVersions(store::Store& store, policy::PolicyBook& book, const support::Clock& clock)
      : store_(store), book_(book), clock_(clock) {}
  absl::StatusOr<v1::BaselineVersion> Upload(const store::Principal& who,
                                             const v1::UploadBaselineRequest& request);
  absl::StatusOr<v1::ListBaselineVersionsResponse> List(
      const store::Principal& who, const v1::ListBaselineVersionsRequest& request);
  absl::StatusOr<v1::Baseline> Activate(const store::Principal& who,
                                        const v1::ActivateBaselineRequest& request);
  absl::StatusOr<v1::Baseline> Rollback(const store::Principal& who,
                                        const v1::RollbackBaselineRequest& request);

 private:
  absl::StatusOr<v1::Baseline> MakeActive(const store::Principal& who,
                                          const std::string& baseline_id,
                                          const std::string& digest);

  store::Store& store_;
  policy::PolicyBook& book_;
  const support::Clock& clock_;
};

}  // namespace plimsoll::api
