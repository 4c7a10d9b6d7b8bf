#include "controller/fleet/summaries.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "controller/api/api.h"
#include "controller/api/paging.h"
#include "controller/api/scope.h"
#include "controller/fleet/configuration_examples.h"

namespace plimsoll::api {
namespace {

constexpr int kDefaultWorst = 10;
constexpr int kMostWorst = 1000;
constexpr int kDefaultDays = 30;
constexpr int kMostDays = 366;

// The hosts that labels and selector of `request` mean, as far as the caller sees them.
template <class Request>
absl::StatusOr<fleet::Selection> SelectionOf(const Principal& who, const Baselines& baselines,
                                             const Request& request) {
  auto selector = fleet::SelectorOf({request.labels().begin(), request.labels().end()},
                                    request.selector(), baselines.policy()->selectors());
  if (!selector.ok()) return selector.status();
  if (auto status = Narrow(who, *selector); !status.ok()) return status;
  return fleet::Selection{*std::move(selector), ""};
}

// Rows of `all` behind the page's token, at most `size`, into `response`; returns its token.
// `before(row)` says whether a row belongs to an earlier page.
template <class Row, class Before, class Add, class Token>
std::string Page(std::vector<Row>& all, size_t size, const Before& before, const Add& add,
                 const Token& token) {
  auto row = std::partition_point(all.begin(), all.end(), before);
  const auto end = row + std::min<size_t>(size, all.end() - row);
  const bool more = end != all.end() && end != row;
  const std::string next = more ? token(*(end - 1)) : "";
  for (; row != end; ++row) add(*row);
  return next;
}

}  // namespace

absl::StatusOr<v1::Summary> Summaries::Get(const Principal& who,
                                           const v1::GetSummaryRequest& request) {
  auto baseline = baselines_.Find(request.baseline());
  if (!baseline.ok()) return baseline.status();
  auto selection = SelectionOf(who, baselines_, request);
  if (!selection.ok()) return selection.status();
  if (!request.host().empty()) {
    auto host = FindHost(store_, who, request.host());
    if (!host.ok()) return host.status();
    selection->host_id = host->id();
  }
  return index_.Read([&](const fleet::Fleet& fleet) {
    return fleet::Summarize(fleet, *fleet.Find(request.baseline()), *selection, clock_.Now());
  });
}

absl::StatusOr<v1::ListLabelSummariesResponse> Summaries::ListByLabel(
    const Principal& who, const v1::ListLabelSummariesRequest& request) {
  if (auto baseline = baselines_.Find(request.baseline()); !baseline.ok()) return baseline.status();
  if (request.label().empty()) {
    return absl::InvalidArgumentError("label: the key to split by is required, e.g. \"team\"");
  }
  auto selection = SelectionOf(who, baselines_, request);
  if (!selection.ok()) return selection.status();
  auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto after = DecodePageToken(request.page_token(), 3);
  if (!after.ok()) return after.status();
  v1::LabelSummary last;
  if (!request.page_token().empty()) {
    int32_t fail = 0;
    if (!absl::SimpleAtoi((*after)[0], &fail)) return BadPageToken();
    last.mutable_counts()->set_fail(fail);
    last.set_absent((*after)[1] == "1");
    last.set_value((*after)[2]);
  }
  std::vector<v1::LabelSummary> all = index_.Read([&](const fleet::Fleet& fleet) {
    return fleet::SummarizeByLabel(fleet, *fleet.Find(request.baseline()), *selection,
                                   request.label());
  });
  v1::ListLabelSummariesResponse response;
  response.set_next_page_token(Page(
      all, *size,
      [&](const v1::LabelSummary& row) {
        return !request.page_token().empty() && !fleet::LabelBefore(last, row);
      },
      [&](v1::LabelSummary& row) { *response.add_values() = std::move(row); },
      [](const v1::LabelSummary& row) {
        return EncodePageToken(
            {absl::StrCat(row.counts().fail()), row.absent() ? "1" : "0", row.value()});
      }));
  return response;
}

absl::StatusOr<v1::ListWorstHostsResponse> Summaries::ListWorst(
    const Principal& who, const v1::ListWorstHostsRequest& request) {
  if (auto baseline = baselines_.Find(request.baseline()); !baseline.ok()) return baseline.status();
  auto selection = SelectionOf(who, baselines_, request);
  if (!selection.ok()) return selection.status();
  const int limit = request.limit() == 0 ? kDefaultWorst : request.limit();
  if (limit < 1 || limit > kMostWorst) {
    return absl::InvalidArgumentError(
        absl::StrCat("limit ", limit, ": expected 1 to ", kMostWorst));
  }
  return index_.Read([&](const fleet::Fleet& fleet) {
    return fleet::WorstHosts(fleet, *fleet.Find(request.baseline()), *selection, limit);
  });
}

absl::StatusOr<v1::ListFailingConfigurationsResponse> Summaries::ListConfigurations(
    const Principal& who, const v1::ListFailingConfigurationsRequest& request) {
  auto baseline = baselines_.Find(request.baseline());
  if (!baseline.ok()) return baseline.status();
  auto selection = SelectionOf(who, baselines_, request);
  if (!selection.ok()) return selection.status();
  std::string wanted;
  if (!request.rule().empty()) {
    auto found = Baselines::FindRule(**baseline, request.rule());
    if (!found.ok()) return found.status();
    wanted = (*found)->id();
  }
  auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto after = DecodePageToken(request.page_token(), 2);
  if (!after.ok()) return after.status();
  int64_t containers = 0;
  uint64_t fingerprint = 0;
  if (!request.page_token().empty() && (!absl::SimpleAtoi((*after)[0], &containers) ||
                                        !absl::SimpleAtoi((*after)[1], &fingerprint))) {
    return BadPageToken();
  }
  using Sum = fleet::ConfigurationSum;
  // Of the document that the columns are of, which may be another for a moment.
  std::vector<std::string> rule_ids;
  std::vector<Sum> all = index_.Read([&](const fleet::Fleet& fleet) {
    const fleet::BaselineColumns& columns = *fleet.Find(request.baseline());
    int rule = -1;
    for (const v1::Rule& each : columns.document().rules()) {
      if (each.id() == wanted) rule = static_cast<int>(rule_ids.size());
      rule_ids.push_back(each.id());
    }
    if (!wanted.empty() && rule < 0) return std::vector<Sum>();
    return fleet::FailingConfigurations(fleet, columns, *selection, rule);
  });
  v1::ListFailingConfigurationsResponse response;
  response.set_configuration_count(static_cast<int32_t>(all.size()));
  int64_t total = 0;
  for (const Sum& sum : all) total += sum.containers;
  response.set_container_count(total);
  response.set_next_page_token(Page(
      all, *size,
      [&](const Sum& row) {
        return !request.page_token().empty() && std::make_pair(-row.containers, row.fingerprint) <=
                                                    std::make_pair(-containers, fingerprint);
      },
      [&](const Sum& row) {
        v1::FailingConfiguration& line = *response.add_configurations();
        line.set_fingerprint(absl::StrFormat("%016x", row.fingerprint));
        line.set_container_count(row.containers);
        line.set_host_count(row.hosts);
        for (const uint16_t place : row.rules) line.add_rule_ids(rule_ids[place]);
        line.set_example_host_id(row.example_host_id);
      },
      [](const Sum& row) {
        return EncodePageToken({absl::StrCat(row.containers), absl::StrCat(row.fingerprint)});
      }));
  const std::vector<v1::FailingConfiguration*> rows(
      response.mutable_configurations()->pointer_begin(),
      response.mutable_configurations()->pointer_end());
  if (auto status = fleet::AddExamples(store_.reports(), rows); !status.ok()) return status;
  return response;
}

absl::StatusOr<v1::Trend> Summaries::GetTrend(const Principal& who,
                                              const v1::GetTrendRequest& request) {
  if (auto baseline = baselines_.Find(request.baseline()); !baseline.ok()) return baseline.status();
  auto selection = SelectionOf(who, baselines_, request);
  if (!selection.ok()) return selection.status();
  const int days = request.days() == 0 ? kDefaultDays : request.days();
  if (days < 1 || days > kMostDays) {
    return absl::InvalidArgumentError(absl::StrCat("days ", days, ": expected 1 to ", kMostDays));
  }
  return days_.Trend(request.baseline(), *selection, days);
}

}  // namespace plimsoll::api
