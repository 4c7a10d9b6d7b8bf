#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/report_view.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/enrollment_service.grpc.pb.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::cli {
namespace {

struct HostsOptions {
  v1::ListHostsRequest request;
  std::map<std::string, std::string> labels;
  int limit = 0;
  std::string baseline = "azure-docker";
  std::string revoke;
  std::string reason;
};

std::string Connection(const v1::Host& host, const Terminal& terminal) {
  const std::string name = absl::AsciiStrToLower(v1::Host::Connection_Name(host.connection()));
  return terminal.Paint(name,
                        host.connection() == v1::Host::CONNECTED ? Style::kGreen : Style::kYellow);
}

std::string Labels(const v1::Host& host) {
  const std::map<std::string, std::string> sorted(host.labels().begin(), host.labels().end());
  return Printable(absl::StrJoin(sorted, ",", absl::PairFormatter("=")), 200);
}

void PrintHosts(const v1::ListHostsResponse& all, const HostsOptions& options, Session& session) {
  if (all.hosts().empty()) {
    *session.out
        << "No hosts. Enrol one: `plimsoll token create`, then plimsoll-collector on that host.\n";
    return;
  }
  Table table({"HOST", "ID", "STATE", "LAST SEEN", "PASS", "FAIL", "UNKNOWN", "ENGINE", "LABELS"});
  const absl::Time now = support::Clock::Real().Now();
  for (const v1::Host& host : all.hosts()) {
    const auto it = host.counts().find(options.baseline);
    const bool judged = it != host.counts().end();
    const auto count = [&](int32_t value, Style style) {
      return judged ? session.terminal.Paint(absl::StrCat(value), value > 0 ? style : Style::kDim)
                    : std::string("-");
    };
    const v1::StatusCounts counts = judged ? it->second : v1::StatusCounts();
    table.Row({Printable(host.hostname(), 64), Printable(host.id(), 64),
               Connection(host, session.terminal), FormatAge(host.last_seen_time(), now),
               count(counts.pass(), Style::kGreen), count(counts.fail(), Style::kRed),
               count(counts.unknown(), Style::kYellow), Printable(host.engine_version(), 32),
               Labels(host)});
  }
  table.Print(session.terminal, *session.out);
  if (!all.next_page_token().empty()) *session.out << "… more; --limit 0 lists all\n";
}

absl::Status ListHosts(Client& client, HostsOptions& options, Session& session) {
  options.request.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  v1::ListHostsResponse all;
  while (true) {
    const int left = options.limit - all.hosts_size();
    options.request.set_page_size(options.limit == 0 ? 1000 : std::min(1000, left));
    auto page = client.Call(&v1::HostService::Stub::ListHosts,
                            v1::HostService::NewStub(client.channel()), options.request);
    if (!page.ok()) return page.status();
    all.mutable_hosts()->MergeFrom(page->hosts());
    all.set_next_page_token(page->next_page_token());
    const bool enough = options.limit != 0 && all.hosts_size() >= options.limit;
    if (page->next_page_token().empty() || enough) break;
    options.request.set_page_token(page->next_page_token());
  }
  if (session.json()) {
    session.PrintJson(all);
  } else {
    PrintHosts(all, options, session);
  }
  return absl::OkStatus();
}

absl::Status Revoke(Client& client, const HostsOptions& options, Session& session) {
  v1::RevokeHostRequest request;
  request.set_host(options.revoke);
  request.set_reason(options.reason);
  auto answer = client.Call(&v1::EnrollmentService::Stub::RevokeHost,
                            v1::EnrollmentService::NewStub(client.channel()), request);
  if (!answer.ok()) return answer.status();
  if (session.json()) {
    session.PrintJson(*answer);
  } else {
    *session.out << "Revoked " << Printable(answer->host_id())
                 << "; its certificates are refused from now on\n";
  }
  return absl::OkStatus();
}

struct HostOptions {
  std::string host;
  std::string baseline = "azure-docker";
  ReportViewOptions view;
};

absl::Status ShowHost(Client& client, const HostOptions& options, Session& session) {
  v1::GetHostReportRequest request;
  request.set_host(options.host);
  request.set_baseline(options.baseline);
  auto report = client.Call(&v1::HostService::Stub::GetHostReport,
                            v1::HostService::NewStub(client.channel()), request);
  if (!report.ok()) return report.status();
  if (session.json()) {
    session.PrintJson(*report);
    return absl::OkStatus();
  }
  v1::GetBaselineRequest wanted;
  wanted.set_id(options.baseline);
  auto baseline = client.Call(&v1::BaselineService::Stub::GetBaseline,
                              v1::BaselineService::NewStub(client.channel()), wanted);
  if (!baseline.ok()) return baseline.status();
  PrintReport(*report, *baseline, options.view, session.terminal, *session.out);
  *session.out << "observed " << FormatInstant(report->observed_time()) << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddHosts(CLI::App& app, Session& session) {
  auto options = std::make_shared<HostsOptions>();
  CLI::App* command = app.add_subcommand("hosts", "List the hosts of the fleet");
  AddOutputOption(*command, session);
  AddLabelOption(*command, options->labels, "Only hosts with this label; may be repeated");
  command
      ->add_option_function<std::string>(
          "--name",
          [options](const std::string& text) { options->request.set_name_contains(text); },
          "Only hosts whose name contains this")
      ->type_name("TEXT");
  command->add_option("--baseline", options->baseline, "Baseline whose counts are shown")
      ->capture_default_str()
      ->type_name("ID");
  command->add_option("--limit", options->limit, "At most this many; 0 for all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("COUNT");
  command->add_option("--revoke", options->revoke, "Refuse this host from now on")
      ->type_name("HOST");
  command->add_option("--reason", options->reason, "Why, with --revoke")->type_name("TEXT");
  command->footer(
      "Examples:\n  plimsoll hosts --label env=prod\n  plimsoll hosts --revoke web-3 --reason "
      "stolen");
  command->final_callback([options, &session] {
    WithClient(session, [&](Client& client) {
      return options->revoke.empty() ? ListHosts(client, *options, session)
                                     : Revoke(client, *options, session);
    });
  });
}

void AddHost(CLI::App& app, Session& session) {
  auto options = std::make_shared<HostOptions>();
  CLI::App* command =
      app.add_subcommand("host", "Show one host's report: every rule, with its findings");
  AddOutputOption(*command, session);
  command->add_option("host", options->host, "Host name or id")->required()->type_name("HOST");
  command->add_option("--baseline", options->baseline, "Baseline id")
      ->capture_default_str()
      ->type_name("ID");
  AddReportOptions(*command, options->view);
  command->footer(
      "Examples:\n  plimsoll host web-1 --status fail --remediation\n  plimsoll host web-1 -o "
      "json");
  command->final_callback([options, &session] {
    WithClient(session, [&](Client& client) { return ShowHost(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
