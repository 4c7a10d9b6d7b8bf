#include "controller/api/selectors.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/access/permissions.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "proto/support/logging.h"
#include "proto/support/times.h"

namespace plimsoll::api {
namespace {

using store::Principal;

constexpr size_t kLongestDescription = 512;
constexpr int kPage = 1000;
constexpr size_t kMostUses = 100;
constexpr size_t kShownUses = 5;

absl::Status CheckExpression(const std::string& expression) {
  const auto parsed = fleet::ParseSelector(expression);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("expression: ", parsed.status().message()));
  }
  if (parsed->empty()) {
    return absl::InvalidArgumentError("expression: requires nothing; a selector has to require");
  }
  for (const fleet::Requirement& requirement : *parsed) {
    if (requirement.kind != fleet::Requirement::Kind::kSaved) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("expression: names @", requirement.key, "; a saved selector names no other"));
  }
  return absl::OkStatus();
}

// What cannot be read names nothing.
bool Uses(const std::string& expression, const std::string& name) {
  const auto parsed = fleet::ParseSelector(expression);
  return parsed.ok() && fleet::Names(*parsed, name);
}

std::string Shown(std::vector<std::string> uses) {
  const size_t all = uses.size();
  uses.resize(std::min(all, kShownUses));
  return absl::StrCat(absl::StrJoin(uses, ", "), all > kShownUses ? " and more" : "");
}

}  // namespace

absl::StatusOr<Selectors::Dependents> Selectors::DependentsOf(const std::string& name) const {
  Dependents uses;
  store::WaiverQuery query;
  query.states = {v1::Waiver::PROPOSED, v1::Waiver::APPROVED};
  query.now = clock_.Now();
  query.limit = kPage;
  for (bool more = true; more && uses.policy.size() < kMostUses;) {
    auto waivers = store_.waivers().List(query);
    if (!waivers.ok()) return waivers.status();
    for (const v1::Waiver& waiver : *waivers) {
      if (!Uses(waiver.selector().expression(), name)) continue;
      uses.policy.push_back(absl::StrCat("waivers/", waiver.id()));
    }
    more = waivers->size() == kPage;
    if (!more) break;
    query.after_expiry = support::FromTimestamp(waivers->back().expire_time());
    query.after_id = waivers->back().id();
  }
  auto tailorings = store_.tailorings().List();
  if (!tailorings.ok()) return tailorings.status();
  for (const v1::Tailoring& tailoring : *tailorings) {
    if (!Uses(tailoring.selector().expression(), name)) continue;
    uses.policy.push_back(absl::StrCat("tailorings/", tailoring.name()));
  }
  auto channels = store_.notifications().List();
  if (!channels.ok()) return channels.status();
  for (const store::StoredChannel& stored : *channels) {
    if (!Uses(stored.channel.selector(), name)) continue;
    uses.policy.push_back(absl::StrCat("notification-channels/", stored.channel.name()));
  }
  std::string after;
  for (bool more = true; more && uses.schedules.size() < kMostUses;) {
    auto schedules = store_.schedules().List(after, kPage);
    if (!schedules.ok()) return schedules.status();
    for (const v1::Schedule& schedule : *schedules) {
      after = schedule.name();
      if (!Uses(schedule.selector().expression(), name)) continue;
      uses.schedules.push_back(absl::StrCat("schedules/", schedule.name()));
    }
    more = schedules->size() == kPage;
  }
  return uses;
}

absl::Status Selectors::Count(const Principal& who, v1::SavedSelector& selector) const {
  auto wanted = fleet::ParseSelector(selector.expression());
  if (!wanted.ok()) return wanted.status();
  if (auto status = Narrow(who, *wanted); !status.ok()) return status;
  const fleet::Selection selection{*std::move(wanted), ""};
  selector.set_host_count(index_.Read([&selection](const fleet::Fleet& fleet) {
    return static_cast<int32_t>(fleet.Select(selection).Count());
  }));
  return absl::OkStatus();
}

void Selectors::Changed(const Principal& who, const std::string& name) {
  // Where this fails, the announcement brings it later.
  if (auto status = book_.Reload(); !status.ok()) {
    spdlog::warn("policy not reloaded error=\"{}\"", status.ToString());
  }
  spdlog::info("selector changed name={} by={}", support::LogSafe(name),
               support::LogSafe(who.name));
}

absl::StatusOr<v1::SavedSelector> Selectors::Save(const Principal& who,
                                                  const v1::SaveSelectorRequest& request) {
  if (auto status = RequireWholeFleet(who, "a saved selector"); !status.ok()) return status;
  v1::SavedSelector selector;
  selector.set_name(request.selector().name());
  selector.set_expression(request.selector().expression());
  selector.set_description(request.selector().description());
  selector.set_managed_by(request.selector().managed_by());
  selector.set_etag(request.selector().etag());
  for (const absl::Status& status :
       {CheckName("name", selector.name()), CheckExpression(selector.expression()),
        CheckLength("description", selector.description(), kLongestDescription),
        CheckOptionalName("managed_by", selector.managed_by())}) {
    if (!status.ok()) return status;
  }
  const auto before = store_.selectors().Get(selector.name());
  if (!before.ok() && !absl::IsNotFound(before.status())) return before.status();
  if (before.ok() && before->expression() != selector.expression()) {
    auto uses = DependentsOf(selector.name());
    if (!uses.ok()) return uses.status();
    // Whoever may not set those must not change what they are about.
    const auto allowed = access::RequirePermission(who, access::Permission::kPolicy);
    if (!uses->policy.empty() && !allowed.ok()) {
      return absl::PermissionDeniedError(absl::StrCat(allowed.message(), ": \"", selector.name(),
                                                      "\" is named by ", Shown(uses->policy)));
    }
  }
  if (!request.validate_only()) {
    auto saved = store_.selectors().Save(selector, who.name, clock_.Now());
    if (!saved.ok()) return saved.status();
    selector = *std::move(saved);
    Changed(who, selector.name());
  }
  if (auto status = Count(who, selector); !status.ok()) return status;
  return selector;
}

absl::StatusOr<v1::SavedSelector> Selectors::Get(const Principal& who,
                                                 const v1::GetSelectorRequest& request) {
  auto selector = store_.selectors().Get(request.name());
  if (!selector.ok()) return selector.status();
  if (auto status = Count(who, *selector); !status.ok()) return status;
  if (Limited(who)) return selector;
  auto uses = DependentsOf(selector->name());
  if (!uses.ok()) return uses.status();
  uses->policy.insert(uses->policy.end(), uses->schedules.begin(), uses->schedules.end());
  uses->policy.resize(std::min(uses->policy.size(), kMostUses));
  selector->mutable_used_by()->Assign(uses->policy.begin(), uses->policy.end());
  return selector;
}

absl::StatusOr<v1::ListSelectorsResponse> Selectors::List(const Principal& who,
                                                          const v1::ListSelectorsRequest&) {
  auto all = store_.selectors().List();
  if (!all.ok()) return all.status();
  v1::ListSelectorsResponse response;
  for (v1::SavedSelector& selector : *all) {
    if (auto status = Count(who, selector); !status.ok()) return status;
    *response.add_selectors() = std::move(selector);
  }
  return response;
}

absl::StatusOr<v1::DeleteSelectorResponse> Selectors::Delete(
    const Principal& who, const v1::DeleteSelectorRequest& request) {
  if (auto status = RequireWholeFleet(who, "a saved selector"); !status.ok()) return status;
  auto uses = DependentsOf(request.name());
  if (!uses.ok()) return uses.status();
  uses->policy.insert(uses->policy.end(), uses->schedules.begin(), uses->schedules.end());
  if (!uses->policy.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("\"", request.name().substr(0, 64), "\" is named by ", Shown(uses->policy)));
  }
  if (auto status = store_.selectors().Delete(request.name()); !status.ok()) return status;
  Changed(who, request.name());
  v1::DeleteSelectorResponse response;
  response.set_name(request.name());
  return response;
}

}  // namespace plimsoll::api
