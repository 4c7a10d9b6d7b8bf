
#include <algorithm>
#include <optional>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "controller/api/api.h"
#include "controller/api/paging.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "controller/evaluate/evaluate.h"
#include "proto/support/digest.h"

namespace plimsoll::api {
namespace {

constexpr size_t kLongestKey = 128;
constexpr size_t kLongestReason = 512;

// Equal requests of callers who see the same hosts have equal digests: labels are a map, whose
// usual encoding has no fixed order.
std::string DigestOf(const v1::CreateScanRequest& request, const Principal& who) {
  return support::Sha256Hex(absl::StrCat(who.scope, support::SerializeStable(request)));
}

v1::HostSelector SelectorOf(const v1::CreateScanRequest& request) {
  v1::HostSelector selector;
  selector.set_all(request.all());
  *selector.mutable_hosts() = request.hosts();
  *selector.mutable_labels() = request.labels();
  selector.set_expression(request.selector());
  return selector;
}

// A filter by states of the enumeration that has `valid`.
template <class State, class Field>
absl::StatusOr<std::vector<State>> States(const Field& field, bool (*valid)(int)) {
  std::vector<State> states;
  for (const int state : field) {
    if (state == 0 || !valid(state)) {
      return absl::InvalidArgumentError(absl::StrCat("states: ", state, " is no state"));
    }
    states.push_back(static_cast<State>(state));
  }
  return states;
}

}  // namespace

absl::StatusOr<v1::Scan> Scans::Create(const Principal& who, const v1::CreateScanRequest& request) {
  for (const absl::Status& status :
       {CheckLength("idempotency_key", request.idempotency_key(), kLongestKey),
        CheckLength("reason", request.reason(), kLongestReason)}) {
    if (!status.ok()) return status;
  }
  const auto timeout = ScanTimeout(request.has_timeout() ? &request.timeout() : nullptr);
  if (!timeout.ok()) return timeout.status();
  store::NewScan scan;
  scan.selector = SelectorOf(request);
  if (auto status = CheckSelector(scan.selector, "", "selector"); !status.ok()) return status;
  if (auto status = Narrow(who, resolve_, scan.selector); !status.ok()) return status;
  auto host_ids = resolve_(scan.selector);
  if (!host_ids.ok()) return host_ids.status();
  if (host_ids->empty()) {
    return absl::NotFoundError("no host matches; `plimsoll hosts` lists them");
  }
  scan.id = NewId("s-");
  scan.created_by = who.name;
  scan.idempotency_key = request.idempotency_key();
  scan.request_digest = DigestOf(request, who);
  scan.create_time = clock_.Now();
  scan.deadline = scan.create_time + *timeout;
  scan.host_ids = *std::move(host_ids);
  scan.reason = request.reason();
  return board_.Create(scan);
}

absl::StatusOr<v1::Scan> Scans::Get(const Principal& who, const v1::GetScanRequest& request) {
  return Part(who, board_.Get(request.id()));
}

absl::StatusOr<v1::Scan> Scans::Cancel(const Principal& who, const v1::CancelScanRequest& request) {
  if (Limited(who)) {
    const auto whole = board_.Get(request.id());
    auto part = Part(who, whole);
    if (!part.ok()) return part;
    if (part->progress().targeted() != whole->progress().targeted()) {
      return RequireWholeFleet(who, "this scan, which asks other hosts too,");
    }
  }
  return Part(who, board_.Cancel(request.id()));
}

absl::StatusOr<v1::ListScansResponse> Scans::List(const Principal& who,
                                                  const v1::ListScansRequest& request) {
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 1);
  if (!after.ok()) return after.status();
  auto states = States<v1::Scan::State>(request.states(), &v1::Scan::State_IsValid);
  if (!states.ok()) return states.status();
  auto page = store_.scans().List({.states = *std::move(states),
                                   .schedule_id = request.schedule_id(),
                                   .after = (*after)[0],
                                   .limit = *size});
  if (absl::IsInvalidArgument(page.status())) return BadPageToken();
  if (!page.ok()) return page.status();
  if (Limited(who)) {
    const auto visible = VisibleHosts(who, resolve_);
    if (!visible.ok()) return visible.status();
    auto parts = PartsOf(std::move(page->scans), *visible);
    if (!parts.ok()) return parts.status();
    page->scans = *std::move(parts);
  }
  v1::ListScansResponse response;
  for (v1::Scan& scan : page->scans) *response.add_scans() = std::move(scan);
  response.set_next_page_token(EncodePageToken({page->next}));
  return response;
}

absl::StatusOr<v1::ListScanHostsResponse> Scans::ListHosts(
    const Principal& who, const v1::ListScanHostsRequest& request) {
  const auto size = PageSize(request.page_size());
  if (!size.ok()) return size.status();
  const auto after = DecodePageToken(request.page_token(), 2);
  if (!after.ok()) return after.status();
  auto states = States<v1::ScanHost::State>(request.states(), &v1::ScanHost::State_IsValid);
  if (!states.ok()) return states.status();
  std::optional<std::vector<std::string>> only;
  if (Limited(who)) {
    // A scan of other hosts is not there.
    const auto part = Part(who, board_.Get(request.scan_id()));
    if (!part.ok()) return part.status();
    auto visible = VisibleHosts(who, resolve_);
    if (!visible.ok()) return visible.status();
    only = *std::move(visible);
  }
  // One more than asked tells whether there is a next page.
  auto hosts = store_.scans().ListHosts({.scan_id = request.scan_id(),
                                         .states = *std::move(states),
                                         .after_hostname = (*after)[0],
                                         .after_id = (*after)[1],
                                         .only = std::move(only),
                                         .limit = *size + 1});
  if (!hosts.ok()) return hosts.status();
  v1::ListScanHostsResponse response;
  if (hosts->size() > static_cast<size_t>(*size)) {
    hosts->pop_back();
    response.set_next_page_token(
        EncodePageToken({hosts->back().hostname(), hosts->back().host_id()}));
  }
  for (v1::ScanHost& host : *hosts) *response.add_hosts() = std::move(host);
  return response;
}

absl::StatusOr<v1::HostReport> Scans::GetReport(const Principal& who,
                                                const v1::GetScanReportRequest& request) {
  std::string host = request.host();
  if (Limited(who)) {
    auto part = Part(who, board_.Get(request.scan_id()));
    if (!part.ok()) return part.status();
    const auto found = FindHost(store_, who, host);
    if (!found.ok()) return found.status();
    host = found->id();
  }
  const auto answer = store_.scans().GetAnswer(request.scan_id(), host, request.baseline());
  if (!answer.ok()) return answer.status();
  const auto facts =
      store_.reports().GetFactsAt(answer->host_id, absl::InfiniteFuture(), answer->sequence);
  if (!facts.ok()) return facts.status();
  if (facts->digest != answer->facts_digest) {
    return absl::DataLossError(absl::StrCat("the facts stored for host ", answer->host_id,
                                            ", sequence ", answer->sequence,
                                            ", are not those it answered with"));
  }
  const auto baseline = store_.reports().GetBaseline(answer->baseline_digest);
  if (!baseline.ok()) return baseline.status();
  const std::string digest = absl::BytesToHexString(answer->facts_digest);
  return evaluate::Evaluate(
      facts->facts, *baseline,
      {.as_of = answer->observed, .host_id = answer->host_id, .facts_digest = digest});
}

absl::StatusOr<v1::Scan> Scans::Part(const Principal& who, absl::StatusOr<v1::Scan> scan) {
  if (!Limited(who) || !scan.ok()) return scan;
  const std::string id = scan->id();
  const auto visible = VisibleHosts(who, resolve_);
  if (!visible.ok()) return visible.status();
  auto parts = PartsOf({*std::move(scan)}, *visible);
  if (!parts.ok()) return parts.status();
  if (parts->empty()) return absl::NotFoundError(absl::StrCat("no scan \"", id, "\""));
  return std::move(parts->front());
}

absl::StatusOr<std::vector<v1::Scan>> Scans::PartsOf(std::vector<v1::Scan> scans,
                                                     const std::vector<std::string>& visible) {
  auto parts = store_.scans().PartsOf(std::move(scans), visible);
  if (!parts.ok()) return parts;
  for (v1::Scan& part : *parts) {
    auto& named = *part.mutable_selector()->mutable_hosts();
    if (named.empty()) continue;
    // Each names one host at most.
    store::ScanHostQuery query;
    query.scan_id = part.id();
    query.limit = named.size();
    const auto hosts = store_.scans().ListHosts(query);
    if (!hosts.ok()) return hosts.status();
    std::set<absl::string_view> known;
    for (const v1::ScanHost& host : *hosts) {
      if (!std::binary_search(visible.begin(), visible.end(), host.host_id())) continue;
      known.insert({host.host_id(), host.hostname()});
    }
    named.erase(std::remove_if(named.begin(), named.end(),
                               [&known](const std::string& host) { return !known.contains(host); }),
                named.end());
  }
  return parts;
}

uint64_t Scans::Watch(const std::string& id, std::function<void()> changed) {
  return board_.Watch(id, std::move(changed));
}

void Scans::Unwatch(const std::string& id, uint64_t handle) { board_.Unwatch(id, handle); }

absl::StatusOr<v1::Scan> Scans::Observe(const Principal& who, const v1::WatchScanRequest& request) {
  return Part(who, board_.Observe(request.id()));
}

}  // namespace plimsoll::api
