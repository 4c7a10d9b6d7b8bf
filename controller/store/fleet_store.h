// The fleet as a whole: what an in-memory index is made of and kept current by, and its days.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/host_service.pb.h"
#include "plimsoll/v1/stored.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// Beside a status in HostVerdicts::statuses.
inline constexpr int kWaivedMark = 8;

// A host's current statuses under one baseline.
struct HostVerdicts {
  std::string baseline_id;
  // Names the order of `statuses`; empty: not judged since an upgrade, `statuses` is empty too.
  std::string baseline_digest;
  // v1.Verdict.Status of each rule, one byte each; with kWaivedMark where the verdict is waived.
  std::string statuses;
  // Microseconds since 1970 of the observation that led to each status.
  std::vector<int64_t> since;
  v1::FailingContainers failing;
  // What the host was judged under; 0: not known.
  uint64_t policy_key = 0;
};

// One host, as lists and counts need it. counts, stale and containers of `host` are set as stored;
// `stale` is not (it depends on the time).
struct HostState {
  int64_t ordinal = 0;
  v1::Host host;
  bool removed = false;
  std::vector<HostVerdicts> verdicts;
};

// A moment of the database: everything committed before it has been seen. Opaque.
struct Moment {
  uint64_t xmin = 0;
};
// Later than all.
inline constexpr Moment kNever = {std::numeric_limits<uint64_t>::max()};

// A day under a baseline.
struct StoredDay {
  absl::CivilDay day;
  std::string baseline_digest;
  v1::FleetDay content;
};

// Thread-safe; errors as in store.h.
class FleetStore {
 public:
  explicit FleetStore(ConnectionPool& pool) : pool_(pool) {}

  // Calls `host` for every host, removed ones left out, streaming (memory stays bounded), and
  // returns the moment of the reading. 100,000 hosts take seconds.
  absl::StatusOr<Moment> Load(const std::function<void(HostState)>& host);
  // Those of `ids` that exist, in any order.
  absl::StatusOr<std::vector<HostState>> Get(const std::vector<std::string>& ids);
  // Ids of hosts that changed after `since`, perhaps some more; moves `since` to now.
  absl::StatusOr<std::vector<std::string>> ChangedSince(Moment& since);

  // Writes or replaces the day. Several controllers may write the same day; the last one holds.
  absl::Status PutDay(const std::string& baseline_id, const StoredDay& day, absl::Time recorded);
  // Days from `from` on, oldest first, at most `limit`: a day of 100,000 hosts is megabytes.
  absl::StatusOr<std::vector<StoredDay>> ListDays(const std::string& baseline_id,
                                                  absl::CivilDay from, int limit);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
