#include "controller/api/tailorings.h"

#include <spdlog/spdlog.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "controller/api/api.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "controller/evaluate/tailor.h"
#include "proto/support/logging.h"

namespace plimsoll::api {
namespace {

using store::Principal;

constexpr int kMostRules = 500;
constexpr int kMostParameters = 32;
constexpr size_t kLongestText = 1024;
constexpr size_t kLongestValue = 4096;
constexpr int kHighestPriority = 1000;

absl::Status CheckRule(const v1::RuleTailoring& rule, const std::string& place) {
  if (rule.switched_off().empty() && rule.severity() == v1::SEVERITY_UNSPECIFIED &&
      rule.parameters().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, ": says nothing; give switched_off, severity or parameters"));
  }
  if (!v1::Severity_IsValid(rule.severity())) {
    return absl::InvalidArgumentError(absl::StrCat(place, ".severity: is no severity"));
  }
  if (rule.parameters_size() > kMostParameters) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, ".parameters: more than ", kMostParameters));
  }
  for (const auto& [name, value] : rule.parameters()) {
    if (auto status = CheckLength(absl::StrCat(place, ".parameters.", name.substr(0, 64)), value,
                                  kLongestValue);
        !status.ok()) {
      return status;
    }
  }
  return CheckLength(absl::StrCat(place, ".switched_off"), rule.switched_off(), kLongestText);
}

}  // namespace

absl::Status Tailorings::Check(v1::Tailoring& tailoring) const {
  if (auto status = CheckName("name", tailoring.name()); !status.ok()) return status;
  auto baseline = Baselines(book_).Find(tailoring.baseline());
  if (!baseline.ok()) return baseline.status();
  if (!tailoring.selector().hosts().empty()) {
    return absl::InvalidArgumentError(
        "selector.hosts: a tailoring selects by labels; give the hosts a label of their own");
  }
  if (auto status = CheckSelector(tailoring.selector(), "selector.", "expression"); !status.ok()) {
    return status;
  }
  const auto policy = book_.current();
  if (auto matcher = policy::HostMatcher::Of(tailoring.selector(), policy->selectors());
      !matcher.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("selector: ", matcher.status().message()));
  }
  if (tailoring.priority() < -kHighestPriority || tailoring.priority() > kHighestPriority) {
    return absl::InvalidArgumentError("priority: expected -1000 to 1000");
  }
  for (const absl::Status& status :
       {CheckLength("description", tailoring.description(), kLongestText),
        CheckOptionalName("managed_by", tailoring.managed_by())}) {
    if (!status.ok()) return status;
  }
  if (tailoring.rules().empty() || tailoring.rules_size() > kMostRules) {
    return absl::InvalidArgumentError(absl::StrCat("rules: expected 1 to ", kMostRules));
  }
  std::set<std::string> seen;
  for (int i = 0; i < tailoring.rules_size(); ++i) {
    v1::RuleTailoring& rule = *tailoring.mutable_rules(i);
    const std::string place = absl::StrCat("rules[", i, "]");
    auto found = Baselines::FindRule(**baseline, rule.rule());
    if (!found.ok()) return found.status();
    rule.set_rule((*found)->id());
    if (!seen.insert(rule.rule()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ".rule: ", rule.rule(), " comes twice"));
    }
    if (auto status = CheckRule(rule, place); !status.ok()) return status;
  }
  return evaluate::Tailor(**baseline, {&tailoring}).status();
}

void Tailorings::Changed(const Principal& who, const std::string& name) {
  // Where this fails, the announcement brings it later.
  if (auto status = book_.Reload(); !status.ok()) {
    spdlog::warn("policy not reloaded error=\"{}\"", status.ToString());
  }
  spdlog::info("tailoring changed name={} by={}", support::LogSafe(name),
               support::LogSafe(who.name));
}

absl::StatusOr<v1::Tailoring> Tailorings::Set(const Principal& who,
                                              const v1::SetTailoringRequest& request) {
  if (auto status = RequireWholeFleet(who, "tailoring"); !status.ok()) return status;
  v1::Tailoring tailoring = request.tailoring();
  if (auto status = Check(tailoring); !status.ok()) return status;
  if (request.validate_only()) return tailoring;
  auto made = store_.tailorings().Set(tailoring, who.name, clock_.Now());
  if (made.ok()) Changed(who, tailoring.name());
  return made;
}

absl::StatusOr<v1::Tailoring> Tailorings::Get(const Principal& who,
                                              const v1::GetTailoringRequest& request) {
  return store_.tailorings().Get(request.name());
}

absl::StatusOr<v1::ListTailoringsResponse> Tailorings::List(
    const Principal& who, const v1::ListTailoringsRequest& request) {
  auto all = store_.tailorings().List();
  if (!all.ok()) return all.status();
  v1::ListTailoringsResponse response;
  for (v1::Tailoring& tailoring : *all) {
    if (!request.baseline().empty() && tailoring.baseline() != request.baseline()) continue;
    *response.add_tailorings() = std::move(tailoring);
  }
  return response;
}

absl::StatusOr<v1::DeleteTailoringResponse> Tailorings::Delete(
    const Principal& who, const v1::DeleteTailoringRequest& request) {
  if (auto status = RequireWholeFleet(who, "tailoring"); !status.ok()) return status;
  if (auto status = store_.tailorings().Delete(request.name()); !status.ok()) return status;
  Changed(who, request.name());
  v1::DeleteTailoringResponse response;
  response.set_name(request.name());
  return response;
}

}  // namespace plimsoll::api
