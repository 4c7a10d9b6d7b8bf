#include <google/protobuf/util/time_util.h>

#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/baseline_service.grpc.pb.h"
#include "plimsoll/v1/finding_service.grpc.pb.h"
#include "plimsoll/v1/scan_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct ScanOptions {
  v1::CreateScanRequest request;
  std::map<std::string, std::string> labels;
  absl::Duration deadline = absl::Minutes(10);
  bool wait = false;
  std::string baseline;
  v1::Severity fail_on = v1::SEVERITY_UNSPECIFIED;
};

// One line that is drawn over on a terminal, and a line a change elsewhere.
class Progress {
 public:
  explicit Progress(Session& session) : session_(session) {}

  void Show(const v1::ScanProgress& progress) {
    const int done = progress.evaluated() + progress.failed() + progress.missed();
    std::string text = absl::StrCat(done, "/", progress.targeted(), " hosts");
    if (progress.failed() > 0) absl::StrAppend(&text, ", ", progress.failed(), " failed");
    if (progress.missed() > 0) absl::StrAppend(&text, ", ", progress.missed(), " missed");
    if (progress.offline() > 0) absl::StrAppend(&text, ", ", progress.offline(), " offline");
    if (!session_.error_terminal.interactive()) {
      if (text != last_) *session_.err << "scan: " << text << "\n";
    } else {
      constexpr int kBar = 30;
      const int filled = progress.targeted() == 0 ? kBar : kBar * done / progress.targeted();
      std::string bar;
      for (int i = 0; i < kBar; ++i) bar += i < filled ? "█" : "░";
      *session_.err << "\r\x1b[K" << session_.error_terminal.Paint(bar, Style::kGreen) << " "
                    << text << std::flush;
    }
    last_ = text;
  }

  void Finish() {
    if (session_.error_terminal.interactive() && !last_.empty()) *session_.err << "\n";
  }

 private:
  Session& session_;
  std::string last_;
};

absl::StatusOr<v1::Scan> WaitFor(Client& client, v1::Scan scan, const ScanOptions& options,
                                 Session& session) {
  Progress progress(session);
  progress.Show(scan.progress());
  auto stub = v1::ScanService::NewStub(client.channel());
  v1::WatchScanRequest request;
  request.set_id(scan.id());
  grpc::ClientContext context;
  client.Prepare(context, options.deadline + absl::Minutes(1));
  auto stream = stub->WatchScan(&context, request);
  while (stream->Read(&scan)) progress.Show(scan.progress());
  progress.Finish();
  if (auto status = client.Explain(stream->Finish()); !status.ok()) return status;
  return scan;
}

// How many findings of the scanned hosts are failures of at least this severity.
absl::StatusOr<int> CountFailures(Client& client, const v1::Scan& scan,
                                  const ScanOptions& options) {
  int count = 0;
  for (const v1::ScanHost& host : scan.hosts()) {
    v1::ListFindingsRequest request;
    request.set_page_size(1000);
    request.set_baseline(options.baseline);
    request.set_host(host.host_id());
    request.add_statuses(v1::Verdict::FAIL);
    request.set_minimum_severity(options.fail_on);
    do {
      auto page = client.Call(&v1::FindingService::Stub::ListFindings,
                              v1::FindingService::NewStub(client.channel()), request);
      if (!page.ok()) return page.status();
      count += page->findings_size();
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
  }
  return count;
}

void PrintScan(const v1::Scan& scan, Session& session) {
  *session.out << "Scan " << scan.id() << ": " << scan.progress().evaluated() << " of "
               << scan.progress().targeted() << " hosts evaluated\n";
  for (const v1::ScanHost& host : scan.hosts()) {
    if (host.state() == v1::ScanHost::EVALUATED || scan.state() == v1::Scan::RUNNING) continue;
    *session.out << "  " << Printable(host.hostname(), 100) << ": "
                 << (host.state() == v1::ScanHost::MISSED ? "did not answer before the deadline"
                                                          : "failed");
    if (!host.message().empty()) *session.out << ": " << Printable(host.message(), 400);
    *session.out << "\n";
  }
}

absl::Status RunScan(Client& client, ScanOptions& options, Session& session) {
  options.request.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  *options.request.mutable_timeout() =
      google::protobuf::util::TimeUtil::SecondsToDuration(absl::ToInt64Seconds(options.deadline));
  auto scan = client.Call(&v1::ScanService::Stub::CreateScan,
                          v1::ScanService::NewStub(client.channel()), options.request);
  if (!scan.ok()) return scan.status();
  const bool judge = options.fail_on != v1::SEVERITY_UNSPECIFIED;
  if (options.wait || judge) {
    scan = WaitFor(client, *std::move(scan), options, session);
    if (!scan.ok()) return scan.status();
  }
  if (session.json()) {
    session.PrintJson(*scan);
  } else {
    PrintScan(*scan, session);
    if (!options.wait && !judge) *session.out << "Running; --wait waits for the result\n";
  }
  if (!judge) return absl::OkStatus();
  auto failures = CountFailures(client, *scan, options);
  if (!failures.ok()) return failures.status();
  const int unanswered = scan->progress().targeted() - scan->progress().evaluated();
  if (*failures > 0 || unanswered > 0) session.exit_status = kNotCompliant;
  if (*failures > 0) {
    *session.err << *failures << " finding(s) of severity " << SeverityName(options.fail_on)
                 << " or worse\n";
  }
  if (unanswered > 0)
    *session.err << unanswered << " host(s) not evaluated: no evidence is no pass\n";
  return absl::OkStatus();
}

}  // namespace

void AddScan(CLI::App& app, Session& session) {
  auto options = std::make_shared<ScanOptions>();
  CLI::App* command = app.add_subcommand("scan", "Ask hosts to report now, and act on the result");
  AddOutputOption(*command, session);
  command->add_flag_callback(
      "--all", [options] { options->request.set_all(true); }, "Every host");
  command
      ->add_option_function<std::vector<std::string>>(
          "--host",
          [options](const std::vector<std::string>& hosts) {
            options->request.mutable_hosts()->Assign(hosts.begin(), hosts.end());
          },
          "This host; may be repeated")
      ->type_name("HOST");
  AddLabelOption(*command, options->labels, "Hosts with this label; may be repeated");
  command->add_flag("--wait", options->wait,
                    "Wait until every host is evaluated, failed or missed");
  command
      ->add_option_function<std::string>(
          "--deadline",
          [options](const std::string& text) {
            if (!absl::ParseDuration(text, &options->deadline)) {
              throw CLI::ValidationError("--deadline", "expected a duration, e.g. 10m");
            }
          },
          "Hosts that have not answered by then are missed [10m]")
      ->type_name("DURATION");
  command
      ->add_option_function<std::string>(
          "--fail-on",
          [options](const std::string& name) {
            if (!ParseSeverity(name, options->fail_on)) {
              throw CLI::ValidationError("--fail-on",
                                         "expected info, low, medium, high or critical");
            }
          },
          "Wait; exit with 1 when a rule this severe fails or a host gave no answer")
      ->type_name("SEVERITY");
  command->add_option("--baseline", options->baseline, "Judge --fail-on by this baseline [all]")
      ->type_name("ID");
  command
      ->add_option_function<std::string>(
          "--idempotency-key",
          [options](const std::string& key) { options->request.set_idempotency_key(key); },
          "The same key within a day means the same scan")
      ->type_name("KEY");
  command->footer(
      "Examples:\n  plimsoll scan --all --wait\n  plimsoll scan --label env=prod --fail-on high "
      "--deadline 5m");
  command->final_callback([options, &session] {
    WithClient(session, [&](Client& client) { return RunScan(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
