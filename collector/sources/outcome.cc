#include "collector/sources/outcome.h"

#include <string>

#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr size_t kMaxMessageBytes = 512;

void Stamp(absl::Duration duration, absl::Time observed, v1::SourceOutcome* outcome) {
  outcome->set_duration_us(absl::ToInt64Microseconds(duration));
  const int64_t nanos = absl::ToUnixNanos(observed);
  const int64_t seconds = absl::ToUnixSeconds(observed);
  outcome->mutable_observed_time()->set_seconds(seconds);
  outcome->mutable_observed_time()->set_nanos(static_cast<int32_t>(nanos - seconds * 1000000000));
}

}  // namespace

v1::SourceOutcome::State StateOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return v1::SourceOutcome::OK;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return v1::SourceOutcome::PERMISSION_DENIED;
    case absl::StatusCode::kDeadlineExceeded:
      return v1::SourceOutcome::TIMED_OUT;
    case absl::StatusCode::kNotFound:
      return v1::SourceOutcome::NOT_PRESENT;
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kOutOfRange:
      return v1::SourceOutcome::MALFORMED;
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInvalidArgument:
      return v1::SourceOutcome::UNSUPPORTED;
    case absl::StatusCode::kResourceExhausted:
      return v1::SourceOutcome::TRUNCATED;
    case absl::StatusCode::kAborted:
      return v1::SourceOutcome::AMBIGUOUS;
    default:
      return v1::SourceOutcome::UNAVAILABLE;
  }
}

void SetOutcome(const absl::Status& status, absl::Duration duration, absl::Time observed,
                v1::SourceOutcome* outcome) {
  outcome->set_state(StateOf(status));
  outcome->set_message(status.ok() ? std::string()
                                   : CleanText(std::string(status.message()), kMaxMessageBytes));
  Stamp(duration, observed, outcome);
}

OutcomeTimer::OutcomeTimer(const support::Clock& clock, v1::SourceOutcome* outcome)
    : clock_(clock), start_(clock.Now()), outcome_(outcome) {
  outcome_->Clear();
}

OutcomeTimer::~OutcomeTimer() {
  const absl::Time now = clock_.Now();
  Stamp(now - start_, now, outcome_);
}

void OutcomeTimer::Set(const absl::Status& status) {
  Set(StateOf(status), std::string(status.message()));
}

void OutcomeTimer::Set(v1::SourceOutcome::State state, absl::string_view message) {
  const bool failed = outcome_->state() != v1::SourceOutcome::NOT_COLLECTED &&
                      outcome_->state() != v1::SourceOutcome::OK;
  if (failed) return;
  outcome_->set_state(state);
  outcome_->set_message(state == v1::SourceOutcome::OK ? std::string()
                                                       : CleanText(message, kMaxMessageBytes));
}

}  // namespace plimsoll::sources
