// What happens to facts that arrive: checked, applied, judged, committed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/gateway/committer.h"
#include "controller/gateway/facts_cache.h"
#include "controller/gateway/gateway_options.h"
#include "controller/gateway/gateway_stats.h"
#include "controller/policy/policy.h"
#include "controller/scans/scan_board.h"
#include "controller/store/store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/plan.pb.h"
#include "proto/support/clock.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::gateway {

// One host's stream under one lease, as a session knows it without asking the database.
struct HostStream {
  std::string host_id;
  // Lease of HostStore::BeginSession.
  int64_t epoch = 0;
  // Of Welcome: decides how facts are digested.
  uint32_t protocol = 1;
  store::StreamState state;
};

// What an Ingest works with. Borrows; all outlives it.
struct IngestParts {
  store::Store& store;
  scans::ScanBoard& scans;
  const support::Clock& clock;
  support::WorkerPool& workers;
  GatewayStats& stats;
  // What a host is judged by now. Called by workers; seldom asks the database, as Policy::For does.
  std::function<policy::HostPolicy(const std::string& host_id)> policy;
  // Hosts whose new facts and verdicts were just committed here. May be empty. Called by threads
  // that commit; must not block for long.
  Committer::OnCommitted on_committed;
};

// Thread-safe for different streams; one stream has one call at a time.
class Ingest {
 public:
  enum class Result {
    // Committed, or a repetition of what is committed.
    kAcknowledge,
    // Does not fit what is stored: the collector must send everything.
    kResync,
  };
  using Done = std::function<void(absl::StatusOr<Result>)>;

  // `baselines` say what collectors have to look at.
  Ingest(IngestParts parts, const std::vector<v1::Baseline>& baselines, absl::Duration interval,
         const GatewayOptions& options);
  ~Ingest();

  // Applies one delta, whose content is taken. `done` is called once, by this thread or by one that
  // commits, must not block, and `stream` stays as it is until then. Afterwards `stream.state` is
  // what is committed. Errors: INVALID_ARGUMENT (breaks the protocol), RESOURCE_EXHAUSTED (too many
  // objects), ABORTED (the lease is lost, or the host quarantined), UNAVAILABLE (the controller
  // stops), and those of the store; nothing is stored then, or, on UNAVAILABLE, the same delta may
  // be sent again.
  void Accept(HostStream& stream, v1::FactsDelta& delta, Done done);

  // Answers scans with what is stored, if that is what `stream` knows of. Blocks. Errors:
  // INVALID_ARGUMENT, ABORTED (as for Accept), and those of the store.
  absl::StatusOr<Result> Confirm(const HostStream& stream,
                                 const google::protobuf::RepeatedPtrField<std::string>& scan_ids);

  // The stream's session is over: forgets its facts.
  void Forget(const HostStream& stream) { cache_.Drop(stream.host_id, stream.epoch); }

  // Commits what is under way, for at most `patience`, and gives up the rest. Later calls of Accept
  // get UNAVAILABLE.
  void Stop(absl::Duration patience) { committer_.Stop(patience); }

  // The plan of all active baselines, with its digest.
  std::shared_ptr<const v1::CollectionPlan> plan() const ABSL_LOCKS_EXCLUDED(plan_mutex_);
  // Other baselines are active: what collectors have to look at from now on. Sessions tell them.
  void SetBaselines(const std::vector<v1::Baseline>& baselines) ABSL_LOCKS_EXCLUDED(plan_mutex_);

 private:
  using Facts = std::unique_ptr<CachedFacts>;
  absl::StatusOr<Facts> BaseFacts(const HostStream& stream);
  absl::StatusOr<Facts> Apply(const HostStream& stream, v1::FactsDelta& delta);
  absl::StatusOr<store::Evaluation> Evaluate(const HostStream& stream, const v1::FactsDelta& delta,
                                             bool is_snapshot, CachedFacts& facts);
  void Commit(HostStream& stream, store::Evaluation evaluation, Facts facts, Done done);
  void Recycle(std::vector<store::Judgement> used) ABSL_LOCKS_EXCLUDED(reuse_mutex_);
  // Judgements of some earlier change, or none.
  std::vector<store::Judgement> Reused() ABSL_LOCKS_EXCLUDED(reuse_mutex_);
  // Tells the board, which asks the database, on a worker; what comes in meanwhile is told at once
  // afterwards.
  void TellScans(const std::vector<std::string>& scan_ids) ABSL_LOCKS_EXCLUDED(mutex_);

  const IngestParts parts_;
  const absl::Duration interval_;
  mutable absl::Mutex plan_mutex_;
  std::shared_ptr<const v1::CollectionPlan> plan_ ABSL_GUARDED_BY(plan_mutex_);
  const int32_t max_objects_;
  FactsCache cache_;
  absl::Mutex mutex_;
  bool telling_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> answered_ ABSL_GUARDED_BY(mutex_);
  absl::Mutex reuse_mutex_;
  // Reports of changes that are over, for their memory.
  std::vector<std::vector<store::Judgement>> reusable_ ABSL_GUARDED_BY(reuse_mutex_);
  // Last: its threads use the rest.
  Committer committer_;
};

}  // namespace plimsoll::gateway
