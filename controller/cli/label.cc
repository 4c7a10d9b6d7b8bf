#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/host_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

using Service = v1::HostService::Stub;

struct LabelOptions {
  // A host, unless others are selected, and what becomes of it.
  std::vector<std::string> words;
  v1::HostSelector selector;
  v1::ListHostsRequest list;
  HostFilter filter;
  int limit = 0;
};

std::unique_ptr<Service> Stub(Client& client) { return v1::HostService::NewStub(client.channel()); }

// Which hosts, and the words behind them.
absl::StatusOr<v1::SetHostLabelsRequest> RequestOf(const LabelOptions& options,
                                                   std::vector<std::string>& words) {
  v1::SetHostLabelsRequest request;
  words = options.words;
  *request.mutable_selector() = options.selector;
  if (!options.selector.all() && options.selector.expression().empty()) {
    request.mutable_selector()->add_hosts(words.front());
    words.erase(words.begin());
  }
  if (words.empty()) {
    return absl::InvalidArgumentError(
        "say which hosts (HOST, -l SELECTOR or --all), and which labels");
  }
  return request;
}

absl::Status Change(Client& client, const v1::SetHostLabelsRequest& request, Session& session) {
  auto answer = client.Call(&Service::SetHostLabels, Stub(client), request);
  if (!answer.ok()) return answer.status();
  if (session.json()) {
    session.PrintJson(*answer);
    return absl::OkStatus();
  }
  *session.out << "Labels of " << answer->changed_host_count() << " of "
               << answer->selected_host_count() << " hosts changed\n";
  return absl::OkStatus();
}

absl::Status Set(Client& client, LabelOptions& options, Session& session) {
  std::vector<std::string> words;
  auto request = RequestOf(options, words);
  if (!request.ok()) return request.status();
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat("\"", word, "\": expected KEY=VALUE"));
    }
    (*request->mutable_set())[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return Change(client, *request, session);
}

absl::Status Remove(Client& client, LabelOptions& options, Session& session) {
  std::vector<std::string> words;
  auto request = RequestOf(options, words);
  if (!request.ok()) return request.status();
  request->mutable_remove()->Assign(words.begin(), words.end());
  return Change(client, *request, session);
}

// Adds what one host carries.
void AddRows(const v1::Host& host, Table& table) {
  const std::map<std::string, std::string> sorted(host.labels().begin(), host.labels().end());
  for (const auto& [key, value] : sorted) {
    const auto manager = host.label_managers().find(key);
    std::string from = host.central_labels().contains(key) ? "central" : "host";
    if (manager != host.label_managers().end()) {
      absl::StrAppend(&from, ", set ", Printable(manager->second, 64));
    }
    table.Row({Printable(host.hostname(), 64), Printable(key, 64), Printable(value, 255), from});
  }
}

absl::Status List(Client& client, LabelOptions& options, Session& session) {
  v1::ListHostsResponse all;
  bool cut = false;
  if (!options.words.empty()) {
    v1::GetHostRequest request;
    request.set_host(options.words.front());
    auto host = client.Call(&Service::GetHost, Stub(client), request);
    if (!host.ok()) return host.status();
    *all.add_hosts() = *std::move(host);
  } else {
    options.filter.ApplyTo(options.list);
    const auto more = ReadPages(
        options.limit,
        [&](int size, const std::string& token) {
          options.list.set_page_size(size);
          options.list.set_page_token(token);
          return client.Call(&Service::ListHosts, Stub(client), options.list);
        },
        [&all](const auto& page) { all.mutable_hosts()->MergeFrom(page.hosts()); },
        [&all] { return all.hosts_size(); });
    if (!more.ok()) return more.status();
    cut = *more;
  }
  if (session.json()) {
    session.PrintJson(all);
    return absl::OkStatus();
  }
  Table table({"HOST", "KEY", "VALUE", "FROM"});
  for (const v1::Host& host : all.hosts()) AddRows(host, table);
  if (table.empty()) {
    *session.out << "No labels; `plimsoll label set --help` has examples.\n";
  } else {
    table.Print(session.terminal, *session.out);
  }
  SayMore(cut, session);
  return absl::OkStatus();
}

void AddSelection(Command command, LabelOptions& options) {
  command
      .AddOptionCall(
          "-l,--selector",
          [&options](const std::string& text) { options.selector.set_expression(text); },
          "These hosts, as they are now, in place of HOST")
      .TypeName("SELECTOR");
  command.AddFlagCall(
      "--all", [&options] { options.selector.set_all(true); }, "Every host, in place of HOST");
}

using Action = std::function<absl::Status(Client&, LabelOptions&, Session&)>;

}  // namespace

void AddLabel(Command app, Session& session) {
  auto options = std::make_shared<LabelOptions>();
  Command label = app.AddSubcommand("label", "Labels that are given to hosts centrally");
  label.RequireSubcommand(1, 1);
  const auto add = [&](const std::string& name, const std::string& help, Action action) -> Command {
    return AddAction(label, session, options, name, help, std::move(action));
  };
  Command set = add("set", "Give hosts labels, which lie over the collector's own", Set);
  set.AddOption("labels", options->words, "Host name or id, and labels KEY=VALUE")
      .Required()
      .TypeName("[HOST] KEY=VALUE");
  AddSelection(set, *options);
  set.Footer(
      "What selects by labels sees them at once: waivers, tailoring, schedules, notifications, "
      "scopes.\n\nExamples:\n  plimsoll label set web-1 tier=web owner=shop\n  plimsoll label set "
      "-l 'env=prod,!canary' owner=shop");
  Command remove = add("remove", "Take central labels away; the collector's own stay", Remove);
  remove.AddOption("keys", options->words, "Host name or id, and keys")
      .Required()
      .TypeName("[HOST] KEY");
  AddSelection(remove, *options);
  Command list = add("list", "Labels of hosts, and where each comes from", List);
  list.AddOption("host", options->words, "Host name or id; none: all hosts")
      .Expected(0, 1)
      .TypeName("HOST");
  AddHostFilter(list, options->filter);
  AddLimitOption(list, options->limit);
}

}  // namespace plimsoll::cli
