#include "proto/support/field_errors.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::support {
namespace {

constexpr char kPayload[] = "type.plimsoll.dev/plimsoll.v1.FieldError";
constexpr char kReason[] = "type.plimsoll.dev/plimsoll.v1.Reason";
// Milliseconds.
constexpr char kRetry[] = "type.plimsoll.dev/plimsoll.v1.Retry";

}  // namespace

absl::Status InvalidField(absl::string_view field, absl::string_view message) {
  return BlameField(absl::InvalidArgumentError(absl::StrCat(field, ": ", message)), field, message);
}

absl::Status BlameField(absl::Status status, absl::string_view field, absl::string_view message) {
  // Field names hold no NUL.
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(field, absl::string_view("\0", 1), message)));
  return status;
}

std::vector<FieldError> FieldErrorsOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return {};
  const std::string text(*payload);
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('\0', 1));
  return {{parts.first, parts.second}};
}

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  status.SetPayload(kReason, absl::Cord(reason));
  return status;
}

absl::Status WithRetry(absl::Status status, absl::Duration wait) {
  status.SetPayload(kRetry, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(wait))));
  return status;
}

absl::Duration RetryOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetry);
  int64_t milliseconds = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &milliseconds)) {
    return absl::ZeroDuration();
  }
  return absl::Milliseconds(milliseconds);
}

absl::Status ShuttingDown() {
  return WithReason(absl::UnavailableError("the controller is shutting down"), kShuttingDown);
}

absl::Status NotRecorded() {
  return WithReason(absl::UnavailableError("the change was made, but could not be written to the "
                                           "activity log; look at what is there before you repeat "
                                           "it"),
                    kNotRecorded);
}

absl::Status ProviderUnavailable(absl::string_view message) {
  return WithReason(absl::UnavailableError(message), kProviderUnavailable);
}

absl::Status PolicyChanged() {
  return WithReason(absl::UnavailableError("the policy has just changed; try again"),
                    kPolicyChanged);
}

bool IsForCaller(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  return reason == kShuttingDown || reason == kNotRecorded || reason == kProviderUnavailable ||
         reason == kPolicyChanged;
}

std::string PublicMessage(const absl::Status& status) {
  if (!IsForCaller(status)) {
    if (absl::IsAborted(status)) return "another change came first; try again";
    if (absl::IsUnavailable(status)) return "the controller's database does not answer; try again";
  }
  return std::string(status.message());
}

std::string ReasonOf(const absl::Status& status) {
  if (const auto reason = status.GetPayload(kReason); reason.has_value()) {
    return std::string(*reason);
  }
  if (status.GetPayload(kPayload).has_value()) return "INVALID_FIELD";
  return absl::StatusCodeToString(status.code());
}

}  // namespace plimsoll::support
