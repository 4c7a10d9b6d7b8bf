#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/schedule_view.h"
#include "controller/cli/selector_options.h"
#include "plimsoll/v1/schedule_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct ScheduleOptions {
  std::string name;
  // What was given on the command line; kept apart, so that update changes nothing else.
  v1::Schedule given;
  SelectorOptions hosts;
  absl::Duration jitter = absl::InfiniteDuration();
  absl::Duration deadline = absl::InfiniteDuration();
  bool has_description = false;
  bool has_time_zone = false;
  std::string new_name;
  v1::PreviewScheduleRequest preview;
  int limit = 20;
};

std::unique_ptr<v1::ScheduleService::Stub> Stub(Client& client) {
  return v1::ScheduleService::NewStub(client.channel());
}

// Lays what was given over `schedule`.
absl::Status Apply(const ScheduleOptions& options, v1::Schedule& schedule) {
  if (!options.given.cron().empty()) schedule.set_cron(options.given.cron());
  if (options.has_time_zone) schedule.set_time_zone(options.given.time_zone());
  if (options.given.missed_runs() != v1::Schedule::MISSED_RUNS_UNSPECIFIED) {
    schedule.set_missed_runs(options.given.missed_runs());
  }
  if (options.has_description) schedule.set_description(options.given.description());
  if (options.jitter != absl::InfiniteDuration()) {
    *schedule.mutable_jitter() = ToProto(options.jitter);
  }
  if (options.deadline != absl::InfiniteDuration()) {
    *schedule.mutable_timeout() = ToProto(options.deadline);
  }
  if (options.hosts.given()) {
    auto selector = options.hosts.Take();
    if (!selector.ok()) return selector.status();
    *schedule.mutable_selector() = *std::move(selector);
  }
  return absl::OkStatus();
}

absl::Status Print(const absl::StatusOr<v1::Schedule>& schedule, Session& session) {
  if (!schedule.ok()) return schedule.status();
  if (session.json()) {
    session.PrintJson(*schedule);
  } else {
    PrintSchedule(*schedule, session);
  }
  return absl::OkStatus();
}

absl::Status Create(Client& client, const ScheduleOptions& options, Session& session) {
  if (auto selector = options.hosts.Take(); !selector.ok()) return selector.status();
  v1::CreateScheduleRequest request;
  v1::Schedule& schedule = *request.mutable_schedule();
  schedule.set_name(options.name);
  schedule.set_missed_runs(v1::Schedule::SKIP);
  schedule.set_paused(options.given.paused());
  if (auto status = Apply(options, schedule); !status.ok()) return status;
  return Print(client.Call(&v1::ScheduleService::Stub::CreateSchedule, Stub(client), request),
               session);
}

absl::StatusOr<v1::Schedule> Get(Client& client, const std::string& name) {
  v1::GetScheduleRequest request;
  request.set_schedule(name);
  return client.Call(&v1::ScheduleService::Stub::GetSchedule, Stub(client), request);
}

// What is not given stays; somebody else's change in between is not overwritten.
absl::Status Update(Client& client, const ScheduleOptions& options, Session& session) {
  auto schedule = Get(client, options.name);
  if (!schedule.ok()) return schedule.status();
  v1::UpdateScheduleRequest request;
  *request.mutable_schedule() = *std::move(schedule);
  if (auto status = Apply(options, *request.mutable_schedule()); !status.ok()) return status;
  if (!options.new_name.empty()) request.mutable_schedule()->set_name(options.new_name);
  return Print(client.Call(&v1::ScheduleService::Stub::UpdateSchedule, Stub(client), request),
               session);
}

absl::Status List(Client& client, Session& session) {
  v1::ListSchedulesResponse all;
  const auto more = ReadPages(
      0,
      [&client](int size, const std::string& token) {
        v1::ListSchedulesRequest request;
        request.set_page_size(size);
        request.set_page_token(token);
        return client.Call(&v1::ScheduleService::Stub::ListSchedules, Stub(client), request);
      },
      [&all](const auto& page) { all.mutable_schedules()->MergeFrom(page.schedules()); },
      [&all] { return all.schedules_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
  } else {
    PrintSchedules({all.schedules().begin(), all.schedules().end()}, session);
  }
  return absl::OkStatus();
}

// Pause and resume: requests that name a schedule, answered by it.
template <class Request>
absl::Status Change(Client& client,
                    grpc::Status (v1::ScheduleService::Stub::*method)(grpc::ClientContext*,
                                                                      const Request&,
                                                                      v1::Schedule*),
                    const ScheduleOptions& options, Session& session) {
  Request request;
  request.set_schedule(options.name);
  return Print(client.Call(method, Stub(client), request), session);
}

absl::Status Delete(Client& client, const ScheduleOptions& options, Session& session) {
  v1::DeleteScheduleRequest request;
  request.set_schedule(options.name);
  auto gone = client.Call(&v1::ScheduleService::Stub::DeleteSchedule, Stub(client), request);
  if (!gone.ok()) return gone.status();
  if (session.json()) {
    session.PrintJson(*gone);
  } else {
    *session.out << "Deleted " << Printable(options.name, 64) << "; its scans stay\n";
  }
  return absl::OkStatus();
}

absl::Status Runs(Client& client, const ScheduleOptions& options, Session& session) {
  v1::ListScheduleRunsResponse all;
  const auto more = ReadPages(
      options.limit,
      [&](int size, const std::string& token) {
        v1::ListScheduleRunsRequest request;
        request.set_schedule(options.name);
        request.set_page_size(size);
        request.set_page_token(token);
        return client.Call(&v1::ScheduleService::Stub::ListScheduleRuns, Stub(client), request);
      },
      [&all](const auto& page) {
        all.mutable_runs()->MergeFrom(page.runs());
        all.set_next_page_token(page.next_page_token());
      },
      [&all] { return all.runs_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
  } else {
    PrintRuns({all.runs().begin(), all.runs().end()}, session);
    SayMore(*more, session);
  }
  return absl::OkStatus();
}

absl::Status Preview(Client& client, const ScheduleOptions& options, Session& session) {
  auto times =
      client.Call(&v1::ScheduleService::Stub::PreviewSchedule, Stub(client), options.preview);
  if (!times.ok()) return times.status();
  if (session.json()) {
    session.PrintJson(*times);
  } else {
    PrintTimes(*times, options.preview.time_zone(), session);
  }
  return absl::OkStatus();
}

// Options of what a person can set.
void AddSettings(Command command, const std::shared_ptr<ScheduleOptions>& options, bool create) {
  Option cron = command.AddOptionCall(
      "--cron", [options](const std::string& text) { options->given.set_cron(text); },
      "When: minute hour day-of-month month day-of-week, or @hourly, @daily, @weekly, @monthly");
  cron.TypeName("EXPRESSION");
  if (create) cron.Required();
  command
      .AddOptionCall(
          "--time-zone",
          [options](const std::string& text) {
            options->given.set_time_zone(text);
            options->has_time_zone = true;
          },
          "Whose clocks: a name of the tz database, e.g. Europe/Berlin [UTC]")
      .TypeName("ZONE");
  AddSelectorOptions(command, options->hosts);
  AddDurationOption(command, "--jitter", options->jitter,
                    "Be late by up to this, to spread load; at most 1h [0s]", true);
  AddDurationOption(command, "--deadline", options->deadline,
                    "Hosts of its scans that have not answered by then are missed; at most 24h "
                    "[10m]");
  command
      .AddOptionCall(
          "--missed-runs",
          [options](const std::string& text) {
            options->given.set_missed_runs(text == "skip" ? v1::Schedule::SKIP
                                                          : v1::Schedule::RUN_ONCE);
          },
          "When no controller ran: skip the run, or make up for all with one [skip]")
      .TypeName("POLICY")
      .OneOf({"skip", "run-once"});
  command
      .AddOptionCall(
          "--description",
          [options](const std::string& text) {
            options->given.set_description(text);
            options->has_description = true;
          },
          "For the list")
      .TypeName("TEXT");
}

using Action = std::function<absl::Status(Client&, ScheduleOptions&, Session&)>;

}  // namespace

void AddSchedule(Command app, Session& session) {
  auto options = std::make_shared<ScheduleOptions>();
  Command schedule =
      app.AddSubcommand("schedule", "Scans that start by the clock: create, list, pause and more");
  schedule.RequireSubcommand(1, 1);
  const auto add = [&](const std::string& name, const std::string& help, bool named,
                       Action action) -> Command {
    Command command = AddAction(schedule, session, options, name, help, std::move(action));
    if (named) {
      command.AddOption("name", options->name, "Name or id").Required().TypeName("NAME");
    }
    return command;
  };
  Command create = add("create", "Make a schedule", true, Create);
  AddSettings(create, options, true);
  create.AddFlagCall(
      "--paused", [options] { options->given.set_paused(true); }, "Make it without starting it");
  create.Footer(
      "A time that daylight saving skips fires when the gap ends, one that it repeats fires once. "
      "Days of the\nmonth and of the week, both given: either will do.\n\nExamples:\n"
      "  plimsoll schedule create nightly --cron '30 2 * * *' --time-zone Europe/Berlin --all "
      "--jitter 10m\n"
      "  plimsoll schedule create workdays --cron '0 8-18/2 * * MON-FRI' -l env=prod "
      "--missed-runs run-once");
  add("list", "All schedules, with their next and last runs", false,
      [](Client& client, ScheduleOptions&, Session& s) { return List(client, s); });
  add("show", "One schedule", true,
      [](Client& client, ScheduleOptions& o, Session& s) { return Print(Get(client, o.name), s); });
  Command update = add("update", "Change what is given, leave the rest", true, Update);
  AddSettings(update, options, false);
  update.AddOption("--name", options->new_name, "Another name").TypeName("NAME");
  update.Footer("Example:\n  plimsoll schedule update nightly --cron '0 3 * * *'");
  add("pause", "Stop firing until resumed", true,
      [](Client& client, ScheduleOptions& o, Session& s) {
        return Change(client, &v1::ScheduleService::Stub::PauseSchedule, o, s);
      });
  add("resume", "Fire again; what was missed is not made up", true,
      [](Client& client, ScheduleOptions& o, Session& s) {
        return Change(client, &v1::ScheduleService::Stub::ResumeSchedule, o, s);
      });
  add("delete", "Remove a schedule; its scans stay", true, Delete);
  AddLimitOption(add("runs", "What became of its firings, newest first", true, Runs),
                 options->limit);
  Command preview = add("preview", "When an expression fires next", false, Preview);
  preview
      .AddOptionCall(
          "cron", [options](const std::string& text) { options->preview.set_cron(text); },
          "The expression, in quotes")
      .Required()
      .TypeName("EXPRESSION");
  preview
      .AddOptionCall(
          "--time-zone",
          [options](const std::string& text) { options->preview.set_time_zone(text); },
          "Whose clocks [UTC]")
      .TypeName("ZONE");
  preview
      .AddOptionCall(
          "--count", [options](int count) { options->preview.set_count(count); },
          "How many times [5]")
      .Between(1, 100)
      .TypeName("COUNT");
  preview.Footer(
      "Example:\n  plimsoll schedule preview '0 2 * * SUN' --time-zone America/New_York");
}

}  // namespace plimsoll::cli
