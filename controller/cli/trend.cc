#include <memory>

#include "absl/strings/str_cat.h"
#include "controller/cli/client.h"
#include "controller/cli/command.h"
#include "controller/cli/format.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/summary_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

struct TrendOptions {
  std::string baseline = "azure-docker";
  HostFilter filter;
  int days = 30;
};

absl::Status ShowTrend(Client& client, const TrendOptions& options, Session& session) {
  v1::GetTrendRequest request;
  request.set_baseline(options.baseline);
  request.set_days(options.days);
  options.filter.ApplyTo(request);
  auto trend = client.Call(&v1::SummaryService::Stub::GetTrend,
                           v1::SummaryService::NewStub(client.channel()), request);
  if (!trend.ok()) return trend.status();
  if (session.json()) {
    session.PrintJson(*trend);
    return absl::OkStatus();
  }
  const Terminal& terminal = session.terminal;
  Table table({"DAY", "HOSTS", "COUNTED", "FAIL", "UNKNOWN", "PASS", "COMPLIANCE"});
  const auto cell = [&terminal](int32_t value, Style style) {
    return terminal.Paint(absl::StrCat(value), value > 0 ? style : Style::kDim);
  };
  for (const v1::TrendPoint& point : trend->points()) {
    table.Row({point.day(), absl::StrCat(point.host_count()),
               absl::StrCat(point.evaluated_host_count()), cell(point.counts().fail(), Style::kRed),
               cell(point.counts().unknown(), Style::kYellow),
               cell(point.counts().pass(), Style::kGreen),
               point.has_compliance_lower()
                   ? FormatInterval(point.compliance_lower(), point.compliance_upper())
                   : "-"});
  }
  table.Print(terminal, *session.out);
  return absl::OkStatus();
}

}  // namespace

void AddTrend(Command app, Session& session) {
  auto options = std::make_shared<TrendOptions>();
  Command command = app.AddSubcommand("trend", "How the fleet, or a part of it, stood each day");
  AddOutputOption(command, session);
  command.AddOption("--baseline", options->baseline, "Baseline id").ShowDefault().TypeName("ID");
  command.AddOption("--days", options->days, "Days back from today, which is as it is now")
      .Between(1, 366)
      .ShowDefault()
      .TypeName("COUNT");
  AddHostFilter(command, options->filter);
  command.Footer(
      "Days are in UTC. Hosts are selected by the labels they carry now.\n\n"
      "Example:\n  plimsoll trend --days 90 -l team=payments");
  command.OnRun([options, &session] {
    WithClient(session, [&](Client& client) { return ShowTrend(client, *options, session); });
  });
}

}  // namespace plimsoll::cli
