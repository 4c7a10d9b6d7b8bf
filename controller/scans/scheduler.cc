#include "controller/scans/scheduler.h"

#include <google/protobuf/timestamp.pb.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/scans/cron.h"
#include "proto/support/digest.h"
#include "proto/support/logging.h"
#include "proto/support/times.h"

namespace plimsoll::scans {
namespace {

// As many as one tick fires: the rest comes a second later.
constexpr int kMostPerTick = 100;
// Times looked at one by one: two years of every minute.
constexpr int kMostMissed = 1'000'000;

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  const int64_t micros = absl::ToUnixMicros(time);
  proto.set_seconds(micros / 1'000'000);
  proto.set_nanos(static_cast<int32_t>(micros % 1'000'000 * 1000));
  return proto;
}

std::string KeyOf(const std::string& schedule_id, absl::Time scheduled) {
  return support::Sha256Hex(absl::StrCat(schedule_id, " ", absl::ToUnixMicros(scheduled)));
}

// Evenly spread over [0, most], to the millisecond.
absl::Duration JitterOf(const std::string& schedule_id, absl::Time scheduled, absl::Duration most) {
  if (most <= absl::ZeroDuration()) return absl::ZeroDuration();
  uint64_t dice = 0;
  (void)absl::SimpleHexAtoi(KeyOf(schedule_id, scheduled).substr(0, 13), &dice);
  const double share = static_cast<double>(dice) / static_cast<double>(uint64_t{1} << 52);
  return absl::Floor(most * share, absl::Milliseconds(1));
}

// An expression in its zone.
struct Timetable {
  Cron cron;
  absl::TimeZone zone;
  absl::Duration jitter;
  const std::string& schedule_id;

  static absl::StatusOr<Timetable> Of(const v1::Schedule& schedule) {
    auto cron = Cron::Parse(schedule.cron());
    if (!cron.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("cron: ", cron.status().message()));
    }
    auto zone = FindZone(schedule.time_zone());
    if (!zone.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("time_zone: ", zone.status().message()));
    }
    return Timetable{*cron, *zone, support::FromDuration(schedule.jitter()), schedule.id()};
  }

  store::NextRun Next(absl::Time after) const {
    store::NextRun next;
    const auto scheduled = cron.Next(after, zone);
    if (!scheduled) return next;
    next.scheduled = *scheduled;
    absl::Duration most = jitter;
    if (const auto following = cron.Next(*scheduled, zone);
        following && most > absl::ZeroDuration()) {
      most = std::min(most, *following - *scheduled - absl::Seconds(1));
    }
    next.fire = *scheduled + JitterOf(schedule_id, *scheduled, most);
    return next;
  }
};

v1::ScheduleRun RunAt(absl::Time scheduled, absl::Time now, v1::ScheduleRun::Outcome outcome,
                      std::string message) {
  v1::ScheduleRun run;
  *run.mutable_scheduled_time() = ToProto(scheduled);
  *run.mutable_fire_time() = ToProto(now);
  run.set_outcome(outcome);
  run.set_message(std::move(message));
  return run;
}

std::string Missed(int count) {
  return absl::StrCat(count, count == 1 ? " run" : " runs", " missed");
}

// Will trying again help?
bool Transient(const absl::Status& status) {
  return !absl::IsInvalidArgument(status) && !absl::IsNotFound(status) &&
         !absl::IsFailedPrecondition(status);
}

}  // namespace

absl::StatusOr<store::NextRun> NextRunOf(const v1::Schedule& schedule, absl::Time after) {
  const auto timetable = Timetable::Of(schedule);
  if (!timetable.ok()) return timetable.status();
  return timetable->Next(after);
}

absl::StatusOr<store::Firing> Decide(const store::StoredSchedule& stored, absl::Time now,
                                     const HostResolver& resolve) {
  const v1::Schedule& schedule = stored.schedule;
  const auto timetable = Timetable::Of(schedule);
  if (!timetable.ok()) return timetable.status();

  // The newest time that has come, and how many came before it.
  store::NextRun newest = stored.next;
  store::NextRun before;
  int earlier = 0;
  store::Firing firing;
  for (firing.next = timetable->Next(newest.scheduled);
       firing.next.fire <= now && earlier < kMostMissed;
       firing.next = timetable->Next(newest.scheduled)) {
    before = std::exchange(newest, firing.next);
    ++earlier;
  }

  const bool make_up = schedule.missed_runs() == v1::Schedule::RUN_ONCE;
  if (now - newest.fire > kMissedRunGrace && !make_up) {
    firing.runs.push_back(
        RunAt(newest.scheduled, now, v1::ScheduleRun::SKIPPED, Missed(earlier + 1)));
    return firing;
  }
  if (earlier > 0 && !make_up) {
    firing.runs.push_back(RunAt(before.scheduled, now, v1::ScheduleRun::SKIPPED, Missed(earlier)));
  }
  const int made_up = make_up ? earlier + (now - newest.fire > kMissedRunGrace) : 0;
  v1::ScheduleRun& run = firing.runs.emplace_back(
      RunAt(newest.scheduled, now, v1::ScheduleRun::STARTED,
            made_up > 0 ? absl::StrCat("makes up for ", Missed(made_up)) : ""));
  auto hosts = resolve(schedule.selector());
  if (hosts.ok() && hosts->empty()) hosts = absl::NotFoundError("no host matches the selector");
  if (!hosts.ok()) {
    if (Transient(hosts.status())) return hosts.status();
    run.set_outcome(v1::ScheduleRun::FAILED);
    run.set_message(std::string(hosts.status().message()));
    return firing;
  }
  store::NewScan& scan = firing.scan.emplace();
  scan.id = absl::StrCat("s-", KeyOf(schedule.id(), newest.scheduled).substr(0, 16));
  scan.created_by = schedule.created_by();
  scan.create_time = now;
  scan.deadline = now + (schedule.has_timeout() ? support::FromDuration(schedule.timeout())
                                                : kDefaultScanTimeout);
  scan.host_ids = *std::move(hosts);
  scan.selector = schedule.selector();
  scan.reason = absl::StrCat("schedule ", schedule.name());
  scan.schedule_id = schedule.id();
  run.set_scan_id(scan.id);
  return firing;
}

Scheduler::Scheduler(store::ScheduleStore& store, ScanBoard& board, HostResolver resolve,
                     const support::Clock& clock)
    : store_(store), board_(board), resolve_(std::move(resolve)), clock_(clock) {}

void Scheduler::Tick() {
  const absl::Time now = clock_.Now();
  const auto due = store_.ListDue(now, kMostPerTick);
  if (!due.ok()) {
    spdlog::warn("due schedules unknown error=\"{}\"", due.status().ToString());
    return;
  }
  for (const std::string& id : *due) {
    std::vector<v1::ScheduleRun> runs;
    std::string name;
    const auto fired = store_.Fire(id, now, [&](const store::StoredSchedule& stored) {
      auto firing = Decide(stored, now, resolve_);
      name = stored.schedule.name();
      if (firing.ok()) runs = firing->runs;
      return firing;
    });
    bool known = false;
    {
      absl::MutexLock lock(&mutex_);
      known = fired.ok() ? failing_.erase(id) > 0 : !failing_.insert(id).second;
    }
    if (!fired.ok()) {
      if (!known) {
        spdlog::error("schedule not fired, trying again schedule={} name={} error=\"{}\"", id, name,
                      fired.status().ToString());
      }
      continue;
    }
    if (!*fired) continue;
    for (const v1::ScheduleRun& run : runs) {
      spdlog::info("schedule fired schedule={} name={} outcome={} scan={} message=\"{}\"", id, name,
                   v1::ScheduleRun::Outcome_Name(run.outcome()), run.scan_id(),
                   support::LogSafe(run.message()));
      if (!run.scan_id().empty()) board_.OnScanChanged(run.scan_id());
    }
  }
}

}  // namespace plimsoll::scans
