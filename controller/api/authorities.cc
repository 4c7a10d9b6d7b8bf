#include "controller/api/authorities.h"

#include <spdlog/spdlog.h>

#include "controller/api/scope.h"

namespace plimsoll::api {
namespace {

constexpr char kConcern[] = "the certificate authority";

}  // namespace

absl::StatusOr<v1::AuthorityStatus> Authorities::Get(const Principal& who,
                                                     const v1::GetAuthoritiesRequest&) {
  if (auto status = RequireWholeFleet(who, kConcern); !status.ok()) return status;
  return authorities_.Describe();
}

absl::StatusOr<v1::AuthorityStatus> Authorities::Begin(const Principal& who,
                                                       const v1::BeginRotationRequest& request) {
  if (auto status = RequireWholeFleet(who, kConcern); !status.ok()) return status;
  return After(who, "begun", authorities_.Begin(request.ca_chain_pem(), request.secret_key_pem()));
}

absl::StatusOr<v1::AuthorityStatus> Authorities::Switch(const Principal& who,
                                                        const v1::SwitchAuthorityRequest& request) {
  if (auto status = RequireWholeFleet(who, kConcern); !status.ok()) return status;
  return After(who, "switched", authorities_.Switch(request.force()));
}

absl::StatusOr<v1::AuthorityStatus> Authorities::Finish(const Principal& who,
                                                        const v1::FinishRotationRequest& request) {
  if (auto status = RequireWholeFleet(who, kConcern); !status.ok()) return status;
  return After(who, "finished", authorities_.Finish(request.force()));
}

absl::StatusOr<v1::AuthorityStatus> Authorities::Cancel(const Principal& who,
                                                        const v1::CancelRotationRequest&) {
  if (auto status = RequireWholeFleet(who, kConcern); !status.ok()) return status;
  return After(who, "cancelled", authorities_.Cancel());
}

absl::StatusOr<v1::AuthorityStatus> Authorities::After(const Principal& who, const char* step,
                                                       const absl::Status& status) {
  if (!status.ok()) return status;
  spdlog::info("rotation of the certificate authority {} by={}", step, who.name);
  return authorities_.Describe();
}

}  // namespace plimsoll::api
