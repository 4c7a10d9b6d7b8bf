#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/time_util.h>

#include <memory>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/cli/activity_chain.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/activity_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct ActivityOptions {
  v1::ListActivityRequest list;
  int limit = 50;
  std::vector<NotedHead> noted;
};

std::unique_ptr<v1::ActivityService::Stub> Stub(Client& client) {
  return v1::ActivityService::NewStub(client.channel());
}

std::string Actor(const v1::Activity& entry) {
  if (entry.actor_kind() == v1::Activity::NOBODY) return "(nobody)";
  return Printable(entry.actor_name().empty() ? entry.actor_id() : entry.actor_name(), 64);
}

absl::StatusOr<v1::ListActivityResponse> Page(Client& client, v1::ListActivityRequest request,
                                              int size, const std::string& token) {
  request.set_page_size(size);
  request.set_page_token(token);
  return client.Call(&v1::ActivityService::Stub::ListActivity, Stub(client), request);
}

absl::Status List(Client& client, const ActivityOptions& options, Session& session) {
  v1::ListActivityResponse all;
  const auto more = ReadPages(
      options.limit,
      [&](int size, const std::string& token) { return Page(client, options.list, size, token); },
      [&all](v1::ListActivityResponse& page) { all.MergeFrom(page); },
      [&all] { return all.entries_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
    return absl::OkStatus();
  }
  if (all.entries().empty()) {
    *session.out << "No activity.\n";
    return absl::OkStatus();
  }
  Table table({"ROW", "TIME", "WHO", "FROM", "DID", "TO", "OUTCOME"});
  for (const v1::Activity& entry : all.entries()) {
    table.Row({absl::StrCat(entry.sequence()), FormatInstant(entry.time()), Actor(entry),
               Printable(entry.peer(), 64), Printable(entry.action(), 100),
               Printable(entry.object(), 100), Printable(entry.outcome(), 32)});
  }
  table.Print(session.terminal, *session.out);
  SayMore(*more, session);
  return absl::OkStatus();
}

absl::StatusOr<v1::ActivityHead> Head(Client& client) {
  return client.Call(&v1::ActivityService::Stub::GetActivityHead, Stub(client),
                     v1::GetActivityHeadRequest());
}

absl::Status PrintHead(Client& client, const ActivityOptions&, Session& session) {
  auto head = Head(client);
  if (!head.ok()) return head.status();
  if (session.json()) {
    session.PrintJson(*head);
  } else {
    *session.out << head->sequence() << ":" << Printable(head->hash(), 64) << "\n";
  }
  return absl::OkStatus();
}

absl::Status Verify(Client& client, const ActivityOptions& options, Session& session) {
  auto head = Head(client);
  if (!head.ok()) return head.status();
  ActivityChain chain(*head, options.noted);
  std::string token;
  do {
    auto page = Page(client, {}, 1000, token);
    if (!page.ok()) return page.status();
    for (const v1::Activity& entry : page->entries()) chain.Take(entry);
    token = page->next_page_token();
  } while (!token.empty());
  chain.Finish();
  if (session.json()) {
    google::protobuf::Struct answer;
    auto& fields = *answer.mutable_fields();
    fields["whole"].set_bool_value(chain.problems().empty());
    fields["rows"].set_string_value(absl::StrCat(chain.count()));
    fields["head"].set_string_value(absl::StrCat(head->sequence(), ":", head->hash()));
    auto& problems = *fields["problems"].mutable_list_value();
    for (const std::string& problem : chain.problems()) {
      problems.add_values()->set_string_value(problem);
    }
    session.PrintJson(answer);
    session.exit_status = chain.problems().empty() ? kDone : kNotCompliant;
    return absl::OkStatus();
  }
  for (const std::string& problem : chain.problems()) *session.out << Printable(problem) << "\n";
  if (!chain.problems().empty()) {
    *session.err << "The activity log is not whole.\n";
    session.exit_status = kNotCompliant;
    return absl::OkStatus();
  }
  *session.out << "The activity log is whole: " << chain.count() << " rows";
  if (head->dropped_sequence() > 0) {
    *session.out << " after row " << head->dropped_sequence()
                 << ", up to which retention dropped it";
  }
  *session.out << "; it ends with " << head->sequence() << ":" << Printable(head->hash(), 64)
               << "\n";
  if (options.noted.empty()) {
    *session.err << "Note that end down elsewhere: with --head it shows later that nothing was cut "
                    "off.\n";
  }
  return absl::OkStatus();
}

// RFC 3339.
void AddTime(Command command, const std::string& name, const std::string& help,
             std::function<google::protobuf::Timestamp*()> time) {
  command
      .AddOptionCall(
          name,
          [name, time = std::move(time)](const std::string& text) {
            if (!google::protobuf::util::TimeUtil::FromString(text, time())) {
              RefuseOption(name, "expected a time, e.g. 2026-03-01T12:00:00Z");
            }
          },
          help)
      .TypeName("TIME");
}

}  // namespace

void AddActivity(Command app, Session& session) {
  auto options = std::make_shared<ActivityOptions>();
  Command activity = app.AddSubcommand("activity", "The activity log: list, verify, head");
  activity.RequireSubcommand(0, 1);
  AddOutputOption(activity, session);
  activity.OnRun([options, activity, &session] {
    if (activity.HasSubcommand()) return;
    WithClient(session, [&](Client& client) { return List(client, *options, session); });
  });
  activity.Footer("Without a subcommand, the newest entries.");
  const auto add = [&](const std::string& name, const std::string& help, auto action) {
    return AddAction(activity, session, options, name, help, action);
  };
  Command list = add("list", "Who did what, newest first", List);
  const auto text = [&](const std::string& name, const std::string& help,
                        void (*set)(v1::ListActivityRequest&, const std::string&)) {
    list.AddOptionCall(
            name, [options, set](const std::string& value) { set(options->list, value); }, help)
        .TypeName("TEXT");
  };
  text(
      "--actor", "Only what this user, token or host did: name or id",
      [](v1::ListActivityRequest& request, const std::string& value) { request.set_actor(value); });
  text("--action", "Only this method, e.g. UserService.CreateUser, or service, e.g. UserService",
       [](v1::ListActivityRequest& request, const std::string& value) {
         request.set_action(value);
       });
  text("--object", "Only what was done to this, e.g. hosts/ID, or to this kind, e.g. hosts",
       [](v1::ListActivityRequest& request, const std::string& value) {
         request.set_object(value);
       });
  AddTime(list, "--since", "Not older than this",
          [options] { return options->list.mutable_start_time(); });
  AddTime(list, "--until", "Older than this",
          [options] { return options->list.mutable_end_time(); });
  AddLimitOption(list, options->limit);
  list.Footer(
      "-o json has what each object was before and after.\n\nExample:\n"
      "  plimsoll activity list --object users --since 2026-03-01T00:00:00Z");
  Command verify = add("verify", "Check row by row that nothing was altered or removed", Verify);
  verify
      .AddOptionCall(
          "--head",
          [options](const std::vector<std::string>& texts) {
            for (const std::string& each : texts) {
              auto head = ParseHead(each);
              if (!head.ok()) {
                RefuseOption("--head", std::string(head.status().message()));
              }
              options->noted.push_back(*std::move(head));
            }
          },
          "An end of the log that was noted down: it must still be there; may be repeated")
      .TypeName("ROW:HASH");
  verify.Footer(
      "Every hash is computed here, from what the controller sends. Exit status 1, and which row, "
      "when the\nlog is not whole. Only an end noted down elsewhere (`plimsoll activity head`) "
      "shows "
      "that its tail\nwas not cut off.");
  add("head", "Where the log ends now, to be noted down elsewhere", PrintHead);
}

}  // namespace plimsoll::cli
