#include <memory>

#include "controller/cli/baseline_view.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct RulesOptions {
  std::string baseline = "azure-docker";
  std::string rule;
};

absl::Status ShowRules(Client& client, const RulesOptions& options, Session& session) {
  v1::GetBaselineRequest request;
  request.set_id(options.baseline);
  auto baseline = client.Call(&v1::BaselineService::Stub::GetBaseline,
                              v1::BaselineService::NewStub(client.channel()), request);
  if (!baseline.ok()) return baseline.status();
  if (session.json()) {
    session.PrintJson(*baseline);
  } else {
    PrintRules(*baseline, session.terminal, *session.out);
  }
  return absl::OkStatus();
}

absl::Status ShowRule(Client& client, const RulesOptions& options, Session& session) {
  v1::GetRuleRequest request;
  request.set_baseline(options.baseline);
  request.set_rule(options.rule);
  auto rule = client.Call(&v1::BaselineService::Stub::GetRule,
                          v1::BaselineService::NewStub(client.channel()), request);
  if (!rule.ok()) return rule.status();
  if (session.json()) {
    session.PrintJson(*rule);
  } else {
    PrintRule(*rule, session.terminal, *session.out);
  }
  return absl::OkStatus();
}

}  // namespace

void AddRules(Command app, Session& session) {
  auto options = std::make_shared<RulesOptions>();
  Command rules =
      app.AddSubcommand("rules", "List the rules of a baseline that the controller judges by");
  AddOutputOption(rules, session);
  rules.AddOption("--baseline", options->baseline, "Baseline id").ShowDefault().TypeName("ID");
  rules.OnRun([options, &session] {
    WithClient(session, [&](Client& client) { return ShowRules(client, *options, session); });
  });
  Command rule = app.AddSubcommand("rule", "Explain one rule: why, what to do, and its parameters");
  AddOutputOption(rule, session);
  rule.AddOption("rule", options->rule, "Rule id or slug, e.g. 5.04").Required().TypeName("RULE");
  rule.AddOption("--baseline", options->baseline, "Baseline id").ShowDefault().TypeName("ID");
  rule.Footer("Example:\n  plimsoll rule container-not-privileged");
  rule.OnRun([options, &session] {
    WithClient(session, [&](Client& client) { return ShowRule(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
