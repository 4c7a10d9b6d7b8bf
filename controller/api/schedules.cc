#include "controller/api/schedules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/api/paging.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "controller/scans/cron.h"
#include "proto/support/times.h"

namespace plimsoll::api {
namespace {

using store::Principal;

constexpr absl::Duration kLongestJitter = absl::Hours(1);
constexpr size_t kLongestDescription = 512;
constexpr int kDefaultPreview = 5;
constexpr int kLongestPreview = 100;

// What decides when a schedule fires.
bool SameTimes(const v1::Schedule& a, const v1::Schedule& b) {
  return a.cron() == b.cron() && a.time_zone() == b.time_zone() && a.paused() == b.paused() &&
         a.jitter().seconds() == b.jitter().seconds() && a.jitter().nanos() == b.jitter().nanos();
}

// INVALID_ARGUMENT also when it would never fire.
absl::StatusOr<store::NextRun> FirstRun(const v1::Schedule& schedule, absl::Time after) {
  auto next = scans::NextRunOf(schedule, after);
  if (next.ok() && next->scheduled == absl::InfiniteFuture()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cron: \"", schedule.cron(), "\" never fires: no year has such a day"));
  }
  return next;
}

}  // namespace

absl::StatusOr<store::StoredSchedule> Schedules::Find(const Principal& who,
                                                      const std::string& schedule) {
  auto found = store_.schedules().Get(schedule);
  if (!found.ok() || Within(who, found->schedule.selector())) return found;
  // One that scans other hosts is not there.
  return absl::NotFoundError(absl::StrCat("no schedule \"", schedule.substr(0, 256), "\""));
}

absl::Status Schedules::Check(const v1::Schedule& schedule) const {
  if (auto status = CheckName("name", schedule.name()); !status.ok()) return status;
  if (auto status = CheckSelector(schedule.selector(), "selector.", "expression"); !status.ok()) {
    return status;
  }
  for (const absl::Status& status :
       {CheckLength("description", schedule.description(), kLongestDescription),
        CheckOptionalName("managed_by", schedule.managed_by())}) {
    if (!status.ok()) return status;
  }
  if (schedule.has_timeout()) {
    if (const auto timeout = ScanTimeout(&schedule.timeout()); !timeout.ok()) {
      return timeout.status();
    }
  }
  const absl::Duration jitter =
      absl::Seconds(schedule.jitter().seconds()) + absl::Nanoseconds(schedule.jitter().nanos());
  if (jitter < absl::ZeroDuration() || jitter > kLongestJitter) {
    return absl::InvalidArgumentError("jitter: expected 0s to 1h");
  }
  if (!v1::Schedule::MissedRuns_IsValid(schedule.missed_runs())) {
    return absl::InvalidArgumentError("missed_runs: expected SKIP or RUN_ONCE");
  }
  // Hosts may come later; a selector that cannot be read will not get better.
  const auto hosts = resolve_(schedule.selector());
  if (absl::IsInvalidArgument(hosts.status())) {
    return absl::InvalidArgumentError(absl::StrCat("selector: ", hosts.status().message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Schedule> Schedules::Create(const Principal& who,
                                               const v1::CreateScheduleRequest& request) {
  v1::Schedule schedule = request.schedule();
  if (auto status = Check(schedule); !status.ok()) return status;
  if (auto status = Narrow(who, resolve_, *schedule.mutable_selector()); !status.ok()) {
    return status;
  }
  schedule.set_id(NewId("sch-"));
  schedule.set_created_by(who.name);
  *schedule.mutable_create_time() = support::ToTimestamp(clock_.Now());
  const auto next = FirstRun(schedule, clock_.Now());
  if (!next.ok()) return next.status();
  if (request.validate_only()) return schedule;
  return store_.schedules().Create(schedule, *next);
}

absl::StatusOr<v1::Schedule> Schedules::Get(const Principal& who,
                                            const v1::GetScheduleRequest& request) {
  auto stored = Find(who, request.schedule());
  if (!stored.ok()) return stored.status();
  return std::move(stored->schedule);
}

absl::StatusOr<v1::ListSchedulesResponse> Schedules::List(const Principal& who,
                                                          const v1::ListSchedulesRequest& request) {
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  // One more than asked tells whether there is a next page.
  auto schedules = store_.schedules().List((*after)[0], *size + 1);
  if (!schedules.ok()) return schedules.status();
  v1::ListSchedulesResponse response;
  if (schedules->size() > static_cast<size_t>(*size)) {
    schedules->pop_back();
    response.set_next_page_token(EncodePageToken({schedules->back().name()}));
  }
  for (v1::Schedule& schedule : *schedules) {
    if (Within(who, schedule.selector())) *response.add_schedules() = std::move(schedule);
  }
  return response;
}

absl::StatusOr<v1::Schedule> Schedules::Update(const Principal& who,
                                               const v1::UpdateScheduleRequest& request) {
  v1::Schedule wanted = request.schedule();
  if (auto status = Check(wanted); !status.ok()) return status;
  const auto found = Find(who, wanted.id().empty() ? wanted.name() : wanted.id());
  if (!found.ok()) return found.status();
  // What is within the scope already, as it was read, is not narrowed again.
  if (!Within(who, wanted.selector())) {
    if (auto status = Narrow(who, resolve_, *wanted.mutable_selector()); !status.ok()) {
      return status;
    }
  }
  if (request.validate_only()) {
    if (auto next = FirstRun(wanted, clock_.Now()); !next.ok()) return next.status();
    return wanted;
  }
  return store_.schedules().Update(
      found->schedule.id(), [&](store::StoredSchedule& stored) -> absl::Status {
        if (!wanted.etag().empty() && wanted.etag() != stored.schedule.etag()) {
          return absl::FailedPreconditionError(
              absl::StrCat("etag: \"", stored.schedule.name(),
                           "\" was changed meanwhile; read it again and repeat the change"));
        }
        const bool same_times = SameTimes(wanted, stored.schedule);
        const std::string id = stored.schedule.id();
        stored.schedule = wanted;
        stored.schedule.set_id(id);
        // A firing that is due, or late by its jitter, is not lost to a change of something else.
        if (same_times) return absl::OkStatus();
        // Never a time that was dealt with, by whichever controller's clock.
        auto next = FirstRun(stored.schedule, std::max(clock_.Now(), stored.last_scheduled));
        if (!next.ok()) return next.status();
        stored.next = *next;
        return absl::OkStatus();
      });
}

absl::StatusOr<v1::Schedule> Schedules::SetPaused(const Principal& who, const std::string& schedule,
                                                  bool paused) {
  const auto found = Find(who, schedule);
  if (!found.ok()) return found.status();
  if (found->schedule.paused() == paused) return found->schedule;
  return store_.schedules().Update(
      found->schedule.id(), [&](store::StoredSchedule& stored) -> absl::Status {
        if (stored.schedule.paused() == paused) return absl::OkStatus();
        stored.schedule.set_paused(paused);
        if (paused) return absl::OkStatus();
        auto next =
            scans::NextRunOf(stored.schedule, std::max(clock_.Now(), stored.last_scheduled));
        if (!next.ok()) return next.status();
        stored.next = *next;
        return absl::OkStatus();
      });
}

absl::StatusOr<v1::Schedule> Schedules::Pause(const Principal& who,
                                              const v1::PauseScheduleRequest& request) {
  return SetPaused(who, request.schedule(), true);
}

absl::StatusOr<v1::Schedule> Schedules::Resume(const Principal& who,
                                               const v1::ResumeScheduleRequest& request) {
  return SetPaused(who, request.schedule(), false);
}

absl::StatusOr<v1::DeleteScheduleResponse> Schedules::Delete(
    const Principal& who, const v1::DeleteScheduleRequest& request) {
  const auto found = Find(who, request.schedule());
  if (!found.ok()) return found.status();
  if (auto status = store_.schedules().Delete(found->schedule.id()); !status.ok()) return status;
  v1::DeleteScheduleResponse response;
  response.set_id(found->schedule.id());
  return response;
}

absl::StatusOr<v1::ListScheduleRunsResponse> Schedules::ListRuns(
    const Principal& who, const v1::ListScheduleRunsRequest& request) {
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  const auto found = Find(who, request.schedule());
  if (!found.ok()) return found.status();
  // One more than asked tells whether there is a next page.
  store::RunQuery query{.schedule_id = found->schedule.id(), .limit = *size + 1};
  if (!(*after)[0].empty()) {
    int64_t micros = 0;
    if (!absl::SimpleAtoi((*after)[0], &micros)) {
      return BadPageToken();
    }
    query.before = absl::FromUnixMicros(micros);
  }
  auto runs = store_.schedules().ListRuns(query);
  if (!runs.ok()) return runs.status();
  v1::ListScheduleRunsResponse response;
  if (runs->size() > static_cast<size_t>(*size)) {
    runs->pop_back();
    response.set_next_page_token(EncodePageToken(
        {absl::StrCat(absl::ToUnixMicros(support::FromTimestamp(runs->back().scheduled_time())))}));
  }
  for (v1::ScheduleRun& run : *runs) *response.add_runs() = std::move(run);
  return response;
}

absl::StatusOr<v1::PreviewScheduleResponse> Schedules::Preview(
    const Principal& who, const v1::PreviewScheduleRequest& request) {
  if (request.count() < 0 || request.count() > kLongestPreview) {
    return absl::InvalidArgumentError(absl::StrCat("count: expected 1 to ", kLongestPreview));
  }
  v1::Schedule schedule;
  schedule.set_cron(request.cron());
  schedule.set_time_zone(request.time_zone());
  v1::PreviewScheduleResponse response;
  absl::Time after = clock_.Now();
  for (int i = request.count() == 0 ? kDefaultPreview : request.count(); i > 0; --i) {
    const auto next = scans::NextRunOf(schedule, after);
    if (!next.ok()) return next.status();
    if (next->scheduled == absl::InfiniteFuture()) break;
    *response.add_run_times() = support::ToTimestamp(next->scheduled);
    after = next->scheduled;
  }
  return response;
}

}  // namespace plimsoll::api
