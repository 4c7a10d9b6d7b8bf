// How the reading of a source ended: from absl::Status to v1::SourceOutcome, in one place.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "plimsoll/v1/source_outcome.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::sources {

// UNAVAILABLE, FAILED_PRECONDITION and all not named here: UNAVAILABLE. PERMISSION_DENIED and
// UNAUTHENTICATED: PERMISSION_DENIED. DEADLINE_EXCEEDED: TIMED_OUT. NOT_FOUND: NOT_PRESENT.
// DATA_LOSS and OUT_OF_RANGE: MALFORMED. UNIMPLEMENTED and INVALID_ARGUMENT (the engine's 400):
// UNSUPPORTED. RESOURCE_EXHAUSTED: TRUNCATED. ABORTED: AMBIGUOUS.
v1::SourceOutcome::State StateOf(const absl::Status& status);

// Writes every field of `outcome`: state, message (cleaned, at most 512 bytes, empty when OK),
// duration and time of observation.
void SetOutcome(const absl::Status& status, absl::Duration duration, absl::Time observed,
                v1::SourceOutcome* outcome);

// Times one reading from construction to destruction, and then stamps `outcome`. A reading that
// never says how it ended stays NOT_COLLECTED: nothing is OK by default.
//
//   OutcomeTimer timer(env.clock, facts.mutable_outcome());
//   auto body = env.docker.Get(path);
//   timer.Set(body.status());
//
// Borrows both arguments; `outcome` must stay where it is. Thread-compatible.
class OutcomeTimer {
 public:
  OutcomeTimer(const support::Clock& clock, v1::SourceOutcome* outcome);
  ~OutcomeTimer();
  OutcomeTimer(const OutcomeTimer&) = delete;
  OutcomeTimer& operator=(const OutcomeTimer&) = delete;

  // The first error stays; a later OK or another error changes nothing.
  void Set(const absl::Status& status);
  // The same for a state that no status expresses, such as TRUNCATED.
  void Set(v1::SourceOutcome::State state, absl::string_view message);

 private:
  const support::Clock& clock_;
  const absl::Time start_;
  v1::SourceOutcome* const outcome_;
};

}  // namespace plimsoll::sources
