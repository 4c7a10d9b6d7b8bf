// Bringing hosts that are judged under other documents up to date, from stored facts.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/evaluate/failing_containers.h"
#include "controller/store/store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::reevaluate {

// After a start with other baselines, another evaluator or a new schema: walks all hosts whose
// statuses are not from exactly these documents, judges their newest facts, and stores what became
// of them (Transition.BASELINE). Ingestion goes on meanwhile and goes first: threads are nice,
// batches are small, and nothing is asked for while all connections are in use; a host that reports
// in the middle is judged by its report. Hosts whose stored facts are damaged are logged and left
// as they are. Thread-safe.
class Reevaluator {
 public:
  struct Progress {
    // Hosts stored, passed over because they reported meanwhile, given up on in this pass over the
    // fleet, and left to do.
    int64_t stored = 0;
    int64_t passed_over = 0;
    int64_t failed = 0;
    int64_t left = 0;
    // Between Start and the end of the work.
    bool running = false;
  };

  // `store` and `clock` are borrowed. The documents must have been put (ReportStore::PutBaselines).
  Reevaluator(store::Store& store, std::vector<v1::Baseline> baselines, const support::Clock& clock,
              int threads = 2);
  // Stops.
  ~Reevaluator();

  // Begins on threads of its own, which end when no host is left. Once.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends after the batches at hand, within seconds. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the end of the work. For tests and tools.
  void Await() ABSL_LOCKS_EXCLUDED(mutex_);

  Progress progress() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next hosts to do; none: the work is done, or Stop was called.
  std::vector<std::string> Claim() ABSL_LOCKS_EXCLUDED(claim_mutex_, mutex_);
  // Hosts of the next page, or of the next pass when this one stored something.
  absl::Status NextPage(std::vector<std::string>& ids) ABSL_EXCLUSIVE_LOCKS_REQUIRED(claim_mutex_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Memory that a thread uses again for every batch.
  struct Workspace {
    evaluate::ContainerFingerprints fingerprints;
    std::vector<store::Reevaluation> batch;
  };
  void Do(const std::vector<std::string>& ids, Workspace& workspace) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TryBatch(const std::vector<std::string>& ids, Workspace& workspace)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Sleeps. False: stopped.
  bool Pause(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);
  void LogProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  store::Store& store_;
  const std::vector<v1::Baseline> baselines_;
  std::vector<std::string> digests_;
  const support::Clock& clock_;
  const int thread_count_;

  // Held while a page is asked for: one thread at a time.
  absl::Mutex claim_mutex_;
  std::string after_id_ ABSL_GUARDED_BY(claim_mutex_);
  int64_t stored_before_pass_ ABSL_GUARDED_BY(claim_mutex_) = -1;
  bool exhausted_ ABSL_GUARDED_BY(claim_mutex_) = false;

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int live_threads_ ABSL_GUARDED_BY(mutex_) = 0;
  // Batches being worked on.
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;
  Progress progress_ ABSL_GUARDED_BY(mutex_);
  // Some host was out of date: there is something to log.
  bool worked_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time logged_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::reevaluate
