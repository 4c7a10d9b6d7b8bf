#include "controller/api/methods.h"

namespace plimsoll::api {

using access::Permission;

void AddSummaryMethods(MethodTable& table, Summaries& summaries) {
  table.Add({.rpc = "SummaryService.GetSummary",
             .permission = Permission::kRead,
             .http = "GET /v1/baselines/{baseline}/summary",
             .aggregate = true},
            summaries, &Summaries::Get);
  table.Add({.rpc = "SummaryService.ListLabelSummaries",
             .permission = Permission::kRead,
             .http = "GET /v1/baselines/{baseline}/labels/{label}/summaries",
             .aggregate = true},
            summaries, &Summaries::ListByLabel);
  table.Add({.rpc = "SummaryService.ListWorstHosts",
             .permission = Permission::kRead,
             .http = "GET /v1/baselines/{baseline}/worst-hosts",
             .aggregate = true},
            summaries, &Summaries::ListWorst);
  table.Add({.rpc = "SummaryService.ListFailingConfigurations",
             .permission = Permission::kRead,
             .http = "GET /v1/baselines/{baseline}/configurations",
             .aggregate = true},
            summaries, &Summaries::ListConfigurations);
  table.Add({.rpc = "SummaryService.GetTrend",
             .permission = Permission::kRead,
             // No aggregate: it changes with the day, too.
             .http = "GET /v1/baselines/{baseline}/trend"},
            summaries, &Summaries::GetTrend);
}

}  // namespace plimsoll::api
