// Every change that the controller has not acknowledged, kept across restarts and disconnections.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "collector/spool/record_log.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::spool {

// A queue of deltas in one bounded file, <dir>/spool (0600 in 0700), with the facts they lead from
// and to. What was appended survives the death of this process at any moment; that of the machine
// within a second, as long as something is unacknowledged. After either the chain of digests tells
// the controller whether what is left fits.
//
// When the disk refuses (full, broken), the queue goes on in memory, says so once, and tries again
// every half minute. When the bound is reached, what is unacknowledged collapses into one full
// snapshot whose `gap` says what was dropped. Thread-safe; no method fails for want of a disk.
class Spool {
 public:
  struct Options {
    std::string dir;
    // Bound of the file. At least 1 MiB; twice that for a moment while it is rewritten.
    int64_t max_bytes = 64 << 20;
    // Bound of the queue, and with it of the index in memory (about 200 bytes an entry).
    size_t max_pending = 20'000;
    // Bound of what is held in memory while the disk refuses.
    int64_t max_memory_bytes = 8 << 20;
    absl::Duration sync_delay = absl::Milliseconds(500);
    absl::Duration retry_interval = absl::Seconds(30);
    // Receives what an operator should know; `problem` tells bad news from good.
    std::function<void(bool problem, const std::string& text)> say;
  };

  // Opens or makes the spool of `options.dir`. A torn or damaged tail is cut off and said.
  // Blocking. FAILED_PRECONDITION: another process has it open. Borrows `clock`.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(Options options, const support::Clock& clock);
  // As Flush.
  ~Spool();

  // The last known complete facts, those after the last delta; nullopt: none known, or taken
  // already.
  std::optional<v1::HostFacts> TakeFacts() ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues `delta`, of protocol version 2 and without sequence, which led to `facts`. A delta whose
  // base is not the last digest queued becomes a full snapshot.
  void Append(v1::FactsDelta delta, const v1::HostFacts& facts) ABSL_LOCKS_EXCLUDED(mutex_);

  // Replaces everything unacknowledged by one full snapshot of `facts`, which are those after the
  // last delta; with a gap when changes were dropped by that. Does nothing when more than
  // `acknowledged_sequence` is acknowledged by now: whoever asked got what was needed.
  void Collapse(const v1::HostFacts& facts, uint64_t acknowledged_sequence)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes the file small again, and tries a disk that refused, if it is time; else does nothing.
  // `facts` as for Collapse. Blocking.
  void Tidy(const v1::HostFacts& facts) ABSL_LOCKS_EXCLUDED(mutex_);

  struct State {
    uint64_t acknowledged_sequence = 0;
    // FactsDigestTree's digest of the facts acknowledged; empty: not known.
    std::string acknowledged_digest;
    // Of the last delta queued; as above when none is.
    uint64_t last_sequence = 0;
    std::string last_digest;
    size_t pending = 0;
    bool on_disk = true;
  };
  State state() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The first unacknowledged delta after `sequence`. NOT_FOUND: none. DATA_LOSS, or an error of the
  // disk: it cannot be read, Collapse is the way on.
  absl::StatusOr<v1::FactsDelta> Next(uint64_t sequence) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The facts after the delta of that sequence, or those acknowledged. Reads the whole file; for
  // resyncs. NOT_FOUND: no such delta, or facts not known. DATA_LOSS: as Next.
  absl::StatusOr<v1::HostFacts> FactsAt(uint64_t sequence) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Drops every delta up to `sequence`. One below what is acknowledged already, or beyond the last
  // queued, changes nothing.
  void Acknowledge(uint64_t sequence) ABSL_LOCKS_EXCLUDED(mutex_);

  // The controller counts from `sequence`: that is acknowledged now, and what is queued is numbered
  // from the next.
  void Renumber(uint64_t sequence) ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until all that is queued is on the platter, if the disk works.
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    uint64_t sequence = 0;
    // A full snapshot: needs no base.
    bool full = false;
    // Absent: in `payload`.
    std::optional<RecordLog::Place> place;
    std::string payload;
    std::string new_digest;
    google::protobuf::Timestamp observed_time;
    v1::ObservationGap gap;
    std::vector<std::string> scan_ids;
  };

  Spool(Options options, const support::Clock& clock, int lock_fd);
  void Load() ABSL_LOCKS_EXCLUDED(mutex_);
  // One record of the file into the queue and `facts`; false: it makes no sense.
  bool Replay(const RecordLog::Place& place, const std::string& payload,
              std::optional<v1::HostFacts>& facts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry EntryOf(const v1::FactsDelta& delta) const;
  absl::StatusOr<std::string> Payload(const Entry& entry) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<v1::HostFacts> FactsAtLocked(uint64_t sequence) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Appends to the file, or reports the disk as refusing.
  std::optional<RecordLog::Place> Write(uint8_t kind, absl::string_view payload)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CollapseLocked(const v1::HostFacts& facts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps the bounds after an entry was added; `facts` are those after the last.
  void Bound(const v1::HostFacts& facts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A new file with what is queued and the facts acknowledged (`base`, if known).
  absl::Status Rewrite(const v1::HostFacts* base) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Mend(const v1::HostFacts& facts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Time to try a disk that refused. A clock that was set back puts nothing off.
  bool RetryDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Say(bool problem, const std::string& text) const;
  int64_t PendingBytes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t LastSequence() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const std::string& LastDigest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SyncLoop() ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  const support::Clock& clock_;
  // Holds the lock of the directory; -1: it could not be made.
  const int lock_fd_;

  mutable absl::Mutex mutex_;
  // Null while nothing of it is needed and the disk refuses.
  std::shared_ptr<RecordLog> log_ ABSL_GUARDED_BY(mutex_);
  bool on_disk_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time retry_time_ ABSL_GUARDED_BY(mutex_);
  std::deque<Entry> pending_ ABSL_GUARDED_BY(mutex_);
  // Acknowledged since the disk refuses: the way from the file's facts to those acknowledged.
  std::vector<std::string> settled_ ABSL_GUARDED_BY(mutex_);
  // Payloads of both in memory.
  int64_t memory_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of the facts at the file's beginning.
  int64_t base_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t acknowledged_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string acknowledged_digest_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::HostFacts> loaded_ ABSL_GUARDED_BY(mutex_);

  // Something was appended since the last sync.
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread syncer_;
};

}  // namespace plimsoll::spool
