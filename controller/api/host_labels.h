// Labels given to hosts centrally; see api.h for what all handlers have in common.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "controller/fleet/index.h"
#include "controller/policy/policy_book.h"
#include "controller/store/store.h"
#include "plimsoll/v1/host_service.pb.h"

namespace plimsoll::api {

// Thread-safe. Borrows what it is given. Errors as host_service.proto says.
class HostLabels {
 public:
  // `judge_again` is called when hosts may have to be judged by another policy. Must not block.
  HostLabels(store::Store& store, fleet::FleetIndex& index, const policy::PolicyBook& book,
             std::function<void()> judge_again)
      : store_(store), index_(index), book_(book), judge_again_(std::move(judge_again)) {}
  // Returns when this controller's lists show it, or after a moment.
  absl::StatusOr<v1::SetHostLabelsResponse> Set(const store::Principal& who,
                                                const v1::SetHostLabelsRequest& request);

 private:
  store::Store& store_;
  fleet::FleetIndex& index_;
  const policy::PolicyBook& book_;
  const std::function<void()> judge_again_;
};

class MethodTable;
// Adds its method of HostService. Borrows the handler.
void AddHostLabelMethods(MethodTable& table, HostLabels& labels);

}  // namespace plimsoll::api
