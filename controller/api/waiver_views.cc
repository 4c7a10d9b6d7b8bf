// What reads waivers; what changes them is in waivers.cc.
#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/api/api.h"
#include "controller/api/paging.h"
#include "controller/api/scope.h"
#include "controller/api/waivers.h"
#include "proto/support/times.h"

namespace plimsoll::api {
namespace {

using store::Principal;

constexpr size_t kShown = 100;

absl::Time ExpiryOf(const v1::Waiver& waiver) {
  return support::FromTimestamp(waiver.expire_time());
}

// How long the waivers of one page may be counted for, the last one to its end.
constexpr absl::Duration kLongestCount = absl::Seconds(2);

// Where the page behind `waiver` begins.
std::string TokenOf(const v1::Waiver& waiver) {
  return EncodePageToken({absl::StrCat(absl::ToUnixMicros(ExpiryOf(waiver))), waiver.id()});
}

}  // namespace

absl::StatusOr<v1::Waiver> Waivers::Find(const Principal& who, const std::string& id) const {
  auto waiver = store_.waivers().Get(id);
  if (!waiver.ok() || who.scope.empty()) return waiver;
  auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  const auto policy = book_.current();
  auto hosts = fleet::FindCoverageHosts(index_, *waiver, policy->selectors(), *scope);
  if (!hosts.ok()) return hosts.status();
  if (hosts->selected > 0) return waiver;
  return absl::NotFoundError(
      absl::StrCat("no waiver \"", waiver->id(), "\" is about your part of the fleet"));
}

void Waivers::HideOutside(const Principal& who, const fleet::Selector& scope,
                          v1::Waiver& waiver) const {
  if (!Limited(who)) return;
  auto& hosts = *waiver.mutable_selector()->mutable_hosts();
  hosts.erase(std::remove_if(hosts.begin(), hosts.end(),
                             [&](const std::string& id) {
                               return !fleet::Matches(scope, index_.LabelsOf(id));
                             }),
              hosts.end());
  if (!Within(who, waiver.selector())) waiver.clear_bound_object_count();
}

absl::Status Waivers::Count(const fleet::Selector& scope, size_t shown, bool any,
                            v1::Waiver& waiver) const {
  int64_t covered = 0;
  int64_t lapsed = 0;
  if (waiver.active()) {
    const auto policy = book_.current();
    auto hosts = fleet::FindCoverageHosts(index_, waiver, policy->selectors(), scope);
    if (!hosts.ok()) return hosts.status();
    const auto status = fleet::VisitCoverage(
        store_.reports(), *policy, waiver, hosts->failing, 0,
        std::min(hosts->failing.size(), options_.maximum_hosts),
        [&](size_t, fleet::CoveredFinding found) {
          v1::FleetFinding& finding = found.finding;
          if (finding.finding().waiver_id() == waiver.id()) {
            if (++covered <= static_cast<int64_t>(shown)) {
              *waiver.add_covered() = std::move(finding);
            }
          } else if (finding.finding().lapsed_waiver_id() == waiver.id()) {
            if (++lapsed <= static_cast<int64_t>(shown)) *waiver.add_lapsed() = std::move(finding);
          }
          return !any || covered == 0 || (lapsed == 0 && waiver.bound_to_facts());
        });
    if (!status.ok()) return status;
  }
  waiver.set_covered_count(covered);
  waiver.set_lapsed_count(lapsed);
  return absl::OkStatus();
}

absl::StatusOr<v1::PreviewWaiverResponse> Waivers::Preview(
    const Principal& who, const v1::PreviewWaiverRequest& request) {
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 3);
  if (!after.ok()) return after.status();
  const bool first_page = request.page_token().empty();
  size_t skip = 0;
  if (!first_page && !absl::SimpleAtoi((*after)[2], &skip)) return BadPageToken();
  v1::Waiver waiver = request.waiver();
  if (auto status = Normalize(who, waiver); !status.ok()) return status;
  auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  const auto policy = book_.current();
  auto found = fleet::FindCoverageHosts(index_, waiver, policy->selectors(), *scope);
  if (!found.ok()) return found.status();
  const std::vector<fleet::CoverageHost>& hosts = found->failing;
  // The last host of the page before may have more.
  const auto place = std::partition_point(hosts.begin(), hosts.end(), [&](const auto& host) {
    return !first_page && std::tie(host.hostname, host.id) < std::tie((*after)[0], (*after)[1]);
  });
  const size_t begin = place - hosts.begin();
  const bool begun = place != hosts.end() && place->id == (*after)[1];

  v1::PreviewWaiverResponse response;
  const size_t counted = std::min(hosts.size(), options_.maximum_hosts);
  size_t on_host = 0;
  size_t current = hosts.size();
  size_t last = hosts.size();
  size_t last_on_host = 0;
  bool more = false;
  const auto status = fleet::VisitCoverage(
      store_.reports(), *policy, waiver, hosts, begin, first_page ? counted : hosts.size(),
      [&](size_t host, fleet::CoveredFinding covered) {
        if (host != current) {
          current = host;
          on_host = 0;
          if (first_page) {
            response.set_host_count(response.host_count() + 1);
            if (!hosts[host].connected) {
              response.set_offline_host_count(response.offline_host_count() + 1);
            }
          }
        }
        ++on_host;
        if (first_page) response.set_finding_count(response.finding_count() + 1);
        if (begun && host == begin && on_host <= skip) return true;
        if (response.findings_size() == *size) {
          more = true;
          return first_page;
        }
        *response.add_findings() = std::move(covered.finding);
        last = host;
        last_on_host = on_host;
        return true;
      });
  if (!status.ok()) return status;
  if (first_page) {
    response.set_selected_host_count(found->selected);
    response.set_uncounted_host_count(static_cast<int32_t>(hosts.size() - counted));
    more = more || counted < hosts.size();
  }
  if (more && last < hosts.size()) {
    response.set_next_page_token(
        EncodePageToken({hosts[last].hostname, hosts[last].id, absl::StrCat(last_on_host)}));
  }
  return response;
}

absl::StatusOr<v1::Waiver> Waivers::Get(const Principal& who, const v1::GetWaiverRequest& request) {
  auto waiver = Find(who, request.waiver());
  if (!waiver.ok()) return waiver.status();
  auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  policy::SetTimes(clock_.Now(), *waiver);
  HideOutside(who, *scope, *waiver);
  if (auto status = Count(*scope, kShown, false, *waiver); !status.ok()) return status;
  return waiver;
}

absl::StatusOr<v1::ListWaiversResponse> Waivers::List(const Principal& who,
                                                      const v1::ListWaiversRequest& request) {
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 2);
  if (!after.ok()) return after.status();
  auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  store::WaiverQuery query;
  query.now = clock_.Now();
  query.limit = *size + 1;
  query.owner = request.owner();
  query.baseline_id = request.baseline();
  if (request.has_expire_before()) {
    query.expire_before = support::FromTimestamp(request.expire_before());
  }
  if (!request.page_token().empty()) {
    int64_t micros = 0;
    if (!absl::SimpleAtoi((*after)[0], &micros)) return BadPageToken();
    query.after_expiry = absl::FromUnixMicros(micros);
    query.after_id = (*after)[1];
  }
  for (const int state : request.states()) {
    if (state == 0 || !v1::Waiver::State_IsValid(state)) {
      return absl::InvalidArgumentError(absl::StrCat("states: ", state, " is no state"));
    }
    query.states.push_back(static_cast<v1::Waiver::State>(state));
  }
  if (!request.rule().empty()) {
    // Waivers outlive rules: what no document has today is taken as an id.
    query.rules = Baselines(book_).FindRules(request.baseline(), request.rule());
    query.rules.emplace_back("", request.rule());
  }
  auto waivers = store_.waivers().List(query);
  if (!waivers.ok()) return waivers.status();
  v1::ListWaiversResponse response;
  if (waivers->size() > static_cast<size_t>(*size)) {
    waivers->pop_back();
    response.set_next_page_token(TokenOf(waivers->back()));
  }
  const bool filtered = request.unused() || request.lapsed();
  bool last = false;
  for (v1::Waiver& waiver : *waivers) {
    if (last) break;
    if (!request.managed_by().empty() && waiver.managed_by() != request.managed_by()) continue;
    if (Limited(who)) {
      const absl::Status seen = Find(who, waiver.id()).status();
      if (absl::IsNotFound(seen)) continue;
      if (!seen.ok()) return seen;
    }
    policy::SetTimes(query.now, waiver);
    if (filtered || request.with_counts()) {
      const bool any = !request.with_counts();
      if (auto status = Count(*scope, 0, any, waiver); !status.ok()) return status;
      // Judging hosts for one page has an end: the next page goes on behind this waiver.
      if (clock_.Now() - query.now > kLongestCount && &waiver != &waivers->back()) {
        response.set_next_page_token(TokenOf(waiver));
        last = true;
      }
      if (request.unused() && (!waiver.active() || waiver.covered_count() > 0)) continue;
      if (request.lapsed() && waiver.lapsed_count() == 0) continue;
      if (any) {
        waiver.clear_covered_count();
        waiver.clear_lapsed_count();
      }
    }
    HideOutside(who, *scope, waiver);
    *response.add_waivers() = std::move(waiver);
  }
  return response;
}

absl::StatusOr<v1::ListWaiverHistoryResponse> Waivers::ListHistory(
    const Principal& who, const v1::ListWaiverHistoryRequest& request) {
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  auto waiver = Find(who, request.waiver());
  if (!waiver.ok()) return waiver.status();
  auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  store::WaiverHistoryQuery query{.waiver_id = waiver->id(), .limit = *size + 1};
  if (!(*after)[0].empty() && !absl::SimpleAtoi((*after)[0], &query.before_version)) {
    return BadPageToken();
  }
  auto changes = store_.waivers().ListHistory(query);
  if (!changes.ok()) return changes.status();
  v1::ListWaiverHistoryResponse response;
  if (changes->size() > static_cast<size_t>(*size)) {
    changes->pop_back();
    response.set_next_page_token(
        EncodePageToken({absl::StrCat(changes->back().waiver().version())}));
  }
  for (v1::WaiverChange& change : *changes) {
    HideOutside(who, *scope, *change.mutable_waiver());
    *response.add_changes() = std::move(change);
  }
  return response;
}

}  // namespace plimsoll::api
