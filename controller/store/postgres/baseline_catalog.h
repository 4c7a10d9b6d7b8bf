// Documents that hosts were judged by, as verdicts by place need them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/store/postgres/connection_pool.h"
#include "plimsoll/v1/baseline.pb.h"

namespace plimsoll::store {

// A document and where its rules stand in it. Never changes.
struct CatalogedBaseline {
  v1::Baseline document;
  // Rule id -> place in document.rules.
  absl::flat_hash_map<std::string, int> places;
};
using BaselinePtr = std::shared_ptr<const CatalogedBaseline>;

// Keeps every document that was asked for in memory: there are as many as versions of baselines.
// Thread-safe.
class BaselineCatalog {
 public:
  // Stores documents that the database lacks.
  absl::Status Put(ConnectionPool& pool, const std::vector<v1::Baseline>& baselines)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // From memory, else from the database. NOT_FOUND: it was never put; DATA_LOSS: it is damaged.
  // Throws what libpqxx throws.
  absl::StatusOr<BaselinePtr> Find(Transaction& tx, const std::string& digest)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, BaselinePtr> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::store
