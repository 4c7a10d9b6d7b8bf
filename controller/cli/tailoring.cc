#include <functional>
#include <map>
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/selector_options.h"
#include "controller/cli/what_if.h"
#include "plimsoll/v1/tailoring_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

using Service = v1::TailoringService::Stub;

struct TailoringOptions {
  std::string name;
  v1::Tailoring tailoring;
  SelectorOptions hosts;
  // By rule.
  std::map<std::string, v1::RuleTailoring> rules;
  std::string baseline;
  int limit = 100;
};

std::unique_ptr<Service> Stub(Client& client) {
  return v1::TailoringService::NewStub(client.channel());
}

std::string WhatOf(const v1::RuleTailoring& rule) {
  std::vector<std::string> parts;
  if (!rule.switched_off().empty()) {
    parts.push_back(absl::StrCat("off: ", Printable(rule.switched_off(), 300)));
  }
  if (rule.severity() != v1::SEVERITY_UNSPECIFIED) {
    parts.push_back(absl::StrCat("severity ", SeverityName(rule.severity())));
  }
  const std::map<std::string, std::string> sorted(rule.parameters().begin(),
                                                  rule.parameters().end());
  for (const auto& [name, value] : sorted) {
    parts.push_back(absl::StrCat(Printable(name, 64), " = ", Printable(value, 200)));
  }
  return absl::StrJoin(parts, "; ");
}

absl::Status Print(const absl::StatusOr<v1::Tailoring>& tailoring, Session& session) {
  if (!tailoring.ok()) return tailoring.status();
  if (session.json()) {
    session.PrintJson(*tailoring);
    return absl::OkStatus();
  }
  std::ostream& out = *session.out;
  out << "Tailoring " << Printable(tailoring->name(), 64) << " of "
      << Printable(tailoring->baseline(), 64) << ", priority " << tailoring->priority() << "\n"
      << "  hosts: " << Describe(tailoring->selector()) << "\n";
  if (!tailoring->description().empty()) {
    out << "  " << Printable(tailoring->description(), 1024) << "\n";
  }
  for (const v1::RuleTailoring& rule : tailoring->rules()) {
    out << "  " << Printable(rule.rule(), 64) << "  " << WhatOf(rule) << "\n";
  }
  out << "  set " << FormatInstant(tailoring->update_time()) << " by "
      << Printable(tailoring->updated_by(), 256) << "\n";
  return absl::OkStatus();
}

// What was given, as a tailoring.
absl::StatusOr<v1::Tailoring> TailoringOf(const TailoringOptions& options) {
  auto selector = options.hosts.Take();
  if (!selector.ok()) return selector.status();
  if (options.rules.empty()) {
    return absl::InvalidArgumentError("say what is different: --off, --severity or --param");
  }
  v1::Tailoring tailoring = options.tailoring;
  tailoring.set_name(options.name);
  *tailoring.mutable_selector() = *std::move(selector);
  for (const auto& [rule, what] : options.rules) *tailoring.add_rules() = what;
  return tailoring;
}

absl::Status Set(Client& client, TailoringOptions& options, Session& session) {
  auto tailoring = TailoringOf(options);
  if (!tailoring.ok()) return tailoring.status();
  v1::SetTailoringRequest request;
  *request.mutable_tailoring() = *std::move(tailoring);
  return Print(client.Call(&Service::SetTailoring, Stub(client), request), session);
}

absl::Status Show(Client& client, TailoringOptions& options, Session& session) {
  v1::GetTailoringRequest request;
  request.set_name(options.name);
  return Print(client.Call(&Service::GetTailoring, Stub(client), request), session);
}

absl::Status List(Client& client, TailoringOptions& options, Session& session) {
  v1::ListTailoringsRequest request;
  request.set_baseline(options.baseline);
  auto all = client.Call(&Service::ListTailorings, Stub(client), request);
  if (!all.ok()) return all.status();
  if (session.json()) {
    session.PrintJson(*all);
    return absl::OkStatus();
  }
  if (all->tailorings().empty()) {
    *session.out << "No tailorings; `plimsoll tailoring set --help` has examples.\n";
    return absl::OkStatus();
  }
  Table table({"NAME", "BASELINE", "PRIORITY", "HOSTS", "RULES", "SET", "BY"});
  for (const v1::Tailoring& tailoring : all->tailorings()) {
    table.Row({Printable(tailoring.name(), 64), Printable(tailoring.baseline(), 64),
               absl::StrCat(tailoring.priority()), Describe(tailoring.selector()),
               absl::StrCat(tailoring.rules_size()), FormatInstant(tailoring.update_time()),
               Printable(tailoring.updated_by(), 64)});
  }
  table.Print(session.terminal, *session.out);
  return absl::OkStatus();
}

absl::Status WhatIf(Client& client, TailoringOptions& options, Session& session) {
  auto tailoring = TailoringOf(options);
  if (!tailoring.ok()) return tailoring.status();
  v1::StartWhatIfRequest request;
  *request.mutable_tailoring() = *std::move(tailoring);
  return RunWhatIf(client, request, options.limit, session);
}

absl::Status Delete(Client& client, TailoringOptions& options, Session& session) {
  v1::DeleteTailoringRequest request;
  request.set_name(options.name);
  auto gone = client.Call(&Service::DeleteTailoring, Stub(client), request);
  if (!gone.ok()) return gone.status();
  if (session.json()) {
    session.PrintJson(*gone);
  } else {
    *session.out << "Deleted " << Printable(gone->name(), 64)
                 << "; its hosts are judged again without it\n";
  }
  return absl::OkStatus();
}

// An option of the form KEY=VALUE, repeatable, for `take(key, value)`.
template <class Take>
void AddPairs(Command command, const std::string& name, const std::string& form,
              const std::string& help, Take take) {
  command
      .AddOptionCall(
          name,
          [name, form, take](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
              if (parts.size() != 2 || parts[0].empty() || !take(parts[0], parts[1])) {
                RefuseOption(name, absl::StrCat("\"", text, "\": expected ", form));
              }
            }
          },
          help)
      .TypeName(form);
}

void AddSettings(Command set, const std::shared_ptr<TailoringOptions>& options) {
  const auto rule_of = [options](const std::string& rule) -> v1::RuleTailoring& {
    v1::RuleTailoring& tailoring = options->rules[rule];
    tailoring.set_rule(rule);
    return tailoring;
  };
  set.AddOptionCall(
         "--baseline", [options](const std::string& id) { options->tailoring.set_baseline(id); },
         "Baseline that is tailored")
      .Required()
      .TypeName("ID");
  AddSelectorOptions(set, options->hosts);
  set.AddOptionCall(
         "--priority", [options](int priority) { options->tailoring.set_priority(priority); },
         "Of several about a host and a rule, the highest holds [0]")
      .Between(-1000, 1000)
      .TypeName("NUMBER");
  AddPairs(set, "--off", "RULE=REASON", "Do not judge this rule; may be repeated",
           [rule_of](const std::string& rule, const std::string& reason) {
             rule_of(rule).set_switched_off(reason);
             return !reason.empty();
           });
  AddPairs(set, "--severity", "RULE=SEVERITY", "Another severity for this rule; may be repeated",
           [rule_of](const std::string& rule, const std::string& name) {
             v1::Severity severity;
             if (!ParseSeverity(name, severity)) return false;
             rule_of(rule).set_severity(severity);
             return true;
           });
  AddPairs(set, "--param", "RULE:NAME=VALUE",
           "Another value (YAML, one line) for a parameter of the rule's check; may be repeated",
           [rule_of](const std::string& place, const std::string& value) {
             const std::vector<std::string> parts = absl::StrSplit(place, absl::MaxSplits(':', 1));
             if (parts.size() != 2) return false;
             (*rule_of(parts[0]).mutable_parameters())[parts[1]] = value;
             return true;
           });
  set.AddOptionCall(
         "--description",
         [options](const std::string& text) { options->tailoring.set_description(text); },
         "For the list")
      .TypeName("TEXT");
  set.Footer(
      "Replaces the tailoring of that name. Shipped baselines stay as they are; verdicts name the "
      "digest of the\ntailored copy.\n\nExample:\n  plimsoll tailoring set build-machines "
      "--baseline azure-docker -l role=build \\\n    --off '5.04=builds in privileged containers' "
      "--severity 5.10=low");
}

using Action = std::function<absl::Status(Client&, TailoringOptions&, Session&)>;

}  // namespace

void AddTailoring(Command app, Session& session) {
  auto options = std::make_shared<TailoringOptions>();
  Command tailoring = app.AddSubcommand(
      "tailoring", "Rules switched off, other parameters and severities, for parts of the fleet");
  tailoring.RequireSubcommand(1, 1);
  const auto add = [&](const std::string& name, const std::string& help, bool named,
                       Action action) -> Command {
    Command command = AddAction(tailoring, session, options, name, help, std::move(action));
    if (named) command.AddOption("name", options->name, "Name").Required().TypeName("NAME");
    return command;
  };
  add("list", "All tailorings, in the order they are laid on", false, List)
      .AddOption("--baseline", options->baseline, "Only those of this baseline")
      .TypeName("ID");
  add("show", "One tailoring", true, Show);
  AddSettings(add("set", "Make or replace a tailoring", true, Set), options);
  Command what_if = add("what-if", "What a tailoring would change, before it is set", true, WhatIf);
  AddSettings(what_if, options);
  AddLimitOption(what_if, options->limit);
  add("delete", "End a tailoring", true, Delete);
}

}  // namespace plimsoll::cli
