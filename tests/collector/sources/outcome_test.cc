#include "collector/sources/outcome.h"

#include <gtest/gtest.h>

#include <string>

namespace plimsoll::sources {
namespace {

TEST(StateOf, EveryStatusHasAStateAndOnlyOkIsOk) {
  const struct {
    absl::StatusCode code;
    v1::SourceOutcome::State state;
  } kCases[] = {
      {absl::StatusCode::kOk, v1::SourceOutcome::OK},
      {absl::StatusCode::kUnavailable, v1::SourceOutcome::UNAVAILABLE},
      {absl::StatusCode::kFailedPrecondition, v1::SourceOutcome::UNAVAILABLE},
      {absl::StatusCode::kInternal, v1::SourceOutcome::UNAVAILABLE},
      {absl::StatusCode::kPermissionDenied, v1::SourceOutcome::PERMISSION_DENIED},
      {absl::StatusCode::kUnauthenticated, v1::SourceOutcome::PERMISSION_DENIED},
      {absl::StatusCode::kDeadlineExceeded, v1::SourceOutcome::TIMED_OUT},
      {absl::StatusCode::kNotFound, v1::SourceOutcome::NOT_PRESENT},
      {absl::StatusCode::kDataLoss, v1::SourceOutcome::MALFORMED},
      {absl::StatusCode::kUnimplemented, v1::SourceOutcome::UNSUPPORTED},
      {absl::StatusCode::kInvalidArgument, v1::SourceOutcome::UNSUPPORTED},
      {absl::StatusCode::kResourceExhausted, v1::SourceOutcome::TRUNCATED},
      {absl::StatusCode::kAborted, v1::SourceOutcome::AMBIGUOUS},
  };
  for (const auto& c : kCases) EXPECT_EQ(StateOf(absl::Status(c.code, "m")), c.state);
}

TEST(SetOutcome, FillsEveryField) {
  v1::SourceOutcome outcome;
  SetOutcome(absl::DataLossError(std::string(600, 'x') + "\xff"), absl::Milliseconds(3),
             absl::FromUnixMillis(1500), &outcome);
  EXPECT_EQ(outcome.state(), v1::SourceOutcome::MALFORMED);
  EXPECT_EQ(outcome.message().size(), 512u);
  EXPECT_EQ(outcome.duration_us(), 3000);
  EXPECT_EQ(outcome.observed_time().seconds(), 1);
  EXPECT_EQ(outcome.observed_time().nanos(), 500000000);
  SetOutcome(absl::OkStatus(), absl::ZeroDuration(), absl::UnixEpoch(), &outcome);
  EXPECT_EQ(outcome.message(), "");
}

TEST(OutcomeTimer, NothingSaidIsNotCollected) {
  support::FakeClock clock(absl::FromUnixSeconds(100));
  v1::SourceOutcome outcome;
  outcome.set_state(v1::SourceOutcome::OK);
  {
    OutcomeTimer timer(clock, &outcome);
    clock.Advance(absl::Seconds(2));
  }
  EXPECT_EQ(outcome.state(), v1::SourceOutcome::NOT_COLLECTED);
  EXPECT_EQ(outcome.duration_us(), 2000000);
  EXPECT_EQ(outcome.observed_time().seconds(), 102);
}

TEST(OutcomeTimer, TheFirstErrorStays) {
  support::FakeClock clock(absl::FromUnixSeconds(100));
  v1::SourceOutcome outcome;
  {
    OutcomeTimer timer(clock, &outcome);
    timer.Set(absl::OkStatus());
    timer.Set(v1::SourceOutcome::TRUNCATED, "first");
    timer.Set(absl::OkStatus());
    timer.Set(absl::UnavailableError("second"));
  }
  EXPECT_EQ(outcome.state(), v1::SourceOutcome::TRUNCATED);
  EXPECT_EQ(outcome.message(), "first");
}

}  // namespace
}  // namespace plimsoll::sources
