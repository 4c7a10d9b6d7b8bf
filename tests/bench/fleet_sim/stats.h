// What a run measures.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace plimsoll::fleet_sim {

// Durations in buckets that are 1/16 of a power of two wide: percentiles are right to 6 %.
class Histogram {
 public:
  void Add(absl::Duration value);
  // The duration that a share `quantile` of the values do not exceed; zero when there are none.
  absl::Duration Quantile(double quantile) const;
  absl::Duration Max() const { return max_; }
  int64_t count() const { return count_; }

 private:
  static constexpr int kBuckets = 16 * 40;
  std::array<int64_t, kBuckets> buckets_{};
  int64_t count_ = 0;
  absl::Duration max_;
};

// Counts of one phase of a run.
struct Counts {
  // Sessions welcomed.
  int64_t connects = 0;
  // Changes made, and changes acknowledged: of one container, and full snapshots.
  int64_t changes = 0;
  int64_t deltas_acknowledged = 0;
  int64_t snapshots_acknowledged = 0;
  // Messages of the stream.
  int64_t heartbeats = 0;
  int64_t heartbeats_late = 0;
  int64_t scans_answered = 0;
  int64_t scans_failed = 0;
  int64_t resyncs = 0;
  int64_t slow_downs = 0;
  // Connections that the simulator broke, and changes dropped because a spool was full.
  int64_t broken = 0;
  int64_t dropped = 0;
  // Bytes of messages, without HTTP/2 and TLS.
  int64_t bytes_up = 0;
  int64_t bytes_down = 0;
  // Sessions that ended otherwise, by status; the text is that of the last.
  std::map<std::string, int64_t> errors;
  std::map<std::string, std::string> error_texts;
  // From the beginning of a connection to Welcome.
  Histogram connect;
  // From sending a delta to its acknowledgement, and from the change to it (waiting included).
  Histogram acknowledge;
  Histogram change;
};

// Thread-safe.
class Stats {
 public:
  // Runs `update` on the counts of the current phase.
  template <class Update>
  void Do(Update update) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    update(counts_);
  }
  Counts Read() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends a phase: returns its counts and begins anew.
  Counts Next() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
};

// One phase of a run, for its report.
struct Phase {
  Counts counts;
  absl::Duration took;
};

// A whole run.
struct Report {
  int hosts = 0;
  int live = 0;
  int containers = 0;
  // Changes that were not acknowledged when the run ended.
  int64_t unacknowledged = 0;
  // Until all hosts were live; at the rates asked for; until nothing was under way any more.
  Phase ramp;
  Phase load;
  Phase drain;
  // Changes that waited for their acknowledgement when the load ended.
  int64_t waiting = 0;
  // Of this process.
  absl::Duration processor_time;
  int64_t resident_bytes = 0;
};

std::string ReportText(const Report& report);
// One JSON object; durations in milliseconds.
std::string ReportJson(const Report& report);

// Processor time and resident memory of this process.
void MeasureProcess(Report& report);

}  // namespace plimsoll::fleet_sim
