// The activity log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/activity_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// Which entries, and where the page begins. All conditions must hold.
struct ActivityQuery {
  // Id or name; empty: any.
  std::string actor = {};
  // Method or service; empty: any.
  std::string action = {};
  // Object or kind; empty: any.
  std::string object = {};
  absl::Time start = absl::InfinitePast();
  absl::Time end = absl::InfiniteFuture();
  // Entries before this one; 0: from the newest.
  int64_t before_sequence = 0;
  int limit = 100;
};

// Thread-safe; errors as in store.h.
class ActivityStore {
 public:
  explicit ActivityStore(ConnectionPool& pool) : pool_(pool) {}

  // Appends in the order given, in one transaction, under the lock of the chain: sequence and both
  // hashes are set, all other members are the caller's. Texts are made valid UTF-8 without NUL and
  // cut to 64 KiB first.
  absl::Status Append(std::vector<v1::Activity>& entries);
  // Newest first.
  absl::StatusOr<std::vector<v1::Activity>> List(const ActivityQuery& query);
  absl::StatusOr<v1::ActivityHead> Head();
  // Drops the oldest `limit` entries at most, only those from before `keep_from`, the newest entry
  // never, and appends `note` in the same transaction, whose object and message then say up to
  // which. Nobody else appends meanwhile: many are dropped by many calls. Returns how many were
  // dropped; 0: no more are old, and nothing was appended.
  absl::StatusOr<int64_t> Retain(absl::Time keep_from, v1::Activity note, int64_t limit = 20000);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
