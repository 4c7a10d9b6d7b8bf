// The API of tailorings, free of transport; see api.h for what all handlers have in common.
#pragma once

#include "absl/status/statusor.h"
#include "controller/policy/policy_book.h"
#include "controller/store/store.h"
#include "plimsoll/v1/tailoring_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

// Thread-safe. Borrows what it is given. Errors as tailoring_service.proto says. What a change does
// to this controller's policy it has done when the method returns; other controllers follow.
class Tailorings {
 public:
  Tailorings(store::Store& store, policy::PolicyBook& book, const support::Clock& clock)
      : store_(store), book_(book), clock_(clock) {}
  absl::StatusOr<v1::Tailoring> Set(const store::Principal& who,
                                    const v1::SetTailoringRequest& request);
  absl::StatusOr<v1::Tailoring> Get(const store::Principal& who,
                                    const v1::GetTailoringRequest& request);
  absl::StatusOr<v1::ListTailoringsResponse> List(const store::Principal& who,
                                                  const v1::ListTailoringsRequest& request);
  absl::StatusOr<v1::DeleteTailoringResponse> Delete(const store::Principal& who,
                                                     const v1::DeleteTailoringRequest& request);

  // INVALID_ARGUMENT names the field that is wrong; NOT_FOUND what there is not. Replaces slugs by
  // ids.
  absl::Status Check(v1::Tailoring& tailoring) const;

 private:
  void Changed(const store::Principal& who, const std::string& name);

  store::Store& store_;
  policy::PolicyBook& book_;
  const support::Clock& clock_;
};

}  // namespace plimsoll::api
