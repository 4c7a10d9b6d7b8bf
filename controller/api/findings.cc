#include "absl/strings/str_cat.h"
#include "controller/api/api.h"
#include "controller/api/paging.h"
#include "controller/api/scope.h"

namespace plimsoll::api {

absl::StatusOr<v1::ListFindingsResponse> Findings::List(const Principal& who,
                                                        const v1::ListFindingsRequest& request) {
  auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  auto selector = fleet::SelectorOf({request.labels().begin(), request.labels().end()},
                                    request.selector(), baselines_.policy()->selectors());
  if (!selector.ok()) return selector.status();
  if (auto status = Narrow(who, *selector); !status.ok()) return status;
  fleet::FindingQuery query;
  query.selection.selector = *std::move(selector);
  query.after = (*after)[0];
  query.limit = *size;
  query.baseline_id = request.baseline();
  if (!query.baseline_id.empty()) {
    if (auto baseline = baselines_.Find(query.baseline_id); !baseline.ok())
      return baseline.status();
  }
  for (const std::string& wanted : request.rules()) {
    const auto rules = baselines_.FindRules(query.baseline_id, wanted);
    if (rules.empty()) {
      return absl::NotFoundError(absl::StrCat("no rule \"", wanted.substr(0, 64), "\""));
    }
    query.rules.insert(query.rules.end(), rules.begin(), rules.end());
  }
  for (const int status : request.statuses()) {
    query.statuses.push_back(static_cast<v1::Verdict::Status>(status));
  }
  if (query.statuses.empty()) query.statuses = {v1::Verdict::FAIL, v1::Verdict::UNKNOWN};
  query.minimum_severity = request.minimum_severity();
  if (request.has_waived()) query.waived = request.waived();
  if (!request.host().empty()) {
    auto host = FindHost(store_, who, request.host());
    if (!host.ok()) return host.status();
    query.selection.host_id = host->id();
  }
  auto page = pages_.List(query);
  if (!page.ok()) return page.status();
  v1::ListFindingsResponse response;
  for (v1::FleetFinding& finding : page->findings) *response.add_findings() = std::move(finding);
  response.set_next_page_token(EncodePageToken({page->next}));
  return response;
}

}  // namespace plimsoll::api
