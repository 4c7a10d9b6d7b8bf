#include <memory>
#include <ostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "controller/cli/report_view.h"
#include "controller/cli/scan_follow.h"
#include "controller/cli/scan_view.h"
#include "controller/cli/selector_options.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

// As a shell reports a program that SIGINT ended.
constexpr int kInterrupted = 130;

struct ScanOptions {
  v1::CreateScanRequest request;
  SelectorOptions hosts;
  absl::Duration deadline = absl::Minutes(10);
  bool wait = false;
  JudgeOptions judge;
  // What to do with a scan that exists, by id; at most one of these and `list`.
  std::string show;
  std::string list_hosts;
  std::string report;
  std::string cancel;
  bool list = false;
  std::vector<std::string> states;
  int limit = 100;
  ReportViewOptions view;
};

std::unique_ptr<v1::ScanService::Stub> Stub(Client& client) {
  return v1::ScanService::NewStub(client.channel());
}

// The number of a state's name, e.g. "missed", in the enumeration that `parse` reads.
template <class State>
absl::StatusOr<State> ParseState(const std::string& name,
                                 bool (*parse)(google::protobuf::ConstStringParam, State*)) {
  State state;
  if (parse(absl::AsciiStrToUpper(name), &state) && static_cast<int>(state) != 0) return state;
  return absl::InvalidArgumentError(absl::StrCat("--state \"", name, "\" is no state here"));
}

// Waits when asked to, prints, judges when asked to.
absl::Status Finish(Client& client, v1::Scan scan, const ScanOptions& options, Session& session) {
  const bool judge = options.judge.fail_on != v1::SEVERITY_UNSPECIFIED;
  if (options.wait || judge) {
    auto followed = Follow(client, std::move(scan), session);
    if (!followed.ok()) return followed.status();
    scan = std::move(followed->scan);
    if (followed->interrupted) {
      *session.err << "The scan goes on. Follow it with: plimsoll scan --show "
                   << Printable(scan.id(), 64) << " --wait\n"
                   << "End it with: plimsoll scan --cancel " << Printable(scan.id(), 64) << "\n";
      session.exit_status = kInterrupted;
      return absl::OkStatus();
    }
  }
  if (session.json()) {
    session.PrintJson(scan);
  } else {
    PrintScan(scan, session);
    if (scan.state() == v1::Scan::RUNNING) {
      *session.out << "  `plimsoll scan --show " << Printable(scan.id(), 64)
                   << " --wait` waits for the result\n";
    }
  }
  return judge ? Judge(scan, options.judge, session) : absl::OkStatus();
}

absl::Status Create(Client& client, ScanOptions& options, Session& session) {
  auto selector = options.hosts.Take();
  if (!selector.ok()) return selector.status();
  v1::CreateScanRequest& request = options.request;
  request.set_all(selector->all());
  *request.mutable_hosts() = selector->hosts();
  *request.mutable_labels() = selector->labels();
  request.set_selector(selector->expression());
  *request.mutable_timeout() = ToProto(options.deadline);
  auto scan = client.Call(&v1::ScanService::Stub::CreateScan, Stub(client), request);
  if (!scan.ok()) return scan.status();
  return Finish(client, *std::move(scan), options, session);
}

absl::Status Show(Client& client, const ScanOptions& options, Session& session) {
  v1::GetScanRequest request;
  request.set_id(options.show);
  auto scan = client.Call(&v1::ScanService::Stub::GetScan, Stub(client), request);
  if (!scan.ok()) return scan.status();
  return Finish(client, *std::move(scan), options, session);
}

absl::Status Cancel(Client& client, const ScanOptions& options, Session& session) {
  v1::CancelScanRequest request;
  request.set_id(options.cancel);
  auto scan = client.Call(&v1::ScanService::Stub::CancelScan, Stub(client), request);
  if (!scan.ok()) return scan.status();
  if (session.json()) {
    session.PrintJson(*scan);
  } else {
    PrintScan(*scan, session);
  }
  return absl::OkStatus();
}

// All pages, or the first `limit` items; JSON is one answer with all of them.
template <class Request, class Response, class Item>
absl::StatusOr<Response> AllPages(
    Client& client, Request request, int limit,
    grpc::Status (v1::ScanService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
    google::protobuf::RepeatedPtrField<Item>* (Response::*items)()) {
  Response all;
  const auto more = ReadPages(
      limit,
      [&](int size, const std::string& token) {
        request.set_page_size(size);
        request.set_page_token(token);
        return client.Call(method, Stub(client), request);
      },
      [&](Response& page) {
        (all.*items)()->MergeFrom(*(page.*items)());
        all.set_next_page_token(page.next_page_token());
      },
      [&] { return (all.*items)()->size(); });
  if (!more.ok()) return more.status();
  return all;
}

absl::Status List(Client& client, const ScanOptions& options, Session& session) {
  v1::ListScansRequest request;
  for (const std::string& name : options.states) {
    auto state = ParseState<v1::Scan::State>(name, &v1::Scan::State_Parse);
    if (!state.ok()) return state.status();
    request.add_states(*state);
  }
  const auto scans = AllPages(client, request, options.limit, &v1::ScanService::Stub::ListScans,
                              &v1::ListScansResponse::mutable_scans);
  if (!scans.ok()) return scans.status();
  if (session.json()) {
    session.PrintJson(*scans);
    return absl::OkStatus();
  }
  PrintScans({scans->scans().begin(), scans->scans().end()}, session);
  SayMore(!scans->next_page_token().empty(), session);
  return absl::OkStatus();
}

absl::Status ListHosts(Client& client, const ScanOptions& options, Session& session) {
  v1::ListScanHostsRequest request;
  request.set_scan_id(options.list_hosts);
  for (const std::string& name : options.states) {
    auto state = ParseState<v1::ScanHost::State>(name, &v1::ScanHost::State_Parse);
    if (!state.ok()) return state.status();
    request.add_states(*state);
  }
  const auto hosts = AllPages(client, request, options.limit, &v1::ScanService::Stub::ListScanHosts,
                              &v1::ListScanHostsResponse::mutable_hosts);
  if (!hosts.ok()) return hosts.status();
  if (session.json()) {
    session.PrintJson(*hosts);
    return absl::OkStatus();
  }
  PrintScanHosts({hosts->hosts().begin(), hosts->hosts().end()}, session);
  SayMore(!hosts->next_page_token().empty(), session);
  return absl::OkStatus();
}

absl::Status Report(Client& client, const ScanOptions& options, Session& session) {
  if (options.hosts.selector.hosts_size() != 1) {
    return absl::InvalidArgumentError("--report needs one --host");
  }
  v1::GetScanReportRequest request;
  request.set_scan_id(options.report);
  request.set_host(options.hosts.selector.hosts(0));
  request.set_baseline(options.judge.baseline.empty() ? "azure-docker" : options.judge.baseline);
  auto report = client.Call(&v1::ScanService::Stub::GetScanReport, Stub(client), request);
  if (!report.ok()) return report.status();
  if (session.json()) {
    session.PrintJson(*report);
    return absl::OkStatus();
  }
  v1::GetBaselineRequest wanted;
  wanted.set_id(request.baseline());
  auto baseline = client.Call(&v1::BaselineService::Stub::GetBaseline,
                              v1::BaselineService::NewStub(client.channel()), wanted);
  if (!baseline.ok()) return baseline.status();
  PrintReport(*report, *baseline, options.view, session.terminal, *session.out);
  *session.out << "observed " << FormatInstant(report->observed_time()) << "\n";
  if (report->baseline().digest() != baseline->digest()) {
    *session.out << "Judged by version " << Printable(report->baseline().version(), 64)
                 << "; the texts are those of " << Printable(baseline->version(), 64) << ".\n";
  }
  return absl::OkStatus();
}

absl::Status RunScan(Client& client, ScanOptions& options, Session& session) {
  const int actions = options.list + !options.show.empty() + !options.list_hosts.empty() +
                      !options.report.empty() + !options.cancel.empty();
  if (actions > 1) {
    return absl::InvalidArgumentError(
        "--list, --show, --hosts, --report and --cancel exclude each other");
  }
  if (options.list) return List(client, options, session);
  if (!options.show.empty()) return Show(client, options, session);
  if (!options.list_hosts.empty()) return ListHosts(client, options, session);
  if (!options.report.empty()) return Report(client, options, session);
  if (!options.cancel.empty()) return Cancel(client, options, session);
  return Create(client, options, session);
}

void AddWaitOptions(Command command, const std::shared_ptr<ScanOptions>& options) {
  command.AddFlag("--wait", options->wait, "Wait until every host is evaluated, failed or missed");
  AddDurationOption(command, "--deadline", options->deadline,
                    "Hosts that have not answered by then are missed; at most 24h [10m]");
  AddSeverityOption(
      command, "--fail-on",
      "Wait; exit with 1 when, by the answers to this scan, a rule this severe fails, "
      "or a host gave none",
      [options](v1::Severity severity) { options->judge.fail_on = severity; });
  command.AddOption("--baseline", options->judge.baseline, "Judge --fail-on by this baseline [all]")
      .TypeName("ID");
  command.AddFlag("--allow-missed", options->judge.allow_missed,
                  "Hosts without an answer are no reason for --fail-on, as long as one answered");
  command
      .AddOptionCall(
          "--idempotency-key",
          [options](const std::string& key) { options->request.set_idempotency_key(key); },
          "The same key within a day means the same scan")
      .TypeName("KEY");
  command
      .AddOptionCall(
          "--reason", [options](const std::string& text) { options->request.set_reason(text); },
          "Why, for the list of scans")
      .TypeName("TEXT");
}

void AddExistingOptions(Command command, const std::shared_ptr<ScanOptions>& options) {
  command.AddFlag("--list", options->list, "Scans, newest first");
  command
      .AddOption("--show", options->show,
                 "This scan; with --wait or --fail-on as when it is started")
      .Check(NotEmpty)
      .TypeName("ID");
  command.AddOption("--hosts", options->list_hosts, "The hosts of this scan")
      .Check(NotEmpty)
      .TypeName("ID");
  command
      .AddOption("--report", options->report,
                 "What one --host answered to this scan, judged as it was then")
      .Check(NotEmpty)
      .TypeName("ID");
  command.AddOption("--cancel", options->cancel, "End this scan; its answers stay")
      .Check(NotEmpty)
      .TypeName("ID");
  command
      .AddOption("--state", options->states,
                 "With --hosts: offline, requested, evaluated, failed or missed; with --list: "
                 "running, done or\ncancelled; may be repeated")
      .TypeName("STATE");
  command.AddOption("--limit", options->limit, "With --list and --hosts: at most this many; 0: all")
      .NotNegative()
      .ShowDefault()
      .TypeName("COUNT");
}

}  // namespace

void AddScan(Command app, Session& session) {
  auto options = std::make_shared<ScanOptions>();
  Command command = app.AddSubcommand("scan", "Ask hosts to report now, and act on the result");
  AddOutputOption(command, session);
  AddSelectorOptions(command, options->hosts);
  AddWaitOptions(command, options);
  AddExistingOptions(command, options);
  command.Footer(
      "Ctrl-C ends the waiting (exit status 130), not the scan.\n\n"
      "Examples:\n  plimsoll scan --all --wait\n"
      "  plimsoll scan -l 'env in (prod, stage)' --fail-on high --deadline 5m --reason release\n"
      "  plimsoll scan --hosts s-0123456789abcdef --state missed\n"
      "  plimsoll scan --report s-0123456789abcdef --host web-1");
  command.OnRun([options, &session] {
    WithClient(session, [&](Client& client) { return RunScan(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
