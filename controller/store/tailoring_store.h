// Tailorings.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/tailoring_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// Thread-safe; errors as in store.h. Changes are announced to all controllers (change_feed.h) in
// the same transaction.
class TailoringStore {
 public:
  explicit TailoringStore(ConnectionPool& pool) : pool_(pool) {}

  // Makes or replaces the one of that name. FAILED_PRECONDITION: `etag` is given and is another
  // now; RESOURCE_EXHAUSTED: there are kMostTailorings others.
  absl::StatusOr<v1::Tailoring> Set(const v1::Tailoring& tailoring, const std::string& actor,
                                    absl::Time now);
  // NOT_FOUND.
  absl::StatusOr<v1::Tailoring> Get(const std::string& name);
  // By baseline, priority and name.
  absl::StatusOr<std::vector<v1::Tailoring>> List();
  // NOT_FOUND.
  absl::Status Delete(const std::string& name);

  static constexpr int kMostTailorings = 200;

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
