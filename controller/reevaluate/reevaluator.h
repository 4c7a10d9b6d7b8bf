// Bringing hosts that are judged under another policy up to date, from stored facts.
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
#include "controller/fleet/index.h"
#include "controller/policy/policy_book.h"
#include "controller/store/store.h"
#include "proto/support/clock.h"

namespace plimsoll::reevaluate {

// Judges the newest facts of hosts that are judged under another policy than the one in force
// (another evaluator, other documents or waivers, an entry of a list that has ended, other labels),
// and stores what became of them. The index tells which they are. Does so at the start, and
// whenever it is woken. Ingestion goes on meanwhile and goes first: threads are nice, batches are
// small, and nothing is asked for while all connections are in use; a host that reports in the
// middle is judged by its report. Hosts whose stored facts are damaged are logged and left as they
// are. Thread-safe.
class Reevaluator {
 public:
  struct Progress {
    // Hosts stored, passed over because they reported meanwhile, given up on in this pass over the
    // fleet, and left to do.
    int64_t stored = 0;
    int64_t passed_over = 0;
    int64_t failed = 0;
    int64_t left = 0;
    // There may be hosts to do.
    bool running = false;
  };

  // Borrows all. The policy's documents must have been put (ReportStore::PutBaselines), and the
  // index loaded before Start.
  Reevaluator(store::Store& store, const policy::PolicyBook& book, fleet::FleetIndex& index,
              const support::Clock& clock, int threads = 2);
  // Stops.
  ~Reevaluator();

  // Begins on threads of its own. Once.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends after the batches at hand, within seconds. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // The policy changed, or a host under another one was seen: looks through all hosts. Never
  // blocks.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until no host is left to do. For tests and tools.
  void Await() ABSL_LOCKS_EXCLUDED(mutex_);

  Progress progress() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next hosts to do, when there are any; none: Stop was called.
  std::vector<std::string> Claim() ABSL_LOCKS_EXCLUDED(claim_mutex_, mutex_);
  // Hosts of the next page; none: this pass over the fleet is over.
  std::vector<std::string> NextPage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(claim_mutex_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // After a pass: waits for what is under way and, when nothing is left, until woken.
  void EndPass() ABSL_EXCLUSIVE_LOCKS_REQUIRED(claim_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
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
  const policy::PolicyBook& book_;
  fleet::FleetIndex& index_;
  const support::Clock& clock_;
  const int thread_count_;

  // Held while a page is asked for: one thread at a time.
  absl::Mutex claim_mutex_;
  std::string after_id_ ABSL_GUARDED_BY(claim_mutex_);
  int64_t stored_before_pass_ ABSL_GUARDED_BY(claim_mutex_) = -1;

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  // Batches being worked on.
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;
  Progress progress_ ABSL_GUARDED_BY(mutex_);
  // Some host was out of date: there is something to log.
  bool worked_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time logged_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::reevaluate
