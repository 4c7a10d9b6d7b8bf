#include <google/protobuf/util/time_util.h>

#include <functional>
#include <memory>
#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/selector_options.h"
#include "controller/cli/waiver_view.h"
#include "plimsoll/v1/waiver_service.grpc.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::cli {
namespace {

using google::protobuf::util::TimeUtil;
using Service = v1::WaiverService::Stub;

struct WaiverOptions {
  std::string id;
  v1::Waiver waiver;
  SelectorOptions hosts;
  std::string baseline = "azure-docker";
  std::vector<std::string> rules;
  std::string note;
  v1::ListWaiversRequest list;
  int limit = 100;
};

std::unique_ptr<Service> Stub(Client& client) {
  return v1::WaiverService::NewStub(client.channel());
}

absl::Status Print(const absl::StatusOr<v1::Waiver>& waiver, Session& session) {
  if (!waiver.ok()) return waiver.status();
  if (session.json()) {
    session.PrintJson(*waiver);
  } else {
    PrintWaiver(*waiver, session);
  }
  return absl::OkStatus();
}

// What was given, as a waiver.
absl::StatusOr<v1::Waiver> WaiverOf(const WaiverOptions& options) {
  v1::Waiver waiver = options.waiver;
  auto selector = options.hosts.Take();
  if (!selector.ok()) return selector.status();
  *waiver.mutable_selector() = *std::move(selector);
  for (const std::string& text : options.rules) {
    const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
    v1::RuleRef& ref = *waiver.add_rules();
    ref.set_baseline(parts.size() == 2 ? parts[0] : options.baseline);
    ref.set_rule(parts.back());
  }
  return waiver;
}

absl::Status Propose(Client& client, WaiverOptions& options, Session& session) {
  auto waiver = WaiverOf(options);
  if (!waiver.ok()) return waiver.status();
  v1::CreateWaiverRequest request;
  *request.mutable_waiver() = *std::move(waiver);
  return Print(client.Call(&Service::CreateWaiver, Stub(client), request), session);
}

absl::Status Preview(Client& client, WaiverOptions& options, Session& session) {
  auto waiver = WaiverOf(options);
  if (!waiver.ok()) return waiver.status();
  v1::PreviewWaiverRequest request;
  *request.mutable_waiver() = *std::move(waiver);
  v1::PreviewWaiverResponse all;
  const auto get = [&](int size, const std::string& token) {
    request.set_page_size(size);
    request.set_page_token(token);
    return client.Call(&Service::PreviewWaiver, Stub(client), request, absl::Minutes(5));
  };
  // Counts come with the first page.
  const auto more = ReadPages(
      options.limit, get,
      [&all](const v1::PreviewWaiverResponse& page) {
        all.MergeFrom(page);
        all.set_next_page_token(page.next_page_token());
      },
      [&all] { return all.findings_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
  } else {
    PrintPreview(all, session);
  }
  return absl::OkStatus();
}

absl::Status List(Client& client, WaiverOptions& options, Session& session) {
  v1::ListWaiversResponse all;
  const auto get = [&](int size, const std::string& token) {
    options.list.set_page_size(size);
    options.list.set_page_token(token);
    return client.Call(&Service::ListWaivers, Stub(client), options.list, absl::Minutes(5));
  };
  const auto more = ReadPages(
      options.limit, get,
      [&all](const v1::ListWaiversResponse& page) {
        all.mutable_waivers()->MergeFrom(page.waivers());
        all.set_next_page_token(page.next_page_token());
      },
      [&all] { return all.waivers_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
  } else {
    PrintWaivers(all, options.list.with_counts(), session);
  }
  return absl::OkStatus();
}

absl::Status Show(Client& client, WaiverOptions& options, Session& session) {
  v1::GetWaiverRequest request;
  request.set_waiver(options.id);
  return Print(client.Call(&Service::GetWaiver, Stub(client), request), session);
}

using Decision = grpc::Status (Service::*)(grpc::ClientContext*, const v1::DecideWaiverRequest&,
                                           v1::Waiver*);

absl::Status Decide(Client& client, Decision method, WaiverOptions& options, Session& session) {
  v1::DecideWaiverRequest request;
  request.set_waiver(options.id);
  request.set_note(options.note);
  return Print(client.Call(method, Stub(client), request, absl::Minutes(5)), session);
}

absl::Status Renew(Client& client, WaiverOptions& options, Session& session) {
  v1::RenewWaiverRequest request;
  request.set_waiver(options.id);
  request.set_note(options.note);
  *request.mutable_expire_time() = options.waiver.expire_time();
  return Print(client.Call(&Service::RenewWaiver, Stub(client), request), session);
}

absl::Status History(Client& client, WaiverOptions& options, Session& session) {
  v1::ListWaiverHistoryRequest request;
  request.set_waiver(options.id);
  v1::ListWaiverHistoryResponse all;
  const auto get = [&](int size, const std::string& token) {
    request.set_page_size(size);
    request.set_page_token(token);
    return client.Call(&Service::ListWaiverHistory, Stub(client), request);
  };
  const auto more = ReadPages(
      0, get, [&all](const auto& page) { all.mutable_changes()->MergeFrom(page.changes()); },
      [&all] { return all.changes_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
  } else {
    PrintWaiverHistory(all, session);
  }
  return absl::OkStatus();
}

Option AddMoment(Command command, const std::string& name,
                 google::protobuf::Timestamp* (v1::Waiver::*field)(),
                 const std::shared_ptr<WaiverOptions>& options, const std::string& help) {
  return command
      .AddOptionCall(
          name,
          [name, field, options](const std::string& text) {
            absl::Time moment;
            if (!ParseMoment(text, support::Clock::Real().Now(), moment)) {
              RefuseOption(
                  name,
                  "expected a time from now such as 30d or 12h, a day such as 2027-01-31, or "
                  "an RFC 3339 time");
            }
            *(options->waiver.*field)() =
                TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(moment));
          },
          help)
      .TypeName("TIME");
}

Option AddText(Command command, const std::string& name,
               const std::shared_ptr<WaiverOptions>& options, std::string* (v1::Waiver::*field)(),
               const std::string& help) {
  return command
      .AddOptionCall(
          name, [field, options](const std::string& text) { *(options->waiver.*field)() = text; },
          help)
      .TypeName("TEXT");
}

// Which findings.
void AddTerms(Command command, const std::shared_ptr<WaiverOptions>& options) {
  command.AddOption("--rule", options->rules, "Rule id or slug, or BASELINE:RULE; may be repeated")
      .Delimiter(',')
      .Required()
      .TypeName("RULE");
  command.AddOption("--baseline", options->baseline, "Baseline of rules that name none")
      .ShowDefault()
      .TypeName("ID");
  AddSelectorOptions(command, options->hosts);
  AddText(command, "--object", options, &v1::Waiver::mutable_object_pattern,
          "Only these objects, e.g. 'backup-*' or /etc/docker/daemon.json [all]")
      .TypeName("GLOB");
}

void AddFilters(Command command, const std::shared_ptr<WaiverOptions>& options) {
  command
      .AddOptionCall(
          "--state",
          [options](const std::vector<std::string>& names) {
            for (const std::string& name : names) {
              v1::Waiver::State state;
              if (!v1::Waiver::State_Parse(absl::AsciiStrToUpper(name), &state) || state == 0) {
                RefuseOption("--state",
                             "expected proposed, approved, rejected, revoked or expired");
              }
              options->list.add_states(state);
            }
          },
          "Only these: proposed, approved, rejected, revoked, expired")
      .Delimiter(',')
      .TypeName("STATE,...");
  command
      .AddOptionCall(
          "--rule", [options](const std::string& rule) { options->list.set_rule(rule); },
          "Only those about this rule")
      .TypeName("RULE");
  command
      .AddOptionCall(
          "--owner", [options](const std::string& owner) { options->list.set_owner(owner); },
          "Only those of this owner")
      .TypeName("NAME");
  command
      .AddOptionCall(
          "--expiring",
          [options](const std::string& text) {
            absl::Time moment;
            if (!ParseMoment(text, support::Clock::Real().Now(), moment)) {
              RefuseOption("--expiring", "expected a time such as 14d or 2027-01-31");
            }
            *options->list.mutable_expire_before() =
                TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(moment));
          },
          "Only those that expire before this, e.g. 14d")
      .TypeName("TIME");
  command.AddFlagCall(
      "--unused", [options] { options->list.set_unused(true); },
      "Only active ones that cover nothing");
  command.AddFlagCall(
      "--lapsed", [options] { options->list.set_lapsed(true); },
      "Only those with objects that are no longer what was approved");
  command.AddFlagCall(
      "--counts", [options] { options->list.set_with_counts(true); }, "Count what each covers");
  AddLimitOption(command, options->limit);
}

using Action = std::function<absl::Status(Client&, WaiverOptions&, Session&)>;

}  // namespace

void AddWaiver(Command app, Session& session) {
  auto options = std::make_shared<WaiverOptions>();
  Command waiver =
      app.AddSubcommand("waiver", "Failures that somebody answers for: propose, approve, list");
  waiver.RequireSubcommand(1, 1);
  const auto add = [&](const std::string& name, const std::string& help, bool named,
                       Action action) -> Command {
    Command command = AddAction(waiver, session, options, name, help, std::move(action));
    if (named) command.AddOption("waiver", options->id, "Id").Required().TypeName("ID");
    return command;
  };
  Command list = add("list", "Waivers, those that expire first at the head", false, List);
  AddFilters(list, options);
  list.Footer(
      "Examples:\n  plimsoll waiver list --state proposed\n"
      "  plimsoll waiver list --state approved --expiring 14d\n"
      "  plimsoll waiver list --unused");
  add("show", "One waiver, with what it covers now", true, Show);
  Command propose =
      add("propose", "Propose a waiver; it covers nothing until it is approved", false, Propose);
  AddTerms(propose, options);
  AddText(propose, "--reason", options, &v1::Waiver::mutable_reason, "Why it is accepted")
      .Required();
  AddText(propose, "--owner", options, &v1::Waiver::mutable_owner, "Who answers for it").Required();
  AddText(propose, "--ticket", options, &v1::Waiver::mutable_ticket, "Where it is tracked");
  AddMoment(propose, "--expires", &v1::Waiver::mutable_expire_time, options,
            "When it ends, e.g. 30d or 2027-01-31")
      .Required();
  AddMoment(propose, "--starts", &v1::Waiver::mutable_start_time, options,
            "When it begins [when it is approved]");
  propose.AddFlagCall(
      "--bind", [options] { options->waiver.set_bound_to_facts(true); },
      "Only while objects are what they are when it is approved (image, capabilities, mounts, "
      "...)");
  propose.Footer(
      "What a waiver covers goes on failing; it is marked and counted apart.\n\n"
      "Example:\n  plimsoll waiver propose --rule 5.04 -l role=backup --object 'backup-*' --bind "
      "\\\n"
      "    --reason 'needs raw devices' --owner storage-team --ticket SEC-123 --expires 90d");
  Command preview = add("preview", "What a waiver would cover now", false, Preview);
  AddTerms(preview, options);
  AddLimitOption(preview, options->limit);
  preview.Footer("Example:\n  plimsoll waiver preview --rule edge-docker:5.4 --all");
  const auto decision = [&](const std::string& name, const std::string& help, Decision method) {
    add(name, help, true,
        [method](Client& client, WaiverOptions& o, Session& s) {
          return Decide(client, method, o, s);
        })
        .AddOption("--note", options->note, "For the history")
        .TypeName("TEXT");
  };
  decision("approve", "Put a proposed waiver into effect", &Service::ApproveWaiver);
  decision("reject", "Turn a proposed waiver down", &Service::RejectWaiver);
  Command renew =
      add("renew", "Give a waiver another end; it is to be approved again", true, Renew);
  AddMoment(renew, "--expires", &v1::Waiver::mutable_expire_time, options,
            "When it ends, e.g. 30d or 2027-01-31")
      .Required();
  renew.AddOption("--note", options->note, "For the history").TypeName("TEXT");
  decision("revoke", "End a waiver before its time, or withdraw it", &Service::RevokeWaiver);
  add("history", "Every change of a waiver, newest first", true, History);
}

}  // namespace plimsoll::cli
