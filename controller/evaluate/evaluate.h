// The evaluator: a pure function of facts, baseline, waivers and time.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "controller/evaluate/waivers.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"
#include "plimsoll/v1/report.pb.h"

namespace plimsoll::evaluate {

// What the evaluator may be told beside facts and baseline.
struct Options {
  // The time the report speaks of.
  absl::Time as_of;
  // Facts observed longer than this before `as_of` make every verdict UNKNOWN(stale).
  absl::Duration maximum_age = absl::InfiniteDuration();
  // The host's id, as given at enrolment, and the digest of `facts` in lower-case hex. Copied into
  // the report as they are; empty when the caller knows none.
  absl::string_view host_id = {};
  absl::string_view facts_digest = {};
  // Waivers in effect for the host, by id. Which they are the caller knows: `as_of` is no measure,
  // facts of yesterday may be waived today.
  absl::Span<const HostWaiver> waivers = {};
  // Entries of lists that say " until DATE" count until this or `as_of`, whichever is later: facts
  // that stay as they are do not keep an exemption alive.
  absl::Time now = absl::InfinitePast();
};

// Version of the evaluator, in every report. Goes up when equal inputs no longer give equal
// verdicts.
inline constexpr char kEvaluatorVersion[] = "1";

// Judges `facts` by every rule of `baseline`. No I/O, clock, logging or globals; verdicts come in
// the baseline's order and findings sorted, so equal inputs give equal bytes. Thread-safe.
v1::HostReport Evaluate(const v1::HostFacts& facts, const v1::Baseline& baseline,
                        const Options& options);
// The same into `report`, which is cleared first. A report used again keeps its memory, which makes
// this two to three times as fast.
void Evaluate(const v1::HostFacts& facts, const v1::Baseline& baseline, const Options& options,
              v1::HostReport& report);

// What a collector must look at for this baseline: paths to stat and units to resolve, sorted, each
// once. Digest not set.
v1::CollectionPlan PlanFor(const v1::Baseline& baseline);

}  // namespace plimsoll::evaluate
