// The certificate authority that hosts trust, and its replacement.
#pragma once

#include "absl/status/statusor.h"
#include "controller/access/authorities.h"
#include "controller/store/token_store.h"
#include "plimsoll/v1/authority_service.pb.h"

namespace plimsoll::api {

using store::Principal;

// Handlers of AuthorityService (api.h says what all handlers share).
class Authorities {
 public:
  explicit Authorities(access::Authorities& authorities) : authorities_(authorities) {}
  absl::StatusOr<v1::AuthorityStatus> Get(const Principal& who,
                                          const v1::GetAuthoritiesRequest& request);
  absl::StatusOr<v1::AuthorityStatus> Begin(const Principal& who,
                                            const v1::BeginRotationRequest& request);
  absl::StatusOr<v1::AuthorityStatus> Switch(const Principal& who,
                                             const v1::SwitchAuthorityRequest& request);
  absl::StatusOr<v1::AuthorityStatus> Finish(const Principal& who,
                                             const v1::FinishRotationRequest& request);
  absl::StatusOr<v1::AuthorityStatus> Cancel(const Principal& who,
                                             const v1::CancelRotationRequest& request);

 private:
  // What follows a step, or its error.
  absl::StatusOr<v1::AuthorityStatus> After(const Principal& who, const char* step,
                                            const absl::Status& status);
  access::Authorities& authorities_;
};

}  // namespace plimsoll::api
