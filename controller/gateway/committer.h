// Group commit: changes of many hosts in one transaction.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "controller/gateway/gateway_stats.h"
#include "controller/store/report_store.h"

namespace plimsoll::gateway {

// A few threads, each of which takes whatever is waiting and commits it as one. There is no timer:
// what comes in while a commit runs makes the next batch, so batches grow with the load and a lone
// change does not wait. Changes of one host are committed one after the other, in the order they
// were added. Thread-safe.
class Committer {
 public:
  struct Options {
    int threads = 2;
    // Of one batch, at most; a single larger change is a batch of its own.
    int max_hosts = 256;
    int64_t max_bytes = int64_t{16} << 20;
    // Takes what a change that is over no longer needs: reports that keep their memory are judged
    // into twice as fast. May be empty. Called by committing threads; must not block for long.
    std::function<void(std::vector<store::Judgement>)> recycle = {};
  };
  // As ReportStore::PutBatch.
  using PutBatch = std::function<absl::StatusOr<std::vector<absl::Status>>(
      const std::vector<const store::Evaluation*>&)>;
  // Hosts whose changes were just committed. Called by the committing thread; must not block.
  using OnCommitted = std::function<void(std::vector<std::string> host_ids)>;

  struct Change {
    store::Evaluation evaluation;
    // Called once, by a thread of the committer (or by Stop's caller), must not block. OK:
    // committed, now or before. Otherwise nothing was stored, or it is not known and the same
    // change can be sent again: ABORTED (the lease is lost, or the host quarantined), UNAVAILABLE
    // (the controller stops), and those of PutBatch.
    std::function<void(const absl::Status&)> done;
  };

  Committer(PutBatch put, Options options, GatewayStats& stats, OnCommitted on_committed);
  // Stops without waiting.
  ~Committer();

  // Never blocks. After Stop, `done` is called at once with UNAVAILABLE.
  void Add(Change change) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until all is committed, or for `patience`; then gives up what is left and joins: no
  // callback comes later.
  void Stop(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Batch = std::vector<Change>;
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  Batch Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The result of each change of `batch`; tries until the database answers or Stop gives up.
  std::vector<absl::Status> Commit(absl::Span<const Change> batch);
  void Finish(Batch batch, const std::vector<absl::Status>& results) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets the next change of each host in.
  void Release(const Batch& batch) ABSL_LOCKS_EXCLUDED(mutex_);
  // False: gave up.
  bool Pause(absl::Duration pause) ABSL_LOCKS_EXCLUDED(mutex_);

  const PutBatch put_;
  const Options options_;
  GatewayStats& stats_;
  const OnCommitted on_committed_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool given_up_ ABSL_GUARDED_BY(mutex_) = false;
  // At most one change of a host is here or under way; the others wait in the host's own queue.
  std::deque<Change> queue_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::deque<Change>> hosts_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace plimsoll::gateway
