#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

constexpr int kShownRules = 4;

struct ConfigurationsOptions {
  std::string baseline = "azure-docker";
  std::string rule;
  HostFilter filter;
  int limit = 20;
};

std::string Rules(const v1::FailingConfiguration& line) {
  const auto begin = line.rule_ids().begin();
  const int shown = std::min(kShownRules, line.rule_ids_size());
  std::string text = absl::StrJoin(begin, begin + shown, ",");
  if (shown < line.rule_ids_size()) absl::StrAppend(&text, ",+", line.rule_ids_size() - shown);
  return Printable(text, 64);
}

void PrintConfigurations(const v1::ListFailingConfigurationsResponse& all, Session& session) {
  if (all.configurations().empty()) {
    *session.out << "No container fails.\n";
    return;
  }
  *session.out << all.container_count() << " failing containers are " << all.configuration_count()
               << (all.configuration_count() == 1 ? " configuration\n\n" : " configurations\n\n");
  Table table({"COUNT", "HOSTS", "RULES", "IMAGE", "EXAMPLE"});
  for (const v1::FailingConfiguration& line : all.configurations()) {
    table.Row({absl::StrCat(line.container_count()), absl::StrCat(line.host_count()), Rules(line),
               Printable(line.image(), 60),
               absl::StrCat(Printable(line.example_container(), 40), " on ",
                            Printable(line.example_host_id(), 40))});
  }
  table.Print(session.terminal, *session.out);
  SayMore(!all.next_page_token().empty(), session);
}

absl::Status ShowConfigurations(Client& client, const ConfigurationsOptions& options,
                                Session& session) {
  v1::ListFailingConfigurationsRequest request;
  request.set_baseline(options.baseline);
  request.set_rule(options.rule);
  options.filter.ApplyTo(request);
  v1::ListFailingConfigurationsResponse all;
  const auto get = [&](int size, const std::string& token) {
    request.set_page_size(size);
    request.set_page_token(token);
    return client.Call(&v1::SummaryService::Stub::ListFailingConfigurations,
                       v1::SummaryService::NewStub(client.channel()), request);
  };
  const auto more = ReadPages(
      options.limit, get,
      [&all](const auto& page) {
        // Totals and token are the newest page's, rows those of all.
        auto rows = std::move(*all.mutable_configurations());
        rows.MergeFrom(page.configurations());
        all = page;
        *all.mutable_configurations() = std::move(rows);
      },
      [&all] { return all.configurations_size(); });
  if (!more.ok()) return more.status();
  if (session.json()) {
    session.PrintJson(all);
  } else {
    PrintConfigurations(all, session);
  }
  return absl::OkStatus();
}

}  // namespace

void AddConfigurations(Command app, Session& session) {
  auto options = std::make_shared<ConfigurationsOptions>();
  Command command = app.AddSubcommand(
      "configurations", "List the configurations that failing containers have in common");
  AddOutputOption(command, session);
  command.AddOption("--baseline", options->baseline, "Baseline id").ShowDefault().TypeName("ID");
  command.AddOption("--rule", options->rule, "Only containers that fail this rule, id or slug")
      .TypeName("RULE");
  AddHostFilter(command, options->filter);
  AddLimitOption(command, options->limit);
  command.Footer(
      "Containers of one configuration differ in name, id, times and process only: one fix serves "
      "all of them.\n\nExamples:\n  plimsoll configurations\n  plimsoll configurations --rule 5.04 "
      "-l env=prod");
  command.OnRun([options, &session] {
    WithClient(session,
               [&](Client& client) { return ShowConfigurations(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
