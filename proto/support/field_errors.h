// What a status says beside its code and message: the field of a request that is wrong, a reason,
// when to try again.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace plimsoll::support {

struct FieldError {
  // Path in the request as its JSON names it, e.g. "schedule.cron".
  std::string field;
  // What is expected.
  std::string message;
};

// INVALID_ARGUMENT with the message "<field>: <message>" and the field beside it, where gRPC and
// REST find it.
absl::Status InvalidField(absl::string_view field, absl::string_view message);

// `status` with a field to blame; `message`: what is wrong with it.
absl::Status BlameField(absl::Status status, absl::string_view field, absl::string_view message);

// The fields that `status` blames; empty: none named.
std::vector<FieldError> FieldErrorsOf(const absl::Status& status);

// `status` with a reason for programs, in upper case: "BODY_TOO_LARGE". It is part of the API.
absl::Status WithReason(absl::Status status, absl::string_view reason);

// The reason of `status`: what WithReason gave it, INVALID_FIELD when it blames fields, else the
// name of its code.
std::string ReasonOf(const absl::Status& status);

// `status` with the time after which trying again is worth it, and that time; zero: not known.
absl::Status WithRetry(absl::Status status, absl::Duration wait);
absl::Duration RetryOf(const absl::Status& status);

// UNAVAILABLE, with a reason of its own: the same request will be served elsewhere, or later.
inline constexpr absl::string_view kShuttingDown = "SHUTTING_DOWN";
absl::Status ShuttingDown();

// UNAVAILABLE, with a reason of its own: the change was made and is not in the activity log. Trying
// again would make it twice.
inline constexpr absl::string_view kNotRecorded = "NOT_RECORDED";
absl::Status NotRecorded();

// UNAVAILABLE, with a reason of its own: the identity provider, or the way to it, does not work.
inline constexpr absl::string_view kProviderUnavailable = "PROVIDER_UNAVAILABLE";
absl::Status ProviderUnavailable(absl::string_view message);

// UNAVAILABLE, with a reason of its own: what hosts are judged by changed meanwhile.
inline constexpr absl::string_view kPolicyChanged = "POLICY_CHANGED";
absl::Status PolicyChanged();

// Whether the message is for the caller although the code says that something inside broke.
bool IsForCaller(const absl::Status& status);

// What a caller is told of an error. UNAVAILABLE and ABORTED tell what broke inside, which is for
// the log, unless IsForCaller: of them a caller is told what became of the call.
std::string PublicMessage(const absl::Status& status);

}  // namespace plimsoll::support
