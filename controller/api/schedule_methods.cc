#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddScheduleMethods(MethodTable& table, Schedules& schedules) {
  table.Add({"ScheduleService.CreateSchedule", Permission::kScan, "POST /v1/schedules", "schedule"},
            schedules, &Schedules::Create);
  table.Add({"ScheduleService.ListSchedules", Permission::kRead, "GET /v1/schedules"}, schedules,
            &Schedules::List);
  table.Add({"ScheduleService.GetSchedule", Permission::kRead, "GET /v1/schedules/{schedule}"},
            schedules, &Schedules::Get);
  // Replaces the whole: what is left out is reset.
  table.Add({"ScheduleService.UpdateSchedule", Permission::kScan, "PUT /v1/schedules/{schedule.id}",
             "schedule"},
            schedules, &Schedules::Update);
  table.Add(
      {"ScheduleService.DeleteSchedule", Permission::kScan, "DELETE /v1/schedules/{schedule}"},
      schedules, &Schedules::Delete);
  table.Add(
      {"ScheduleService.PauseSchedule", Permission::kScan, "POST /v1/schedules/{schedule}/pause"},
      schedules, &Schedules::Pause);
  table.Add(
      {"ScheduleService.ResumeSchedule", Permission::kScan, "POST /v1/schedules/{schedule}/resume"},
      schedules, &Schedules::Resume);
  table.Add(
      {"ScheduleService.ListScheduleRuns", Permission::kRead, "GET /v1/schedules/{schedule}/runs"},
      schedules, &Schedules::ListRuns);
  // Beside the schedules, so that one may be called "preview".
  table.Add({"ScheduleService.PreviewSchedule", Permission::kRead, "GET /v1/schedule-preview"},
            schedules, &Schedules::Preview);
}

}  // namespace plimsoll::api
