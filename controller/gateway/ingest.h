// What happens to facts that arrive: checked, judged, stored.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/scans/scan_board.h"
#include "controller/store/store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/plan.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::gateway {

// Thread-safe. Borrows its arguments.
class Ingest {
 public:
  Ingest(store::Store& store, scans::ScanBoard& scans, const support::Clock& clock,
         std::vector<v1::Baseline> baselines, absl::Duration interval);

  enum class Result {
    // Committed, or a repetition of what is committed.
    kAcknowledge,
    // Does not fit what is stored: the collector must send everything.
    kResync,
  };

  // Applies one delta of `host_id`. Blocks until it is committed. Errors: INVALID_ARGUMENT (breaks
  // the protocol), and those of the store; nothing is stored then.
  absl::StatusOr<Result> Accept(const std::string& host_id, const v1::FactsDelta& delta);

  // A heartbeat: nothing changed. kResync when the digest is not the stored one.
  absl::StatusOr<Result> Confirm(const std::string& host_id, const v1::Heartbeat& heartbeat);

  // The host was heard of; written in batches by Flush.
  void Seen(const std::string& host_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes what Seen collected. Called about once a second.
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);

  // The plan of all active baselines, with its digest.
  const v1::CollectionPlan& plan() const { return plan_; }

 private:
  store::Store& store_;
  scans::ScanBoard& scans_;
  const support::Clock& clock_;
  const std::vector<v1::Baseline> baselines_;
  const v1::CollectionPlan plan_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, absl::Time> seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::gateway
