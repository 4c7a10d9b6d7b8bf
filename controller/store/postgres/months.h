// History is partitioned by the month it was recorded in.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "controller/store/postgres/connection_pool.h"

namespace plimsoll::store {

// In UTC.
absl::CivilMonth MonthOf(absl::Time recorded);
absl::Time StartOf(absl::CivilMonth month);

// Names of all partitions of months before `month`, e.g. "transition_2026_03", oldest first.
std::vector<std::string> PartitionsBefore(Transaction& tx, absl::CivilMonth month);

// Months whose partitions are known to exist. Thread-safe.
class Months {
 public:
  // Makes the partitions of the month, in a transaction of its own: it must not wait for, or hold
  // up, a host's. Asks the database once a month and program.
  absl::Status Ensure(ConnectionPool& pool, absl::Time recorded) ABSL_LOCKS_EXCLUDED(mutex_);
  // Something failed: partitions may be gone, ask again.
  void Forget() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  std::set<absl::CivilMonth> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::store
