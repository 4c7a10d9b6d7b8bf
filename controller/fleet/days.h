// The course of the fleet: a point a day for every host, so that any selection has one.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "controller/fleet/index.h"
#include "controller/store/fleet_store.h"
#include "plimsoll/v1/stored.pb.h"
#include "plimsoll/v1/summary_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::fleet {

// Days are in UTC. Thread-safe. Borrows all.
class Days {
 public:
  Days(const FleetIndex& index, store::FleetStore& store, const support::Clock& clock);

  // Keeps today's point of every baseline: when the day is new, when something changed and the last
  // writing is ten minutes past, and each time in the last two minutes of the day. Call about once
  // a minute, and with `last` when the controller stops, which writes whatever changed. Errors as
  // the store's; the next call tries again.
  absl::Status Keep(bool last = false) ABSL_LOCKS_EXCLUDED(mutex_);

  // As SummaryService.GetTrend: `days` days, today the last, as the index has it now. A selection
  // that names no host and asks for no label has in it every host of each day, those that are gone
  // today as well. Errors as the store's; DATA_LOSS names a day that is damaged.
  absl::StatusOr<v1::Trend> Trend(const std::string& baseline_id, const Selection& selection,
                                  int days) ABSL_LOCKS_EXCLUDED(mutex_);

  // Points of hosts that are kept decoded, 24 bytes each, over all baselines. A course that needs
  // more is read and decoded each time, day by day.
  static constexpr size_t kMaximumKept = 4'000'000;

 private:
  // One host's point.
  struct Point {
    int64_t ordinal;
    // As Counts. All 0: its verdicts did not count.
    std::array<uint16_t, kCountCount> counts = {};
  };
  // By ordinal.
  using Day = std::vector<Point>;
  // What was written last for a baseline.
  struct Written {
    absl::CivilDay day;
    absl::Time time = absl::InfinitePast();
    uint64_t version = 0;
  };
  // Past days of one baseline, all there are from one day to another.
  struct Past {
    absl::CivilDay from;
    absl::CivilDay to;
    std::map<absl::CivilDay, Day> days;
    size_t points = 0;
  };
  using PastDays = std::shared_ptr<const Past>;

  static absl::StatusOr<Day> Decode(const store::StoredDay& stored);
  static v1::TrendPoint PointOf(absl::CivilDay day, const Day& points,
                                const std::vector<int64_t>* ordinals);
  // Calls `use` with each day from `from` to yesterday, oldest first.
  absl::Status Read(const std::string& baseline_id, absl::CivilDay from, absl::Time now,
                    const std::function<void(absl::CivilDay, const Day&)>& use)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The days from `from` to `yesterday`, if they are all kept decoded; else nullptr.
  PastDays Kept(const std::string& baseline_id, absl::CivilDay from, absl::CivilDay yesterday)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Keeps `past` decoded if there is room for it.
  void Remember(const std::string& baseline_id, PastDays past) ABSL_LOCKS_EXCLUDED(mutex_);

  const FleetIndex& index_;
  store::FleetStore& store_;
  const support::Clock& clock_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Written> written_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, PastDays> past_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::fleet
