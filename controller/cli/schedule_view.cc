#include "controller/cli/schedule_view.h"

#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "controller/cli/format.h"
#include "controller/cli/selector_options.h"
#include "proto/support/times.h"

namespace plimsoll::cli {
namespace {

std::string Zone(const v1::Schedule& schedule) {
  return schedule.time_zone().empty() ? "UTC" : Printable(schedule.time_zone(), 64);
}

std::string Next(const v1::Schedule& schedule) {
  if (schedule.paused()) return "paused";
  return schedule.has_next_run_time() ? FormatInstant(schedule.next_run_time()) : "never";
}

std::string Outcome(const v1::ScheduleRun& run) {
  return absl::AsciiStrToLower(v1::ScheduleRun::Outcome_Name(run.outcome()));
}

std::string FormatDuration(const google::protobuf::Duration& duration) {
  return absl::FormatDuration(absl::Seconds(duration.seconds()) +
                              absl::Nanoseconds(duration.nanos()));
}

}  // namespace

void PrintSchedule(const v1::Schedule& schedule, Session& session) {
  std::ostream& out = *session.out;
  out << "Schedule " << Printable(schedule.name(), 64) << " (" << Printable(schedule.id(), 64)
      << ")\n"
      << "  when: " << Printable(schedule.cron(), 256) << " in " << Zone(schedule);
  if (schedule.jitter().seconds() > 0 || schedule.jitter().nanos() > 0) {
    out << ", up to " << FormatDuration(schedule.jitter()) << " late";
  }
  out << "\n  what: " << Describe(schedule.selector());
  if (schedule.has_timeout()) out << ", deadline " << FormatDuration(schedule.timeout());
  out << "\n  missed runs: "
      << (schedule.missed_runs() == v1::Schedule::RUN_ONCE ? "one run makes up for all" : "skipped")
      << "\n  next: " << Next(schedule) << "\n";
  if (schedule.has_last_run()) {
    const v1::ScheduleRun& run = schedule.last_run();
    out << "  last: " << FormatInstant(run.scheduled_time()) << " " << Outcome(run);
    if (!run.scan_id().empty()) out << ", scan " << Printable(run.scan_id(), 64);
    if (!run.message().empty()) out << ": " << Printable(run.message(), 512);
    out << "\n";
  }
  out << "  made " << FormatInstant(schedule.create_time()) << " by "
      << Printable(schedule.created_by(), 100);
  if (!schedule.description().empty()) out << ": " << Printable(schedule.description(), 512);
  out << "\n";
}

void PrintSchedules(const std::vector<v1::Schedule>& schedules, Session& session) {
  if (schedules.empty()) {
    *session.out << "No schedules; `plimsoll schedule create --help` has examples.\n";
    return;
  }
  Table table({"NAME", "CRON", "ZONE", "HOSTS", "NEXT", "LAST", "OUTCOME"});
  for (const v1::Schedule& schedule : schedules) {
    const v1::ScheduleRun& run = schedule.last_run();
    table.Row({Printable(schedule.name(), 64), Printable(schedule.cron(), 100), Zone(schedule),
               Describe(schedule.selector()), Next(schedule), FormatInstant(run.scheduled_time()),
               schedule.has_last_run() ? Outcome(run) : "-"});
  }
  table.Print(session.terminal, *session.out);
}

void PrintRuns(const std::vector<v1::ScheduleRun>& runs, Session& session) {
  if (runs.empty()) {
    *session.out << "It has not fired yet.\n";
    return;
  }
  Table table({"SCHEDULED", "FIRED", "OUTCOME", "SCAN", "MESSAGE"});
  for (const v1::ScheduleRun& run : runs) {
    table.Row({FormatInstant(run.scheduled_time()), FormatInstant(run.fire_time()), Outcome(run),
               run.scan_id().empty() ? "-" : Printable(run.scan_id(), 64),
               Printable(run.message(), 512)});
  }
  table.Print(session.terminal, *session.out);
}

void PrintTimes(const v1::PreviewScheduleResponse& times, const std::string& time_zone,
                Session& session) {
  if (times.run_times().empty()) {
    *session.out << "Never.\n";
    return;
  }
  absl::TimeZone zone;
  const bool known = !time_zone.empty() && time_zone != "UTC" && time_zone[0] != '/' &&
                     absl::LoadTimeZone(time_zone, &zone);
  for (const google::protobuf::Timestamp& time : times.run_times()) {
    if (known) {
      *session.out << absl::FormatTime("%a %Y-%m-%d %H:%M %Ez", support::FromTimestamp(time), zone)
                   << "   ";
    }
    *session.out << FormatInstant(time) << "\n";
  }
}

}  // namespace plimsoll::cli
