#include "absl/strings/str_cat.h"
#include "controller/access/authenticator.h"
#include "controller/api/api.h"
#include "controller/api/paging.h"

namespace plimsoll::api {

absl::StatusOr<v1::ListFindingsResponse> Findings::List(const Principal& who,
                                                        const v1::ListFindingsRequest& request) {
  if (auto status = access::RequireRole(who, store::Role::kViewer); !status.ok()) return status;
  auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  store::FindingQuery query;
  query.after = (*after)[0];
  query.limit = *size;
  query.baseline = request.baseline();
  if (!query.baseline.empty()) {
    if (auto baseline = baselines_.Find(query.baseline); !baseline.ok()) return baseline.status();
  }
  for (const std::string& wanted : request.rules()) {
    absl::Status missing = absl::NotFoundError(absl::StrCat("no rule \"", wanted, "\""));
    for (const v1::Baseline& baseline : baselines_.all()) {
      if (!query.baseline.empty() && baseline.id() != query.baseline) continue;
      auto rule = Baselines::FindRule(baseline, wanted);
      if (!rule.ok()) continue;
      query.rule_ids.push_back((*rule)->id());
      missing = absl::OkStatus();
    }
    if (!missing.ok()) return missing;
  }
  for (const int status : request.statuses()) {
    query.statuses.push_back(static_cast<v1::Verdict::Status>(status));
  }
  if (query.statuses.empty()) query.statuses = {v1::Verdict::FAIL, v1::Verdict::UNKNOWN};
  query.minimum_severity = request.minimum_severity();
  query.labels.insert(request.labels().begin(), request.labels().end());
  if (!request.host().empty()) {
    auto host = store_.hosts().Get(request.host());
    if (!host.ok()) return host.status();
    query.host_id = host->id();
  }
  auto page = store_.reports().ListFindings(query);
  if (!page.ok()) return page.status();
  v1::ListFindingsResponse response;
  for (v1::FleetFinding& finding : page->findings) {
    if (auto baseline = baselines_.Find(finding.baseline_id()); baseline.ok()) {
      if (auto rule = Baselines::FindRule(**baseline, finding.rule_id()); rule.ok()) {
        finding.set_rule_title((*rule)->title());
      }
    }
    *response.add_findings() = std::move(finding);
  }
  response.set_next_page_token(EncodePageToken({page->next}));
  return response;
}

}  // namespace plimsoll::api
