#include <functional>
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "plimsoll/v1/selector_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

using Service = v1::SelectorService::Stub;

struct SavedOptions {
  std::string name;
  std::string expression;
  std::string description;
};

std::unique_ptr<Service> Stub(Client& client) {
  return v1::SelectorService::NewStub(client.channel());
}

absl::Status Print(const absl::StatusOr<v1::SavedSelector>& selector, Session& session) {
  if (!selector.ok()) return selector.status();
  if (session.json()) {
    session.PrintJson(*selector);
    return absl::OkStatus();
  }
  std::ostream& out = *session.out;
  out << "Selector @" << Printable(selector->name(), 64) << ": "
      << Printable(selector->expression()) << "\n  " << selector->host_count() << " hosts\n";
  if (!selector->description().empty()) {
    out << "  " << Printable(selector->description(), 512) << "\n";
  }
  if (!selector->managed_by().empty()) {
    out << "  from files of set " << Printable(selector->managed_by(), 64) << "\n";
  }
  for (const std::string& use : selector->used_by()) {
    out << "  used by " << Printable(use, 128) << "\n";
  }
  out << "  saved " << FormatInstant(selector->update_time()) << " by "
      << Printable(selector->updated_by(), 256) << "\n";
  return absl::OkStatus();
}

absl::Status Save(Client& client, const SavedOptions& options, Session& session) {
  v1::SaveSelectorRequest request;
  request.mutable_selector()->set_name(options.name);
  request.mutable_selector()->set_expression(options.expression);
  request.mutable_selector()->set_description(options.description);
  return Print(client.Call(&Service::SaveSelector, Stub(client), request), session);
}

absl::Status Show(Client& client, const SavedOptions& options, Session& session) {
  v1::GetSelectorRequest request;
  request.set_name(options.name);
  return Print(client.Call(&Service::GetSelector, Stub(client), request), session);
}

absl::Status List(Client& client, const SavedOptions&, Session& session) {
  auto all = client.Call(&Service::ListSelectors, Stub(client), v1::ListSelectorsRequest());
  if (!all.ok()) return all.status();
  if (session.json()) {
    session.PrintJson(*all);
    return absl::OkStatus();
  }
  if (all->selectors().empty()) {
    *session.out << "No saved selectors; `plimsoll selector save --help` has examples.\n";
    return absl::OkStatus();
  }
  Table table({"NAME", "HOSTS", "SELECTOR", "SAVED", "BY"});
  for (const v1::SavedSelector& selector : all->selectors()) {
    table.Row({absl::StrCat("@", Printable(selector.name(), 64)),
               absl::StrCat(selector.host_count()), Printable(selector.expression(), 100),
               FormatInstant(selector.update_time()), Printable(selector.updated_by(), 64)});
  }
  table.Print(session.terminal, *session.out);
  return absl::OkStatus();
}

absl::Status Delete(Client& client, const SavedOptions& options, Session& session) {
  v1::DeleteSelectorRequest request;
  request.set_name(options.name);
  auto gone = client.Call(&Service::DeleteSelector, Stub(client), request);
  if (!gone.ok()) return gone.status();
  if (session.json()) {
    session.PrintJson(*gone);
  } else {
    *session.out << "Deleted " << Printable(gone->name(), 64) << "\n";
  }
  return absl::OkStatus();
}

using Action = std::function<absl::Status(Client&, const SavedOptions&, Session&)>;

}  // namespace

void AddSelector(Command app, Session& session) {
  auto options = std::make_shared<SavedOptions>();
  Command selector =
      app.AddSubcommand("selector", "Label selectors that have a name: @NAME stands for them");
  selector.RequireSubcommand(1, 1);
  const auto add = [&](const std::string& name, const std::string& help, bool named,
                       Action action) -> Command {
    Command command = AddAction(selector, session, options, name, help, std::move(action));
    if (named) command.AddOption("name", options->name, "Name").Required().TypeName("NAME");
    return command;
  };
  add("list", "All saved selectors, and how many hosts each means", false, List);
  add("show", "One saved selector, and what uses it", true, Show);
  Command save = add("save", "Make or replace a saved selector", true, Save);
  save.AddOption("selector", options->expression, "What it requires, e.g. 'env=prod,!canary'")
      .Required()
      .TypeName("SELECTOR");
  save.AddOption("--description", options->description, "For the list").TypeName("TEXT");
  save.Footer(
      "Waivers, tailorings, schedules and notification channels that name it follow when it "
      "changes.\n\nExample:\n  plimsoll selector save live 'env=prod,!canary'\n  plimsoll summary "
      "-l '@live,tier=web'");
  add("delete", "End a saved selector that nothing uses", true, Delete);
}

}  // namespace plimsoll::cli
