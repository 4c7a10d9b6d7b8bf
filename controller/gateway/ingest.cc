#include "controller/gateway/ingest.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "controller/evaluate/evaluate.h"
#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"

namespace plimsoll::gateway {
namespace {

// Observed times far in the future would hide every later change; a clock this wrong is brought
// back.
constexpr absl::Duration kMaximumSkewAhead = absl::Minutes(10);

v1::CollectionPlan MakePlan(const std::vector<v1::Baseline>& baselines, absl::Duration interval) {
  v1::CollectionPlan plan;
  for (const v1::Baseline& baseline : baselines) plan.MergeFrom(evaluate::PlanFor(baseline));
  const auto unique = [](auto* list) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
  };
  unique(plan.mutable_paths());
  unique(plan.mutable_units());
  unique(plan.mutable_label_keys());
  plan.mutable_interval()->set_seconds(absl::ToInt64Seconds(interval));
  plan.set_digest(support::Sha256Hex(plan.SerializeAsString()));
  return plan;
}

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

}  // namespace

Ingest::Ingest(store::Store& store, scans::ScanBoard& scans, const support::Clock& clock,
               std::vector<v1::Baseline> baselines, absl::Duration interval)
    : store_(store),
      scans_(scans),
      clock_(clock),
      baselines_(std::move(baselines)),
      plan_(MakePlan(baselines_, interval)) {}

absl::StatusOr<Ingest::Result> Ingest::Accept(const std::string& host_id,
                                              const v1::FactsDelta& delta) {
  if (delta.sequence() == 0) return absl::InvalidArgumentError("a delta has sequence 0");
  auto state = store_.reports().GetStreamState(host_id);
  if (!state.ok()) return state.status();
  if (delta.sequence() <= state->sequence) {
    const std::vector<std::string> scan_ids(delta.scan_ids().begin(), delta.scan_ids().end());
    if (!scan_ids.empty()) {
      if (auto status = store_.reports().Confirm(host_id, scan_ids, clock_.Now()); !status.ok()) {
        return status;
      }
      scans_.Answered(scan_ids);
    }
    return Result::kAcknowledge;
  }
  if (!delta.base_digest().empty() && delta.base_digest() != state->facts_digest) {
    return Result::kResync;
  }
  v1::HostFacts facts;
  if (!delta.base_digest().empty()) {
    auto base = store_.reports().GetFacts(host_id);
    if (!base.ok()) return base.status();
    facts = *std::move(base);
  }
  if (auto status = support::ApplyDelta(delta, facts); !status.ok()) return status;
  *facts.mutable_observed_time() = delta.observed_time();
  const std::string digest = support::FactsDigest(facts);
  if (digest != delta.new_digest()) {
    spdlog::warn("digest mismatch host={} sequence={}", host_id, delta.sequence());
    // A full snapshot that does not hash to its own digest will not do better the next time.
    if (delta.base_digest().empty()) {
      return absl::InvalidArgumentError("a full snapshot does not have the digest it claims");
    }
    return Result::kResync;
  }

  store::Evaluation evaluation;
  evaluation.host_id = host_id;
  evaluation.sequence = delta.sequence();
  evaluation.facts = &facts;
  evaluation.facts_digest = digest;
  evaluation.recorded = clock_.Now();
  evaluation.observed =
      std::min(FromProto(delta.observed_time()), evaluation.recorded + kMaximumSkewAhead);
  evaluation.baselines = &baselines_;
  evaluation.scan_ids.assign(delta.scan_ids().begin(), delta.scan_ids().end());
  const std::string hex_digest = absl::BytesToHexString(digest);
  for (const v1::Baseline& baseline : baselines_) {
    evaluation.reports.push_back(evaluate::Evaluate(
        facts, baseline,
        {.as_of = evaluation.observed, .host_id = host_id, .facts_digest = hex_digest}));
  }
  if (auto status = store_.reports().Put(evaluation); !status.ok()) return status;
  scans_.Answered(evaluation.scan_ids);
  return Result::kAcknowledge;
}

absl::StatusOr<Ingest::Result> Ingest::Confirm(const std::string& host_id,
                                               const v1::Heartbeat& heartbeat) {
  Seen(host_id);
  if (heartbeat.facts_digest().empty() && heartbeat.scan_ids().empty()) return Result::kAcknowledge;
  auto state = store_.reports().GetStreamState(host_id);
  if (!state.ok()) return state.status();
  if (state->facts_digest != heartbeat.facts_digest()) return Result::kResync;
  if (heartbeat.scan_ids().empty()) return Result::kAcknowledge;
  const std::vector<std::string> scan_ids(heartbeat.scan_ids().begin(), heartbeat.scan_ids().end());
  if (auto status = store_.reports().Confirm(host_id, scan_ids, clock_.Now()); !status.ok()) {
    return status;
  }
  scans_.Answered(scan_ids);
  return Result::kAcknowledge;
}

void Ingest::Seen(const std::string& host_id) {
  absl::MutexLock lock(&mutex_);
  seen_[host_id] = clock_.Now();
}

void Ingest::Flush() {
  std::map<std::string, absl::Time> seen;
  {
    absl::MutexLock lock(&mutex_);
    seen.insert(seen_.begin(), seen_.end());
    seen_.clear();
  }
  if (seen.empty()) return;
  if (auto status = store_.hosts().Touch(seen); !status.ok()) {
    spdlog::warn("last-seen times not stored hosts={} error=\"{}\"", seen.size(),
                 status.ToString());
  }
}

}  // namespace plimsoll::gateway
