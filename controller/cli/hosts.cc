#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/report_view.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/enrollment_service.grpc.pb.h"
#include "plimsoll/v1/host_service.grpc.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::cli {
namespace {

struct HostsOptions {
  v1::ListHostsRequest request;
  HostFilter filter;
  bool stale = false;
  int limit = 0;
  std::string baseline = "azure-docker";
  std::string revoke;
  std::string remove;
  std::string release;
  std::string reason;
};

// "never-seen" as the option takes it.
std::string StateName(v1::Host::Connection connection) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(v1::Host::Connection_Name(connection)),
                             {{"_", "-"}});
}

v1::Host::Connection StateOf(const std::string& name) {
  for (int i = v1::Host::CONNECTED; i <= v1::Host::Connection_MAX; ++i) {
    const auto connection = static_cast<v1::Host::Connection>(i);
    if (StateName(connection) == name) return connection;
  }
  RefuseOption("--state",
               absl::StrCat("\"", name,
                            "\": expected connected, disconnected, never-seen, revoked or "
                            "quarantined"));
}

std::string State(const v1::Host& host, const Terminal& terminal) {
  const bool good = host.connection() == v1::Host::CONNECTED && !host.stale();
  return terminal.Paint(absl::StrCat(StateName(host.connection()), host.stale() ? ",stale" : ""),
                        good ? Style::kGreen : Style::kYellow);
}

void PrintHosts(const v1::ListHostsResponse& all, const HostsOptions& options, Session& session) {
  if (all.hosts().empty()) {
    if (options.filter.selector.empty() && options.filter.labels.empty() && !options.stale &&
        options.request.connections().empty() && options.request.name_contains().empty()) {
      *session.out << "No hosts. Enrol one: `plimsoll token create`, then plimsoll-collector on "
                      "that host.\n";
    } else {
      *session.out << "No hosts match.\n";
    }
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
               State(host, session.terminal), FormatAge(host.last_seen_time(), now),
               count(counts.pass(), Style::kGreen), count(counts.fail(), Style::kRed),
               count(counts.unknown(), Style::kYellow), Printable(host.engine_version(), 32),
               FormatLabels(host.labels())});
  }
  table.Print(session.terminal, *session.out);
  for (const v1::Host& host : all.hosts()) {
    if (host.quarantine_reason().empty()) continue;
    *session.out << Printable(host.hostname(), 64) << " (" << Printable(host.id(), 64)
                 << ") is quarantined since " << FormatInstant(host.quarantine_time()) << ": "
                 << Printable(host.quarantine_reason(), 300) << "\n";
  }
  SayMore(!all.next_page_token().empty(), session);
}

absl::Status ListHosts(Client& client, HostsOptions& options, Session& session) {
  options.filter.ApplyTo(options.request);
  if (options.stale) options.request.set_stale(true);
  v1::ListHostsResponse all;
  const auto get = [&](int size, const std::string& token) {
    options.request.set_page_size(size);
    options.request.set_page_token(token);
    return client.Call(&v1::HostService::Stub::ListHosts,
                       v1::HostService::NewStub(client.channel()), options.request);
  };
  const auto more = ReadPages(
      options.limit, get,
      [&all](const auto& page) {
        all.mutable_hosts()->MergeFrom(page.hosts());
        all.set_next_page_token(page.next_page_token());
      },
      [&all] { return all.hosts_size(); });
  if (!more.ok()) return more.status();
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

absl::Status Remove(Client& client, const HostsOptions& options, Session& session) {
  v1::RemoveHostRequest request;
  request.set_host(options.remove);
  request.set_reason(options.reason);
  auto answer = client.Call(&v1::HostService::Stub::RemoveHost,
                            v1::HostService::NewStub(client.channel()), request);
  if (!answer.ok()) return answer.status();
  if (session.json()) {
    session.PrintJson(*answer);
  } else {
    *session.out << "Removed " << Printable(answer->host_id())
                 << "; its history stays: `plimsoll history " << Printable(answer->host_id())
                 << "`\n";
  }
  return absl::OkStatus();
}

absl::Status Release(Client& client, const HostsOptions& options, Session& session) {
  v1::ReleaseHostRequest request;
  request.set_host(options.release);
  auto host = client.Call(&v1::HostService::Stub::ReleaseHost,
                          v1::HostService::NewStub(client.channel()), request);
  if (!host.ok()) return host.status();
  if (session.json()) {
    session.PrintJson(*host);
  } else {
    *session.out << "Released " << Printable(host->id())
                 << "; the next machine that connects with its identity has it\n";
  }
  return absl::OkStatus();
}

struct HostOptions {
  std::string host;
  std::string baseline = "azure-docker";
  ReportViewOptions view;
};

// "env=prod, team=shop (central)".
std::string MarkedLabels(const v1::Host& host) {
  std::vector<std::string> parts;
  const std::map<std::string, std::string> sorted(host.labels().begin(), host.labels().end());
  for (const auto& [key, value] : sorted) {
    parts.push_back(absl::StrCat(Printable(key, 64), "=", Printable(value, 255),
                                 host.central_labels().contains(key) ? " (central)" : ""));
  }
  return absl::StrJoin(parts, ", ");
}

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
  v1::GetHostRequest named;
  named.set_host(options.host);
  auto host = client.Call(&v1::HostService::Stub::GetHost,
                          v1::HostService::NewStub(client.channel()), named);
  if (!host.ok()) return host.status();
  PrintReport(*report, *baseline, options.view, session.terminal, *session.out);
  if (!host->labels().empty()) *session.out << "labels " << MarkedLabels(*host) << "\n";
  *session.out << "observed " << FormatInstant(report->observed_time()) << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddHosts(Command app, Session& session) {
  auto options = std::make_shared<HostsOptions>();
  Command command = app.AddSubcommand("hosts", "List the hosts of the fleet");
  AddOutputOption(command, session);
  AddHostFilter(command, options->filter);
  command
      .AddOptionCall(
          "--state",
          [options](const std::vector<std::string>& names) {
            for (const std::string& name : names) options->request.add_connections(StateOf(name));
          },
          "Only hosts in these states: connected, disconnected, never-seen, revoked, quarantined")
      .Delimiter(',')
      .TypeName("STATE,...");
  command.AddFlag("--stale", options->stale, "Only hosts not heard of for too long");
  command
      .AddOptionCall(
          "--name",
          [options](const std::string& text) { options->request.set_name_contains(text); },
          "Only hosts whose name contains this")
      .TypeName("TEXT");
  command.AddOption("--baseline", options->baseline, "Baseline whose counts are shown")
      .ShowDefault()
      .TypeName("ID");
  AddLimitOption(command, options->limit);
  command.AddOption("--revoke", options->revoke, "Refuse this host from now on")
      .Check(NotEmpty)
      .TypeName("HOST");
  command.AddOption("--remove", options->remove, "Take this host out of the fleet")
      .Check(NotEmpty)
      .TypeName("HOST");
  command.AddOption("--release", options->release, "End this host's quarantine")
      .Check(NotEmpty)
      .TypeName("HOST");
  command.AddOption("--reason", options->reason, "Why, with --revoke or --remove").TypeName("TEXT");
  command.Footer(
      "Examples:\n  plimsoll hosts -l 'env=prod,!canary'\n  plimsoll hosts --stale --state "
      "disconnected\n  plimsoll hosts --revoke web-3 --reason stolen\n  plimsoll hosts --remove "
      "web-4 --reason scrapped");
  command.OnRun([options, &session] {
    if (!options->revoke.empty() + !options->remove.empty() + !options->release.empty() > 1) {
      session.Fail(
          absl::InvalidArgumentError("--revoke, --remove and --release: one of them at a time"));
      return;
    }
    WithClient(session, [&](Client& client) {
      if (!options->revoke.empty()) return Revoke(client, *options, session);
      if (!options->remove.empty()) return Remove(client, *options, session);
      if (!options->release.empty()) return Release(client, *options, session);
      return ListHosts(client, *options, session);
    });
  });
}

void AddHost(Command app, Session& session) {
  auto options = std::make_shared<HostOptions>();
  Command command =
      app.AddSubcommand("host", "Show one host's report: every rule, with its findings");
  AddOutputOption(command, session);
  command.AddOption("host", options->host, "Host name or id").Required().TypeName("HOST");
  command.AddOption("--baseline", options->baseline, "Baseline id").ShowDefault().TypeName("ID");
  AddReportOptions(command, options->view);
  command.Footer(
      "Examples:\n  plimsoll host web-1 --status fail --remediation\n  plimsoll host web-1 -o "
      "json");
  command.OnRun([options, &session] {
    WithClient(session, [&](Client& client) { return ShowHost(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
