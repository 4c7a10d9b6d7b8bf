#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "proto/support/times.h"

namespace plimsoll::cli {
namespace {

struct HistoryOptions {
  v1::ListTransitionsRequest request;
  int limit = 50;
};

// How long after the observation the controller had it: "+3 s".
std::string Delay(const v1::Transition& transition) {
  const absl::Time time = support::FromTimestamp(transition.recorded_time());
  const std::string age = FormatAge(transition.observed_time(), time);
  return absl::StrCat("+", absl::StripSuffix(age, " ago"));
}

std::string Cause(const v1::Transition& transition) {
  if (transition.cause() == v1::Transition::CAUSE_UNSPECIFIED) return "-";
  return absl::AsciiStrToLower(v1::Transition::Cause_Name(transition.cause()));
}

void PrintHistory(const v1::ListTransitionsResponse& all, Session& session) {
  if (all.transitions().empty()) {
    *session.out << "No changes match.\n";
    return;
  }
  bool gap = false;
  Table table({"OBSERVED", "RECORDED", "RULE", "CHANGE", "CAUSE"});
  for (const v1::Transition& transition : all.transitions()) {
    const bool first = transition.cause() == v1::Transition::FIRST;
    const auto status = [&](v1::Verdict::Status value, bool waived) {
      return absl::StrCat(PaintStatus(session.terminal, value), waived ? " (waived)" : "");
    };
    const std::string from = first ? "-" : status(transition.from(), transition.from_waived());
    gap = gap || transition.has_gap_begin_time();
    table.Row({FormatInstant(transition.observed_time()), Delay(transition),
               absl::StrCat(Printable(transition.baseline_id(), 32), " ",
                            Printable(transition.rule_id(), 16)),
               absl::StrCat(from, " > ", status(transition.to(), transition.to_waived())),
               absl::StrCat(Cause(transition), transition.has_gap_begin_time() ? " *" : "")});
  }
  table.Print(session.terminal, *session.out);
  if (gap) {
    *session.out << "* changes before this one were lost: the collector had no room for them\n";
  }
  SayMore(!all.next_page_token().empty(), session);
}

absl::Status ShowHistory(Client& client, HistoryOptions& options, Session& session) {
  v1::ListTransitionsResponse all;
  const auto get = [&](int size, const std::string& token) {
    options.request.set_page_size(size);
    options.request.set_page_token(token);
    return client.Call(&v1::HostService::Stub::ListTransitions,
                       v1::HostService::NewStub(client.channel()), options.request);
  };
  const auto more = ReadPages(
      options.limit, get,
      [&all](const auto& page) {
        all.mutable_transitions()->MergeFrom(page.transitions());
        all.set_next_page_token(page.next_page_token());
      },
      [&all] { return all.transitions_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
  } else {
    PrintHistory(all, session);
  }
  return absl::OkStatus();
}

}  // namespace

void AddHistory(Command app, Session& session) {
  auto options = std::make_shared<HistoryOptions>();
  v1::ListTransitionsRequest& request = options->request;
  Command command =
      app.AddSubcommand("history", "Show how a host's verdicts changed, newest first");
  AddOutputOption(command, session);
  command
      .AddOptionCall(
          "host", [&request](const std::string& host) { request.set_host(host); },
          "Host name or id; a removed host by its id")
      .Required()
      .TypeName("HOST");
  command
      .AddOptionCall(
          "--rule", [&request](const std::string& rule) { request.set_rule(rule); },
          "Only this rule, by id or slug")
      .TypeName("RULE");
  command
      .AddOptionCall(
          "--baseline", [&request](const std::string& id) { request.set_baseline(id); },
          "Only this baseline [all]")
      .TypeName("ID");
  AddLimitOption(command, options->limit);
  command.Footer(
      "OBSERVED is the host's clock when the facts changed, RECORDED how much later the controller "
      "had them.\nThe cause is first (never judged before), facts (the host changed), baseline "
      "(the rule "
      "did), tailoring\n(its parameters did) or waiver.\n\nExamples:\n  plimsoll history web-1 "
      "--rule 5.04\n  plimsoll history "
      "web-1 "
      "--limit 0 -o json");
  command.OnRun([options, &session] {
    WithClient(session, [&](Client& client) { return ShowHistory(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
