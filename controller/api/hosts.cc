#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/api/api.h"
#include "controller/api/paging.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "controller/evaluate/evaluate.h"
#include "controller/fleet/host_pages.h"
#include "proto/support/field_errors.h"

namespace plimsoll::api {
namespace {

constexpr size_t kLongestReason = 512;
// How long an answer waits for the index to show what it did.
constexpr absl::Duration kShowTime = absl::Seconds(2);

}  // namespace

absl::StatusOr<v1::ListHostsResponse> Hosts::List(const Principal& who,
                                                  const v1::ListHostsRequest& request) {
  auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto after = DecodePageToken(request.page_token(), 2);
  if (!after.ok()) return after.status();
  auto selector = fleet::SelectorOf({request.labels().begin(), request.labels().end()},
                                    request.selector(), book_.current()->selectors());
  if (!selector.ok()) return selector.status();
  if (auto status = Narrow(who, *selector); !status.ok()) return status;
  fleet::HostQuery query;
  query.selector = *std::move(selector);
  query.name_contains = request.name_contains();
  for (const int connection : request.connections()) {
    if (connection == v1::Host::CONNECTION_UNSPECIFIED ||
        !v1::Host::Connection_IsValid(connection)) {
      return absl::InvalidArgumentError(
          absl::StrCat("connections: ", connection, " is not a state a host has"));
    }
    query.connections.push_back(static_cast<v1::Host::Connection>(connection));
  }
  if (request.has_stale()) query.stale = request.stale();
  query.after_hostname = (*after)[0];
  query.after_id = (*after)[1];
  query.limit = *size;
  fleet::HostPage page =
      index_.Read([&query](const fleet::Fleet& fleet) { return fleet::ListHosts(fleet, query); });
  v1::ListHostsResponse response;
  for (v1::Host& host : page.hosts) *response.add_hosts() = std::move(host);
  if (page.more) {
    const v1::Host& last = *response.hosts().rbegin();
    response.set_next_page_token(EncodePageToken({last.hostname(), last.id()}));
  }
  return response;
}

absl::StatusOr<v1::Host> Hosts::Find(const Principal& who, const std::string& name) {
  auto host = FindHost(store_, who, name);
  if (!host.ok()) return host;
  // What depends on the time, and this controller's own sessions, the index knows better.
  index_.Read([&host](const fleet::Fleet& fleet) {
    fleet::Slot slot = 0;
    if (!fleet.hosts().Find(host->id(), slot)) return;
    const v1::Host shown = fleet.Describe(slot);
    host->set_stale(shown.stale());
    if (shown.has_last_seen_time() && host->last_seen_time() < shown.last_seen_time()) {
      *host->mutable_last_seen_time() = shown.last_seen_time();
    }
  });
  return host;
}

absl::StatusOr<v1::Host> Hosts::Get(const Principal& who, const v1::GetHostRequest& request) {
  return Find(who, request.host());
}

absl::StatusOr<v1::HostReport> Hosts::GetReport(const Principal& who,
                                                const v1::GetHostReportRequest& request) {
  auto host = FindHost(store_, who, request.host());
  if (!host.ok()) return host.status();
  // NOT_FOUND names those that exist.
  if (auto baseline = Baselines(book_).Find(request.baseline()); !baseline.ok()) {
    return baseline.status();
  }
  auto stored = store_.reports().GetFacts(host->id());
  if (!stored.ok()) return stored.status();
  const std::string digest = absl::BytesToHexString(stored->digest);
  const policy::HostPolicy policy =
      book_.current()->For(host->id(), {host->labels().begin(), host->labels().end()});
  for (const policy::Document& document : *policy.documents) {
    if (document->id() != request.baseline()) continue;
    return evaluate::Evaluate(stored->facts, *document,
                              {.as_of = stored->observed,
                               .host_id = host->id(),
                               .facts_digest = digest,
                               .waivers = policy.waivers,
                               .now = policy.now});
  }
  return support::PolicyChanged();
}

void Hosts::Show(const std::string& host_id) {
  index_.Changed({host_id});
  // The change is made whether or not the list shows it in time.
  index_.Await(kShowTime);
}

absl::StatusOr<v1::RevokeHostResponse> Hosts::Revoke(const Principal& who,
                                                     const v1::RevokeHostRequest& request) {
  if (auto status = CheckLength("reason", request.reason(), kLongestReason); !status.ok()) {
    return status;
  }
  auto host = FindHost(store_, who, request.host());
  if (!host.ok()) return host.status();
  if (auto status = store_.enrollment().RevokeHost(host->id(), request.reason(), clock_.Now());
      !status.ok()) {
    return status;
  }
  spdlog::info("host revoked host={} by={}", host->id(), who.name);
  revocations_.Announce(host->id());
  Show(host->id());
  v1::RevokeHostResponse response;
  response.set_host_id(host->id());
  return response;
}

absl::StatusOr<v1::RemoveHostResponse> Hosts::Remove(const Principal& who,
                                                     const v1::RemoveHostRequest& request) {
  if (auto status = CheckLength("reason", request.reason(), kLongestReason); !status.ok()) {
    return status;
  }
  auto host = FindHost(store_, who, request.host());
  if (!host.ok()) return host.status();
  if (auto status = store_.hosts().Remove(host->id(), request.reason(), clock_.Now());
      !status.ok()) {
    return status;
  }
  spdlog::info("host removed host={} by={}", host->id(), who.name);
  revocations_.Announce(host->id());
  Show(host->id());
  v1::RemoveHostResponse response;
  response.set_host_id(host->id());
  return response;
}

absl::StatusOr<v1::Host> Hosts::Release(const Principal& who,
                                        const v1::ReleaseHostRequest& request) {
  auto host = FindHost(store_, who, request.host());
  if (!host.ok()) return host.status();
  if (auto status = store_.hosts().Release(host->id()); !status.ok()) return status;
  spdlog::info("host released host={} by={}", host->id(), who.name);
  // A session that it has by now is one it may have.
  Show(host->id());
  return Find(who, host->id());
}

absl::StatusOr<v1::ListTransitionsResponse> Hosts::ListTransitions(
    const Principal& who, const v1::ListTransitionsRequest& request) {
  auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  auto host = FindHost(store_, who, request.host());
  if (!host.ok()) return host.status();
  store::TransitionQuery query;
  query.host_id = host->id();
  query.baseline_id = request.baseline();
  query.after = (*after)[0];
  query.limit = *size;
  if (!request.rule().empty()) {
    const Baselines baselines(book_);
    const auto rules = baselines.FindRules(request.baseline(), request.rule());
    // History reaches back to rules that no document has today.
    query.rule_id = rules.empty() ? request.rule() : rules[0].second;
    bool ambiguous = std::any_of(rules.begin(), rules.end(), [&query](const auto& rule) {
      return rule.second != query.rule_id;
    });
    if (query.rule_id != request.rule()) {
      // By slug: other documents may have another rule of that id.
      if (rules.size() == 1) query.baseline_id = rules[0].first;
      ambiguous =
          ambiguous || baselines.FindRules(query.baseline_id, query.rule_id).size() > rules.size();
    }
    if (ambiguous) {
      return absl::InvalidArgumentError(
          "rule: means different rules in different baselines; name the baseline too");
    }
  }
  auto page = store_.reports().ListTransitions(query);
  if (absl::IsInvalidArgument(page.status())) return BadPageToken();
  if (!page.ok()) return page.status();
  v1::ListTransitionsResponse response;
  for (v1::Transition& transition : page->transitions) {
    transition.set_hostname(host->hostname());
    *response.add_transitions() = std::move(transition);
  }
  response.set_next_page_token(EncodePageToken({page->next}));
  return response;
}

}  // namespace plimsoll::api
