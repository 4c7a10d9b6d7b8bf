// The API of what-ifs, free of transport; see api.h for what all handlers have in common.
#pragma once

#include "absl/status/statusor.h"
#include "controller/api/tailorings.h"
#include "controller/api/waivers.h"
#include "controller/policy/policy_book.h"
#include "controller/reevaluate/what_if.h"
#include "controller/store/store.h"
#include "plimsoll/v1/what_if_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// Thread-safe. Borrows what it is given. Errors as what_if_service.proto says.
class WhatIfs {
 public:
  WhatIfs(const policy::PolicyBook& book, reevaluate::WhatIfs& runs, const Waivers& waivers,
          const Tailorings& tailorings, const support::Clock& clock)
      : book_(book), runs_(runs), waivers_(waivers), tailorings_(tailorings), clock_(clock) {}
  absl::StatusOr<v1::WhatIf> Start(const store::Principal& who,
                                   const v1::StartWhatIfRequest& request);
  absl::StatusOr<v1::WhatIf> Get(const store::Principal& who, const v1::GetWhatIfRequest& request);
  absl::StatusOr<v1::ListWhatIfFlipsResponse> ListFlips(const store::Principal& who,
                                                        const v1::ListWhatIfFlipsRequest& request);
  absl::StatusOr<v1::CancelWhatIfResponse> Cancel(const store::Principal& who,
                                                  const v1::CancelWhatIfRequest& request);

 private:
  // Makes the change in `parts`.
  absl::Status Apply(const store::Principal& who, const v1::StartWhatIfRequest& request,
                     policy::PolicyParts& parts) const;

  const policy::PolicyBook& book_;
  reevaluate::WhatIfs& runs_;
  const Waivers& waivers_;
  const Tailorings& tailorings_;
  const support::Clock& clock_;
};

}  // namespace plimsoll::api
