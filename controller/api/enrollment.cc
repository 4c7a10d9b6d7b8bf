#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "controller/access/tokens.h"
#include "controller/api/api.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "proto/support/labels.h"

namespace plimsoll::api {
namespace {

using google::protobuf::util::TimeUtil;

constexpr absl::Duration kDefaultLifetime = absl::Hours(1);
constexpr absl::Duration kLongestLifetime = absl::Hours(24 * 30);
constexpr int kMostUses = 100'000;
constexpr size_t kLongestText = 512;
constexpr int kMostLabels = 64;
// How long a host has to come for what was decided.
constexpr absl::Duration kDecisionLifetime = absl::Hours(24 * 7);

absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  if (labels.size() > kMostLabels) {
    return absl::InvalidArgumentError(absl::StrCat("labels: at most ", kMostLabels));
  }
  for (const auto& [key, value] : labels) {
    if (auto status = support::CheckLabel(key, value); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("labels: ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::CreateEnrollmentTokenResponse> EnrollmentTokens::Create(
    const Principal& who, const v1::CreateEnrollmentTokenRequest& request) {
  if (auto status = RequireWholeFleet(who, "enrolment"); !status.ok()) return status;
  const int uses = request.max_uses() == 0 ? 1 : request.max_uses();
  if (uses < 1 || uses > kMostUses) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_uses ", uses, ": expected 1 to ", kMostUses));
  }
  absl::Duration lifetime =
      absl::Seconds(request.lifetime().seconds()) + absl::Nanoseconds(request.lifetime().nanos());
  if (!request.has_lifetime()) lifetime = kDefaultLifetime;
  if (lifetime <= absl::ZeroDuration() || lifetime > kLongestLifetime) {
    return absl::InvalidArgumentError("lifetime: expected more than 0 and at most 720h");
  }
  if (auto status = CheckLength("description", request.description(), kLongestText); !status.ok()) {
    return status;
  }
  if (auto status = CheckLabels(request.labels()); !status.ok()) return status;
  std::string host_id;
  if (!request.host().empty()) {
    if (uses != 1) return absl::InvalidArgumentError("max_uses: a token for one host has one use");
    auto host = FindHost(store_, who, request.host());
    if (!host.ok()) return host.status();
    host_id = host->id();
  }
  const absl::Time now = clock_.Now();
  v1::CreateEnrollmentTokenResponse response;
  response.set_secret(access::NewSecret(access::kEnrollmentPrefix));
  response.set_ca_bundle_pem(authority_.BundlePem());
  v1::EnrollmentToken* token = response.mutable_token();
  token->set_id(NewId("t-"));
  token->set_max_uses(uses);
  token->set_description(request.description());
  token->set_requires_approval(request.requires_approval());
  *token->mutable_labels() = request.labels();
  token->set_host_id(host_id);
  *token->mutable_create_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
  *token->mutable_expire_time() =
      TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now + lifetime));
  if (auto status = store_.enrollment().CreateToken(*token, access::HashSecret(response.secret()));
      !status.ok()) {
    return status;
  }
  spdlog::info("enrolment token created token={} uses={} by={}", token->id(), uses, who.name);
  return response;
}

absl::StatusOr<v1::ListEnrollmentTokensResponse> EnrollmentTokens::List(
    const Principal& who, const v1::ListEnrollmentTokensRequest&) {
  if (auto status = RequireWholeFleet(who, "enrolment"); !status.ok()) return status;
  auto tokens = store_.enrollment().ListTokens();
  if (!tokens.ok()) return tokens.status();
  v1::ListEnrollmentTokensResponse response;
  for (v1::EnrollmentToken& token : *tokens) *response.add_tokens() = std::move(token);
  return response;
}

absl::StatusOr<v1::EnrollmentToken> EnrollmentTokens::Revoke(
    const Principal& who, const v1::RevokeEnrollmentTokenRequest& request) {
  if (auto status = RequireWholeFleet(who, "enrolment"); !status.ok()) return status;
  auto token = store_.enrollment().RevokeToken(request.id());
  if (token.ok()) spdlog::info("enrolment token revoked token={} by={}", token->id(), who.name);
  return token;
}

absl::StatusOr<v1::ListEnrollmentsResponse> EnrollmentTokens::ListEnrollments(
    const Principal& who, const v1::ListEnrollmentsRequest& request) {
  if (auto status = RequireWholeFleet(who, "enrolment"); !status.ok()) return status;
  auto enrollments = store_.enrollment().ListEnrollments(clock_.Now());
  if (!enrollments.ok()) return enrollments.status();
  v1::ListEnrollmentsResponse response;
  for (v1::Enrollment& enrollment : *enrollments) {
    if (request.state() != v1::Enrollment::STATE_UNSPECIFIED &&
        request.state() != enrollment.state()) {
      continue;
    }
    *response.add_enrollments() = std::move(enrollment);
  }
  return response;
}

absl::StatusOr<v1::Enrollment> EnrollmentTokens::Approve(
    const Principal& who, const v1::ApproveEnrollmentRequest& request) {
  if (auto status = CheckLabels(request.labels()); !status.ok()) return status;
  v1::Enrollment decision;
  decision.set_id(request.id());
  decision.set_state(v1::Enrollment::APPROVED);
  *decision.mutable_labels() = request.labels();
  return Decide(who, std::move(decision));
}

absl::StatusOr<v1::Enrollment> EnrollmentTokens::Reject(
    const Principal& who, const v1::RejectEnrollmentRequest& request) {
  v1::Enrollment decision;
  decision.set_id(request.id());
  decision.set_state(v1::Enrollment::REJECTED);
  return Decide(who, std::move(decision));
}

absl::StatusOr<v1::Enrollment> EnrollmentTokens::Decide(const Principal& who,
                                                        v1::Enrollment decision) {
  if (auto status = RequireWholeFleet(who, "enrolment"); !status.ok()) return status;
  decision.set_decided_by(who.name);
  const absl::Time now = clock_.Now();
  auto decided = store_.enrollment().Decide(decision, now, now + kDecisionLifetime);
  if (!decided.ok()) return decided.status();
  spdlog::info("enrolment {} enrolment={} key={} by={}",
               decision.state() == v1::Enrollment::APPROVED ? "approved" : "rejected",
               decided->id(), decided->key_fingerprint(), who.name);
  return decided;
}

}  // namespace plimsoll::api
