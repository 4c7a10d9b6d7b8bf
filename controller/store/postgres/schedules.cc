#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/store/postgres/connection_pool.h"
#include "controller/store/postgres/scan_rows.h"
#include "controller/store/postgres/sql_values.h"
#include "controller/store/schedule_store.h"

namespace plimsoll::store {
namespace {

// A schedule with its newest run.
#define PLIMSOLL_SCHEDULE                                                                  \
  "SELECT s.id, s.name, s.content, s.paused, micros(s.created), s.created_by, s.version,"  \
  " micros(s.next_scheduled), micros(s.next_fire), micros(s.last_scheduled),"              \
  " micros(r.scheduled), micros(r.fired), r.outcome, r.scan_id, r.message FROM schedule s" \
  " LEFT JOIN LATERAL (SELECT * FROM schedule_run WHERE schedule_id = s.id"                \
  "  ORDER BY scheduled DESC LIMIT 1) r ON true"
constexpr Statement kGet = {"schedules_get", PLIMSOLL_SCHEDULE
                            " WHERE s.id = $1 OR s.name = $1 ORDER BY s.id = $1 DESC LIMIT 1"};
constexpr Statement kList = {"schedules_list",
                             PLIMSOLL_SCHEDULE " WHERE s.name > $1 ORDER BY s.name LIMIT $2"};
constexpr Statement kLock = {"schedules_lock",
                             PLIMSOLL_SCHEDULE " WHERE s.id = $1 FOR UPDATE OF s"};
// Nobody waits for a schedule that another controller has.
constexpr Statement kClaim = {"schedules_claim", PLIMSOLL_SCHEDULE
                              " WHERE s.id = $1 AND NOT s.paused AND s.next_fire <= $2::timestamptz"
                              " FOR UPDATE OF s SKIP LOCKED"};
constexpr Statement kNameTaken = {"schedules_name_taken",
                                  "SELECT FROM schedule WHERE name = $1 AND id <> $2"};
constexpr Statement kInsert = {
    "schedules_insert",
    "INSERT INTO schedule (id, name, content, paused, created, created_by, next_scheduled,"
    " next_fire) VALUES ($1, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz)"
    " ON CONFLICT (name) DO NOTHING"};
constexpr Statement kUpdate = {
    "schedules_update",
    "UPDATE schedule SET name = $2, content = $3, paused = $4, version = version + 1,"
    " next_scheduled = $5::timestamptz, next_fire = $6::timestamptz WHERE id = $1"};
constexpr Statement kDelete = {"schedules_delete", "DELETE FROM schedule WHERE id = $1"};
constexpr Statement kDue = {
    "schedules_due",
    "SELECT id FROM schedule WHERE NOT paused AND next_fire <= $1::timestamptz"
    " ORDER BY next_fire, id LIMIT $2"};
constexpr Statement kInsertRun = {
    "schedules_insert_run",
    "INSERT INTO schedule_run (schedule_id, scheduled, fired, outcome, scan_id, message)"
    " VALUES ($1, $2, $3, $4, $5, $6)"};
constexpr Statement kAdvance = {
    "schedules_advance",
    "UPDATE schedule SET next_scheduled = $2::timestamptz, next_fire = $3::timestamptz,"
    " last_scheduled = $4::timestamptz WHERE id = $1"};
constexpr Statement kExists = {"schedules_exists", "SELECT FROM schedule WHERE id = $1"};
constexpr Statement kRuns = {
    "schedules_runs",
    "SELECT micros(scheduled), micros(fired), outcome, scan_id, message FROM schedule_run"
    " WHERE schedule_id = $1 AND scheduled < $2::timestamptz ORDER BY scheduled DESC LIMIT $3"};
constexpr Statement kRemoveRuns = {
    "schedules_remove_runs",
    "DELETE FROM schedule_run r WHERE fired < $1::timestamptz AND EXISTS ("
    "  SELECT FROM schedule_run n WHERE n.schedule_id = r.schedule_id"
    "  AND n.scheduled > r.scheduled)"};

absl::Status NoSuchSchedule(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("no schedule \"", Text(name, 256), "\""));
}

absl::Status NameTaken(const std::string& name) {
  return absl::AlreadyExistsError(absl::StrCat("there is a schedule \"", Text(name, 64), "\""));
}

// What a person can set, apart from what has a column of its own.
std::string ContentOf(const v1::Schedule& schedule) {
  v1::Schedule content;
  content.set_cron(schedule.cron());
  content.set_time_zone(schedule.time_zone());
  *content.mutable_selector() = schedule.selector();
  if (schedule.has_jitter()) *content.mutable_jitter() = schedule.jitter();
  content.set_missed_runs(schedule.missed_runs());
  if (schedule.has_timeout()) *content.mutable_timeout() = schedule.timeout();
  content.set_description(schedule.description());
  content.set_managed_by(schedule.managed_by());
  return content.SerializeAsString();
}

// NULL: InfiniteFuture.
std::optional<std::string> TimeOrNull(absl::Time time) {
  if (time == absl::InfiniteFuture()) return std::nullopt;
  return Time(time);
}

// The columns micros(scheduled), micros(fired), outcome, scan_id, message from `column` on.
v1::ScheduleRun RunOf(const pqxx::row& row, int column) {
  v1::ScheduleRun run;
  *run.mutable_scheduled_time() = TimestampOf(TimeOf(row[column]));
  *run.mutable_fire_time() = TimestampOf(TimeOf(row[column + 1]));
  run.set_outcome(static_cast<v1::ScheduleRun::Outcome>(row[column + 2].as<int>()));
  run.set_scan_id(TextOf(row[column + 3]));
  run.set_message(TextOf(row[column + 4]));
  return run;
}

StoredSchedule ScheduleOf(const pqxx::row& row) {
  StoredSchedule stored;
  v1::Schedule& schedule = stored.schedule;
  schedule.ParseFromString(BytesOf(row[2]));
  schedule.set_id(TextOf(row[0]));
  schedule.set_name(TextOf(row[1]));
  schedule.set_paused(row[3].as<bool>());
  *schedule.mutable_create_time() = TimestampOf(TimeOf(row[4]));
  schedule.set_created_by(TextOf(row[5]));
  schedule.set_etag(TextOf(row[6]));
  if (!row[7].is_null()) stored.next.scheduled = TimeOf(row[7]);
  if (!row[8].is_null()) stored.next.fire = TimeOf(row[8]);
  stored.last_scheduled = TimeOf(row[9]);
  if (!schedule.paused() && !row[8].is_null()) {
    *schedule.mutable_next_run_time() = TimestampOf(stored.next.fire);
  }
  if (!row[10].is_null()) *schedule.mutable_last_run() = RunOf(row, 10);
  return stored;
}

absl::StatusOr<v1::Schedule> Load(Transaction& tx, const std::string& id) {
  const pqxx::result rows = tx.Exec(kGet, Text(id));
  if (rows.empty()) return NoSuchSchedule(id);
  return ScheduleOf(rows[0]).schedule;
}

}  // namespace

absl::StatusOr<v1::Schedule> ScheduleStore::Create(const v1::Schedule& schedule,
                                                   const NextRun& next) {
  return pool_.Transact("create a schedule", [&](Transaction& tx) -> absl::StatusOr<v1::Schedule> {
    const auto made =
        tx.Exec(kInsert, schedule.id(), Text(schedule.name()), Bytes(ContentOf(schedule)),
                schedule.paused(), Time(TimeOf(schedule.create_time())),
                Text(schedule.created_by()), TimeOrNull(next.scheduled), TimeOrNull(next.fire));
    if (made.affected_rows() == 0) return NameTaken(schedule.name());
    return Load(tx, schedule.id());
  });
}

absl::StatusOr<StoredSchedule> ScheduleStore::Get(const std::string& id_or_name) {
  return pool_.Transact("get a schedule", [&](Transaction& tx) -> absl::StatusOr<StoredSchedule> {
    const pqxx::result rows = tx.Exec(kGet, Text(id_or_name, 256));
    if (rows.empty()) return NoSuchSchedule(id_or_name);
    return ScheduleOf(rows[0]);
  });
}

absl::StatusOr<std::vector<v1::Schedule>> ScheduleStore::List(const std::string& after_name,
                                                              int limit) {
  return pool_.Transact("list schedules",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::Schedule>> {
                          std::vector<v1::Schedule> schedules;
                          for (const pqxx::row& row : tx.Exec(kList, Text(after_name), limit)) {
                            schedules.push_back(ScheduleOf(row).schedule);
                          }
                          return schedules;
                        });
}

absl::StatusOr<v1::Schedule> ScheduleStore::Update(
    const std::string& id, const std::function<absl::Status(StoredSchedule&)>& change) {
  return pool_.Transact("update a schedule", [&](Transaction& tx) -> absl::StatusOr<v1::Schedule> {
    const pqxx::result rows = tx.Exec(kLock, Text(id));
    if (rows.empty()) return NoSuchSchedule(id);
    StoredSchedule stored = ScheduleOf(rows[0]);
    if (auto status = change(stored); !status.ok()) return status;
    const v1::Schedule& schedule = stored.schedule;
    if (!tx.Exec(kNameTaken, Text(schedule.name()), Text(id)).empty()) {
      return NameTaken(schedule.name());
    }
    tx.Exec(kUpdate, Text(id), Text(schedule.name()), Bytes(ContentOf(schedule)), schedule.paused(),
            TimeOrNull(stored.next.scheduled), TimeOrNull(stored.next.fire));
    return Load(tx, id);
  });
}

absl::Status ScheduleStore::Delete(const std::string& id) {
  return pool_.Transact("delete a schedule", [&](Transaction& tx) -> absl::Status {
    if (tx.Exec(kDelete, Text(id)).affected_rows() == 0) return NoSuchSchedule(id);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::ScheduleRun>> ScheduleStore::ListRuns(const RunQuery& query) {
  return pool_.Transact("list runs of a schedule",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<v1::ScheduleRun>> {
                          if (tx.Exec(kExists, Text(query.schedule_id)).empty()) {
                            return NoSuchSchedule(query.schedule_id);
                          }
                          std::vector<v1::ScheduleRun> runs;
                          for (const pqxx::row& row : tx.Exec(kRuns, Text(query.schedule_id),
                                                              Time(query.before), query.limit)) {
                            runs.push_back(RunOf(row, 0));
                          }
                          return runs;
                        });
}

absl::Status ScheduleStore::RemoveRuns(absl::Time before) {
  return pool_.Transact("remove old runs", [&](Transaction& tx) {
    tx.Exec(kRemoveRuns, Time(before));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> ScheduleStore::ListDue(absl::Time now, int limit) {
  return pool_.Transact("list due schedules",
                        [&](Transaction& tx) -> absl::StatusOr<std::vector<std::string>> {
                          std::vector<std::string> ids;
                          for (const pqxx::row& row : tx.Exec(kDue, Time(now), limit)) {
                            ids.push_back(TextOf(row[0]));
                          }
                          return ids;
                        });
}

absl::StatusOr<bool> ScheduleStore::Fire(
    const std::string& id, absl::Time now,
    const std::function<absl::StatusOr<Firing>(const StoredSchedule&)>& decide) {
  return pool_.Transact("fire a schedule", [&](Transaction& tx) -> absl::StatusOr<bool> {
    const pqxx::result rows = tx.Exec(kClaim, Text(id), Time(now));
    if (rows.empty()) return false;
    const StoredSchedule stored = ScheduleOf(rows[0]);
    auto firing = decide(stored);
    if (!firing.ok()) return firing.status();
    if (firing->scan) {
      if (auto status = InsertScan(tx, *firing->scan, true); !status.ok()) return status;
    }
    absl::Time last = stored.last_scheduled;
    for (const v1::ScheduleRun& run : firing->runs) {
      const absl::Time scheduled = TimeOf(run.scheduled_time());
      tx.Exec(kInsertRun, Text(id), Time(scheduled), Time(TimeOf(run.fire_time())),
              static_cast<int>(run.outcome()), run.scan_id(), Text(run.message(), 512));
      last = std::max(last, scheduled);
    }
    tx.Exec(kAdvance, Text(id), TimeOrNull(firing->next.scheduled), TimeOrNull(firing->next.fire),
            Time(last));
    return true;
  });
}

}  // namespace plimsoll::store
