#include "controller/gateway/ingest.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "controller/evaluate/evaluate.h"
#include "controller/gateway/message_check.h"
#include "controller/reevaluate/judge_host.h"
#include "controller/store/facts_codec.h"
#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"
#include "proto/support/times.h"

namespace plimsoll::gateway {
namespace {

// Some 200 KB each; as many as wait for a commit when it is busy.
constexpr size_t kMaximumReusable = 512;

// Observed times far in the future would hide every later change; a clock this wrong is brought
// back.
constexpr absl::Duration kMaximumSkewAhead = absl::Minutes(10);
// First protocol version with a tree of digests.
constexpr uint32_t kTreeProtocol = 2;
constexpr uint64_t kMaximumSequence = uint64_t{1} << 62;
constexpr size_t kMaximumVersionBytes = 128;
// What collectors take of a plan, paths of their own included (plan.proto).
constexpr int kMaximumPaths = 1024;
constexpr int kMaximumUnits = 64;

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
  if (plan.paths_size() > kMaximumPaths || plan.units_size() > kMaximumUnits) {
    spdlog::warn("baselines ask for more than collectors look at paths={} of {} units={} of {}",
                 plan.paths_size(), kMaximumPaths, plan.units_size(), kMaximumUnits);
  }
  plan.mutable_interval()->set_seconds(absl::ToInt64Seconds(interval));
  plan.set_digest(support::Sha256Hex(plan.SerializeAsString()));
  return plan;
}

// When the host says it saw this, within what a clock can say and a database can hold.
absl::Time ObservedTime(const google::protobuf::Timestamp& time, absl::Time recorded) {
  return std::clamp(support::FromTimestamp(time), absl::UnixEpoch(), recorded + kMaximumSkewAhead);
}

bool SameMonth(absl::Time a, absl::Time b) {
  return absl::ToCivilMonth(a, absl::UTCTimeZone()) == absl::ToCivilMonth(b, absl::UTCTimeZone());
}

// Whether the store takes a delta on what it has.
bool MayStoreDelta(const store::StreamState& state, absl::Time recorded) {
  return !state.facts_digest.empty() && state.chain < store::kMaximumChain &&
         state.full_recorded != absl::InfinitePast() && SameMonth(state.full_recorded, recorded);
}

std::string NewDigest(const HostStream& stream, const v1::FactsDelta& delta, bool is_snapshot,
                      CachedFacts& facts) {
  if (stream.protocol < kTreeProtocol) {
    facts.has_tree = false;
    return support::FactsDigest(facts.facts);
  }
  if (is_snapshot || !facts.has_tree) {
    facts.tree = support::FactsDigestTree(facts.facts);
    facts.has_tree = true;
  } else {
    facts.tree.Apply(delta, facts.facts);
  }
  return facts.tree.Digest();
}

void ForgetFingerprints(const v1::FactsDelta& delta, evaluate::ContainerFingerprints& known) {
  for (const v1::Container& container : delta.changed().containers().containers()) {
    known.Forget(container.id());
  }
  for (const v1::Removal& removal : delta.removals()) known.Forget(removal.key());
}

}  // namespace

Ingest::Ingest(IngestParts parts, const std::vector<v1::Baseline>& baselines,
               absl::Duration interval, const GatewayOptions& options)
    : parts_(std::move(parts)),
      interval_(interval),
      plan_(std::make_shared<const v1::CollectionPlan>(MakePlan(baselines, interval))),
      max_objects_(options.max_objects_per_section),
      cache_(options.cache_bytes, parts_.stats),
      committer_(
          [this](const auto& batch) {
            const absl::Time begin = parts_.clock.Now();
            auto results = parts_.store.reports().PutBatch(batch);
            parts_.stats.commit_seconds.Observe(absl::ToDoubleSeconds(parts_.clock.Now() - begin));
            return results;
          },
          {options.committer_threads, options.max_batch_hosts, options.max_batch_bytes,
           [this](std::vector<store::Judgement> used) { Recycle(std::move(used)); }},
          parts_.stats, parts_.on_committed) {}

Ingest::~Ingest() = default;

std::shared_ptr<const v1::CollectionPlan> Ingest::plan() const {
  absl::ReaderMutexLock lock(&plan_mutex_);
  return plan_;
}

void Ingest::SetBaselines(const std::vector<v1::Baseline>& baselines) {
  auto plan = std::make_shared<const v1::CollectionPlan>(MakePlan(baselines, interval_));
  absl::MutexLock lock(&plan_mutex_);
  plan_ = std::move(plan);
}

void Ingest::Accept(HostStream& stream, v1::FactsDelta& delta, Done done) {
  ++parts_.stats.deltas;
  if (delta.sequence() == 0 || delta.sequence() > kMaximumSequence) {
    return done(absl::InvalidArgumentError("a delta with a sequence that cannot be"));
  }
  if (auto status = CheckScanIds(delta.scan_ids()); !status.ok()) return done(status);
  if (delta.sequence() <= stream.state.sequence) {
    ++parts_.stats.repeated;
    return done(Confirm(stream, delta.scan_ids()));
  }
  const bool is_snapshot = delta.base_digest().empty();
  if (is_snapshot) ++parts_.stats.snapshots;
  if (!is_snapshot && delta.base_digest() != stream.state.facts_digest) {
    return done(Result::kResync);
  }
  auto facts = Apply(stream, delta);
  if (absl::IsDataLoss(facts.status()) || absl::IsNotFound(facts.status())) {
    spdlog::error("stored facts are damaged, asking for them anew host={} error=\"{}\"",
                  stream.host_id, facts.status().ToString());
    return done(Result::kResync);
  }
  if (!facts.ok()) return done(facts.status());
  (*facts)->digest = NewDigest(stream, delta, is_snapshot, **facts);
  if ((*facts)->digest != delta.new_digest()) {
    spdlog::warn("digest mismatch host={} sequence={}", stream.host_id, delta.sequence());
    // A full snapshot that does not hash to its own digest will not do better the next time.
    if (is_snapshot) {
      return done(absl::InvalidArgumentError("a full snapshot does not have the digest it claims"));
    }
    return done(Result::kResync);
  }
  auto evaluation = Evaluate(stream, delta, is_snapshot, **facts);
  if (!evaluation.ok()) return done(evaluation.status());
  Commit(stream, *std::move(evaluation), *std::move(facts), std::move(done));
}

absl::StatusOr<Ingest::Facts> Ingest::BaseFacts(const HostStream& stream) {
  Facts facts = cache_.Take(stream.host_id, stream.epoch, stream.state.facts_digest);
  if (facts != nullptr) return facts;
  auto stored = parts_.store.reports().GetFacts(stream.host_id);
  if (!stored.ok()) return stored.status();
  if (stored->digest != stream.state.facts_digest) {
    return absl::AbortedError("another session took over");
  }
  facts = std::make_unique<CachedFacts>();
  facts->facts.Swap(&stored->facts);
  if (stream.protocol >= kTreeProtocol) {
    facts->tree = support::FactsDigestTree(facts->facts);
    facts->has_tree = true;
  }
  facts->Measure();
  return facts;
}

absl::StatusOr<Ingest::Facts> Ingest::Apply(const HostStream& stream, v1::FactsDelta& delta) {
  if (auto status = CheckObjectCounts(delta.changed(), max_objects_); !status.ok()) {
    ++parts_.stats.over_objects;
    return status;
  }
  Facts facts;
  if (delta.base_digest().empty()) {
    if (delta.removals_size() != 0) {
      return absl::InvalidArgumentError("a full snapshot with removals");
    }
    facts = std::make_unique<CachedFacts>();
    facts->facts.Swap(delta.mutable_changed());
    // Before sorting: version 1 digests what was sent, as it was sent.
    if (stream.protocol >= kTreeProtocol) SortKeyedSections(facts->facts);
    facts->Measure();
  } else {
    auto base = BaseFacts(stream);
    if (!base.ok()) return base.status();
    facts = *std::move(base);
    if (auto status = support::ApplyDelta(delta, facts->facts); !status.ok()) return status;
    ForgetFingerprints(delta, facts->fingerprints);
    if (auto status = CheckObjectCounts(facts->facts, max_objects_); !status.ok()) {
      ++parts_.stats.over_objects;
      return status;
    }
    facts->bytes += static_cast<int64_t>(delta.ByteSizeLong()) * kDecodedFactor;
  }
  facts->epoch = stream.epoch;
  *facts->facts.mutable_observed_time() = delta.observed_time();
  return facts;
}

absl::StatusOr<store::Evaluation> Ingest::Evaluate(const HostStream& stream,
                                                   const v1::FactsDelta& delta, bool is_snapshot,
                                                   CachedFacts& facts) {
  store::Evaluation evaluation;
  evaluation.host_id = stream.host_id;
  evaluation.session_epoch = stream.epoch;
  evaluation.sequence = delta.sequence();
  evaluation.facts_digest = facts.digest;
  evaluation.recorded = parts_.clock.Now();
  evaluation.observed = ObservedTime(delta.observed_time(), evaluation.recorded);
  evaluation.is_full = is_snapshot || !MayStoreDelta(stream.state, evaluation.recorded);
  // Deltas since then were only added up.
  if (evaluation.is_full && !is_snapshot) facts.Measure();
  auto content = evaluation.is_full ? store::Compress(facts.facts) : store::Compress(delta);
  if (!content.ok()) return content.status();
  evaluation.content = *std::move(content);
  const v1::EngineFacts& engine = facts.facts.engine();
  evaluation.engine_version = CleanText(engine.version(), kMaximumVersionBytes);
  evaluation.operating_system = CleanText(!facts.facts.machine().os_pretty_name().empty()
                                              ? facts.facts.machine().os_pretty_name()
                                              : engine.operating_system(),
                                          kMaximumVersionBytes);
  evaluation.container_count = facts.facts.containers().containers_size();
  evaluation.judgements = Reused();
  const absl::Time begin = parts_.clock.Now();
  const policy::HostPolicy policy = parts_.policy(stream.host_id);
  evaluation.policy_key = policy.key;
  reevaluate::JudgeHost(facts.facts, policy, evaluation.observed, stream.host_id, facts.digest,
                        facts.fingerprints, evaluation.judgements);
  parts_.stats.evaluation_seconds.Observe(absl::ToDoubleSeconds(parts_.clock.Now() - begin));
  if (delta.has_gap()) evaluation.gap = delta.gap();
  evaluation.scan_ids.assign(delta.scan_ids().begin(), delta.scan_ids().end());
  return evaluation;
}

void Ingest::Recycle(std::vector<store::Judgement> used) {
  absl::MutexLock lock(&reuse_mutex_);
  if (reusable_.size() < kMaximumReusable) reusable_.push_back(std::move(used));
}

std::vector<store::Judgement> Ingest::Reused() {
  absl::MutexLock lock(&reuse_mutex_);
  if (reusable_.empty()) return {};
  std::vector<store::Judgement> judgements = std::move(reusable_.back());
  reusable_.pop_back();
  return judgements;
}

void Ingest::Commit(HostStream& stream, store::Evaluation evaluation, Facts facts, Done done) {
  store::StreamState after;
  after.sequence = evaluation.sequence;
  after.facts_digest = evaluation.facts_digest;
  after.chain = evaluation.is_full ? 0 : stream.state.chain + 1;
  after.full_recorded = evaluation.is_full ? evaluation.recorded : stream.state.full_recorded;
  std::vector<std::string> scan_ids = evaluation.scan_ids;
  const absl::Time observed = evaluation.observed;
  // The committer keeps functions that can be copied.
  const auto kept = std::make_shared<Facts>(std::move(facts));
  committer_.Add({std::move(evaluation), [this, &stream, after = std::move(after), kept, observed,
                                          scan_ids = std::move(scan_ids),
                                          done = std::move(done)](const absl::Status& status) {
                    // The store wants a full snapshot where this session knew of none.
                    if (absl::IsFailedPrecondition(status)) return done(Result::kResync);
                    if (!status.ok()) return done(status);
                    parts_.stats.event_to_verdict_seconds.Observe(
                        std::max(0.0, absl::ToDoubleSeconds(parts_.clock.Now() - observed)));
                    stream.state = after;
                    cache_.Put(stream.host_id, std::move(*kept));
                    TellScans(scan_ids);
                    done(Result::kAcknowledge);
                  }});
}

absl::StatusOr<Ingest::Result> Ingest::Confirm(
    const HostStream& stream, const google::protobuf::RepeatedPtrField<std::string>& scan_ids) {
  if (scan_ids.empty()) return Result::kAcknowledge;
  if (auto status = CheckScanIds(scan_ids); !status.ok()) return status;
  const std::vector<std::string> ids(scan_ids.begin(), scan_ids.end());
  const absl::Status status = parts_.store.reports().Confirm(
      stream.host_id, ids, parts_.clock.Now(), stream.epoch, stream.state.facts_digest);
  // The store has other facts than this session knew of.
  if (absl::IsFailedPrecondition(status)) return Result::kResync;
  if (!status.ok()) return status;
  parts_.scans.Answered(ids);
  return Result::kAcknowledge;
}

void Ingest::TellScans(const std::vector<std::string>& scan_ids) {
  if (scan_ids.empty()) return;
  {
    absl::MutexLock lock(&mutex_);
    answered_.insert(answered_.end(), scan_ids.begin(), scan_ids.end());
    if (std::exchange(telling_, true)) return;
  }
  parts_.workers.Add([this] {
    while (true) {
      std::vector<std::string> ids;
      {
        absl::MutexLock lock(&mutex_);
        ids.swap(answered_);
        if (ids.empty()) {
          telling_ = false;
          return;
        }
      }
      std::sort(ids.begin(), ids.end());
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
      parts_.scans.Answered(ids);
    }
  });
}

}  // namespace plimsoll::gateway
