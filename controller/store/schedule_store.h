// Schedules and their runs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/store/scan_store.h"
#include "plimsoll/v1/schedule_service.pb.h"

namespace plimsoll::store {

class ConnectionPool;

// When a schedule fires next.
struct NextRun {
  // As the expression says. InfiniteFuture: never again.
  absl::Time scheduled = absl::InfiniteFuture();
  // With jitter.
  absl::Time fire = absl::InfiniteFuture();
};

// A schedule, complete with output-only members.
struct StoredSchedule {
  v1::Schedule schedule;
  NextRun next;
  // Newest time of the expression that was dealt with; InfinitePast: none.
  absl::Time last_scheduled = absl::InfinitePast();
};

// What is to become of a schedule that is due.
struct Firing {
  // Each with another scheduled_time. Not empty.
  std::vector<v1::ScheduleRun> runs;
  // Made in the same transaction. Its hosts that do not exist are left out. Absent: none.
  std::optional<NewScan> scan;
  // Its `scheduled` is later than that of every run.
  NextRun next;
};

// Which runs, and where the page begins.
struct RunQuery {
  std::string schedule_id;
  // scheduled_time of the last run of the previous page; InfiniteFuture: from the newest.
  absl::Time before = absl::InfiniteFuture();
  int limit = 100;
};

// Thread-safe; errors as in store.h. Times are worked out by the caller: the store knows no
// expressions.
class ScheduleStore {
 public:
  explicit ScheduleStore(ConnectionPool& pool) : pool_(pool) {}

  // Members of `schedule` that a person can set, id, create_time and created_by are taken over.
  // ALREADY_EXISTS: the name is taken.
  absl::StatusOr<v1::Schedule> Create(const v1::Schedule& schedule, const NextRun& next);
  // By id, else by name. NOT_FOUND.
  absl::StatusOr<StoredSchedule> Get(const std::string& id_or_name);
  // By name, after `after_name`.
  absl::StatusOr<std::vector<v1::Schedule>> List(const std::string& after_name, int limit);
  // Found by `id`; `change` is given what is stored, under a lock, and leaves in it what a person
  // set, `paused` included, and the next run. An error of `change` is returned and changes nothing.
  // NOT_FOUND; ALREADY_EXISTS: the name is taken.
  absl::StatusOr<v1::Schedule> Update(const std::string& id,
                                      const std::function<absl::Status(StoredSchedule&)>& change);
  // With its runs; its scans stay. NOT_FOUND.
  absl::Status Delete(const std::string& id);
  // Newest first.
  absl::StatusOr<std::vector<v1::ScheduleRun>> ListRuns(const RunQuery& query);
  // Removes runs that were done before `before`, the newest of each schedule excepted.
  absl::Status RemoveRuns(absl::Time before);

  // Ids of schedules whose time has come, the longest overdue first.
  absl::StatusOr<std::vector<std::string>> ListDue(absl::Time now, int limit);
  // Fires one schedule, in one transaction: claims it, asks `decide`, and writes runs, scan and
  // next time. False: another controller has it or had it, it is not due any more, or it is gone.
  // An error of `decide` is returned and leaves it due. `decide` runs while the schedule is locked,
  // at most once.
  absl::StatusOr<bool> Fire(
      const std::string& id, absl::Time now,
      const std::function<absl::StatusOr<Firing>(const StoredSchedule&)>& decide);

 private:
  ConnectionPool& pool_;
};

}  // namespace plimsoll::store
