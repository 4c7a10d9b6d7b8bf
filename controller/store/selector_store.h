// Saved selectors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/selector_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// Thread-safe; errors as in store.h. Changes are announced to all controllers (change_feed.h) in
// the same transaction. Selectors come without counts and without what names them.
class SelectorStore {
 public:
  explicit SelectorStore(ConnectionPool& pool) : pool_(pool) {}

  // Makes or replaces the one of that name. FAILED_PRECONDITION: `etag` is given and is another
  // now; RESOURCE_EXHAUSTED: there are kMostSelectors others.
  absl::StatusOr<v1::SavedSelector> Save(const v1::SavedSelector& selector,
                                         const std::string& actor, absl::Time now);
  // NOT_FOUND.
  absl::StatusOr<v1::SavedSelector> Get(const std::string& name);
  // By name.
  absl::StatusOr<std::vector<v1::SavedSelector>> List();
  // NOT_FOUND.
  absl::Status Delete(const std::string& name);

  static constexpr int kMostSelectors = 500;

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
