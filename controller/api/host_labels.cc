#include "controller/api/host_labels.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "proto/support/labels.h"
#include "proto/support/logging.h"

namespace plimsoll::api {
namespace {

using store::Principal;

constexpr int kMostLabels = 64;
// Their rows are locked together.
constexpr size_t kMostHosts = 10'000;
constexpr int kMostShown = 1000;
// How long an answer waits for the index to show what it did.
constexpr absl::Duration kShowTime = absl::Seconds(2);

absl::Status WithField(absl::string_view field, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", status.message()));
}

absl::Status Check(const v1::SetHostLabelsRequest& request) {
  if (request.set().empty() && request.remove().empty()) {
    return absl::InvalidArgumentError("set: says nothing; give labels to set or keys to remove");
  }
  if (request.set_size() > kMostLabels || request.remove_size() > kMostLabels) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.set_size() > kMostLabels ? "set" : "remove", ": more than ",
                     kMostLabels, " labels"));
  }
  for (const auto& [key, value] : request.set()) {
    if (auto status = WithField("set", support::CheckLabel(key, value)); !status.ok()) {
      return status;
    }
  }
  for (const std::string& key : request.remove()) {
    if (auto status = WithField("remove", support::CheckLabelKey(key)); !status.ok()) {
      return status;
    }
    if (request.set().contains(key)) {
      return absl::InvalidArgumentError(absl::StrCat("remove: ", key, " is set as well"));
    }
  }
  if (auto status = CheckOptionalName("managed_by", request.managed_by()); !status.ok()) {
    return status;
  }
  return CheckSelector(request.selector(), "selector.", "expression");
}

}  // namespace

absl::StatusOr<v1::SetHostLabelsResponse> HostLabels::Set(const Principal& who,
                                                          const v1::SetHostLabelsRequest& request) {
  if (auto status = Check(request); !status.ok()) return status;
  const auto policy = book_.current();
  const auto resolve = [&](const v1::HostSelector& asked) {
    return index_.Read(
        [&](const fleet::Fleet& fleet) { return fleet.Resolve(asked, policy->selectors()); });
  };
  v1::HostSelector selector = request.selector();
  if (auto status = Narrow(who, resolve, selector); !status.ok()) return status;
  const auto ids = resolve(selector);
  if (!ids.ok()) return ids.status();
  if (ids->size() > kMostHosts) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the selector means ", ids->size(), " hosts; label at most ", kMostHosts, " at once"));
  }
  const auto scope = ScopeOf(who);
  if (!scope.ok()) return scope.status();
  const auto check = [&](const store::LabeledHost& host) -> absl::Status {
    if (host.after.central_labels_size() > kMostLabels) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "host ", host.after.id(), " would have more than ", kMostLabels, " central labels"));
    }
    for (const v1::Host* each : {&host.before, &host.after}) {
      if (fleet::Matches(*scope, {each->labels().begin(), each->labels().end()})) continue;
      return absl::PermissionDeniedError(
          absl::StrCat("\"", who.name, "\" sees hosts with ", who.scope, " only; host ", each->id(),
                       each == &host.after ? " would be" : " is", " outside"));
    }
    return absl::OkStatus();
  };
  auto changed = store_.hosts().SetLabels(*ids,
                                          {{request.set().begin(), request.set().end()},
                                           {request.remove().begin(), request.remove().end()},
                                           request.managed_by(),
                                           request.validate_only()},
                                          check);
  if (!changed.ok()) return changed.status();
  v1::SetHostLabelsResponse response;
  response.set_selected_host_count(static_cast<int32_t>(ids->size()));
  response.set_changed_host_count(static_cast<int32_t>(changed->size()));
  if (ids->size() == 1) response.set_host_id(ids->front());
  std::vector<std::string> changed_ids;
  for (const store::LabeledHost& host : *changed) {
    changed_ids.push_back(host.after.id());
    if (response.changes_size() == kMostShown) continue;
    v1::HostLabelChange& change = *response.add_changes();
    change.set_host_id(host.after.id());
    change.set_hostname(host.after.hostname());
    *change.mutable_before() = host.before.central_labels();
    *change.mutable_after() = host.after.central_labels();
  }
  if (request.validate_only() || changed->empty()) return response;
  spdlog::info("labels set hosts={} by={}", changed->size(), support::LogSafe(who.name));
  index_.Changed(changed_ids);
  // The change is made whether or not the lists show it in time.
  index_.Await(kShowTime);
  judge_again_();
  return response;
}

}  // namespace plimsoll::api
