// The API of waivers, free of transport; see api.h for what all handlers have in common.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/fleet/coverage.h"
#include "controller/fleet/index.h"
#include "controller/policy/policy_book.h"
#include "controller/store/store.h"
#include "plimsoll/v1/waiver_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::api {

struct WaiverOptions {
  // Whoever proposed a waiver may not approve it: a caller of that name, by whatever token.
  bool two_persons = true;
  // The longest that a waiver lasts, from when it is proposed or renewed.
  absl::Duration maximum = absl::Hours(24 * 366);
  // Hosts looked into for one answer, and objects that one waiver is bound to.
  size_t maximum_hosts = 20'000;
  size_t maximum_bindings = 100'000;
};

// Thread-safe. Borrows what it is given. Errors as waiver_service.proto says. What a change does to
// this controller's policy it has done when the method returns; other controllers follow.
class Waivers {
 public:
  Waivers(store::Store& store, const fleet::FleetIndex& index, policy::PolicyBook& book,
          const support::Clock& clock, WaiverOptions options = {})
      : store_(store), index_(index), book_(book), clock_(clock), options_(options) {}
  absl::StatusOr<v1::Waiver> Create(const store::Principal& who,
                                    const v1::CreateWaiverRequest& request);
  absl::StatusOr<v1::PreviewWaiverResponse> Preview(const store::Principal& who,
                                                    const v1::PreviewWaiverRequest& request);
  absl::StatusOr<v1::Waiver> Approve(const store::Principal& who,
                                     const v1::DecideWaiverRequest& request);
  absl::StatusOr<v1::Waiver> Reject(const store::Principal& who,
                                    const v1::DecideWaiverRequest& request);
  absl::StatusOr<v1::Waiver> Renew(const store::Principal& who,
                                   const v1::RenewWaiverRequest& request);
  absl::StatusOr<v1::Waiver> Revoke(const store::Principal& who,
                                    const v1::DecideWaiverRequest& request);
  absl::StatusOr<v1::Waiver> Get(const store::Principal& who, const v1::GetWaiverRequest& request);
  absl::StatusOr<v1::ListWaiversResponse> List(const store::Principal& who,
                                               const v1::ListWaiversRequest& request);
  absl::StatusOr<v1::ListWaiverHistoryResponse> ListHistory(
      const store::Principal& who, const v1::ListWaiverHistoryRequest& request);

  // Names hosts by id and rules by id, and narrows it to the caller's part of the fleet.
  // INVALID_ARGUMENT names the field that is wrong; NOT_FOUND what there is not.
  absl::Status Normalize(const store::Principal& who, v1::Waiver& waiver) const;

 private:
  absl::Status CheckTimes(const v1::Waiver& waiver) const;
  // A waiver that the caller may see.
  absl::StatusOr<v1::Waiver> Find(const store::Principal& who, const std::string& id) const;
  // One that is about hosts of the caller's part of the fleet only.
  absl::StatusOr<v1::Waiver> FindOwn(const store::Principal& who, const std::string& id) const;
  // Clears what tells of hosts outside the caller's part of the fleet, whose selector is `scope`.
  void HideOutside(const store::Principal& who, const fleet::Selector& scope,
                   v1::Waiver& waiver) const;
  absl::StatusOr<store::WaiverBindings> Bind(const v1::Waiver& waiver) const;
  // Sets counts and, up to `shown` of each, findings. `any`: stops when both counts are known not
  // to be 0.
  absl::Status Count(const fleet::Selector& scope, size_t shown, bool any,
                     v1::Waiver& waiver) const;
  // Puts a change into force here, and completes the answer.
  v1::Waiver Changed(v1::Waiver waiver, const store::WaiverNote& note);

  store::Store& store_;
  const fleet::FleetIndex& index_;
  policy::PolicyBook& book_;
  const support::Clock& clock_;
  const WaiverOptions options_;
};

}  // namespace plimsoll::api
