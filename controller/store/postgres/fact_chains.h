// Facts from the full snapshot and the deltas they are stored as.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/report_store.h"

namespace plimsoll::store {

// Facts of one host, and as they can be stored again.
struct FactChain {
  StoredFacts facts;
  // The snapshot as it is stored, when no delta follows it; else empty.
  std::string content;
};

// Newest facts of those of `host_ids` that have any, ascending by id. One statement. DATA_LOSS:
// what is stored of one of them is damaged. Throws what libpqxx throws.
absl::StatusOr<std::vector<FactChain>> ReadNewestFacts(Transaction& tx,
                                                       const std::vector<std::string>& host_ids);

}  // namespace plimsoll::store
