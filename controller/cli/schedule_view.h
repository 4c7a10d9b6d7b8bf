// Schedules for people.
#pragma once

#include <string>
#include <vector>

#include "controller/cli/command.h"
#include "plimsoll/v1/schedule_service.pb.h"

namespace plimsoll::cli {

// One schedule: when, what, and its last and next runs.
void PrintSchedule(const v1::Schedule& schedule, Session& session);
// One line a schedule.
void PrintSchedules(const std::vector<v1::Schedule>& schedules, Session& session);
// One line a run.
void PrintRuns(const std::vector<v1::ScheduleRun>& runs, Session& session);
// One line a time, on the clocks of `time_zone` where this machine knows it, and in UTC.
void PrintTimes(const v1::PreviewScheduleResponse& times, const std::string& time_zone,
                Session& session);

}  // namespace plimsoll::cli
