// What changes waivers; what reads them is in waiver_views.cc.
#include "controller/api/waivers.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/access/permissions.h"
#include "controller/api/api.h"
#include "controller/api/requests.h"
#include "controller/api/scope.h"
#include "proto/support/logging.h"
#include "proto/support/times.h"

namespace plimsoll::api {
namespace {

using access::Permission;
using store::Principal;

constexpr int kMostRules = 100;
constexpr size_t kLongestText = 2048;
constexpr size_t kLongestName = 256;
// A glob with many stars can take very long on a text that nearly fits.
constexpr int kMostStars = 8;

// Who answers for what a caller does: the user, also behind a token.
std::string AccountOf(const Principal& who) {
  if (!who.user_id.empty()) return who.user_id;
  return who.maker_id.empty() ? who.token_id : who.maker_id;
}

bool IsProposer(const Principal& who, const v1::Waiver& waiver) {
  return waiver.proposed_by() == who.name || waiver.proposed_by_account() == AccountOf(who);
}

absl::Status CheckTexts(const v1::Waiver& waiver) {
  if (waiver.reason().empty()) {
    return absl::InvalidArgumentError("reason: say why the failure is accepted");
  }
  if (waiver.owner().empty()) {
    return absl::InvalidArgumentError("owner: say who answers for it");
  }
  for (const absl::Status& status : {CheckLength("reason", waiver.reason(), kLongestText),
                                     CheckLength("owner", waiver.owner(), kLongestName),
                                     CheckLength("ticket", waiver.ticket(), kLongestName),
                                     CheckOptionalName("name", waiver.name()),
                                     CheckOptionalName("managed_by", waiver.managed_by())}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckVersion(const v1::Waiver& waiver, int64_t wanted) {
  if (wanted == 0 || wanted == waiver.version()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("version: ", waiver.id(), " is at version ",
                                                    waiver.version(), ", not ", wanted,
                                                    "; look at it again before deciding"));
}

absl::Status WrongState(const v1::Waiver& waiver, absl::string_view wanted) {
  return absl::FailedPreconditionError(absl::StrCat(
      "waiver ", waiver.id(), " is ", v1::Waiver::State_Name(waiver.state()), ", not ", wanted));
}

void Decide(const Principal& who, const store::WaiverNote& note, v1::Waiver::State state,
            v1::Waiver& waiver) {
  waiver.set_state(state);
  waiver.set_decided_by(who.name);
  *waiver.mutable_decide_time() = support::ToTimestamp(note.time);
  waiver.set_decision_note(note.note);
}

}  // namespace

absl::Status Waivers::Normalize(const Principal& who, v1::Waiver& waiver) const {
  if (waiver.rules().empty() || waiver.rules_size() > kMostRules) {
    return absl::InvalidArgumentError(absl::StrCat("rules: expected 1 to ", kMostRules));
  }
  std::set<std::pair<std::string, std::string>> rules;
  const Baselines baselines(book_);
  for (const v1::RuleRef& ref : waiver.rules()) {
    auto baseline = baselines.Find(ref.baseline());
    if (!baseline.ok()) return baseline.status();
    auto rule = Baselines::FindRule(**baseline, ref.rule());
    if (!rule.ok()) return rule.status();
    rules.emplace(ref.baseline(), (*rule)->id());
  }
  waiver.clear_rules();
  for (const auto& [baseline, rule] : rules) {
    v1::RuleRef& ref = *waiver.add_rules();
    ref.set_baseline(baseline);
    ref.set_rule(rule);
  }
  if (auto status = CheckLength("object_pattern", waiver.object_pattern(), kLongestName);
      !status.ok()) {
    return status;
  }
  const std::string& pattern = waiver.object_pattern();
  if (std::count(pattern.begin(), pattern.end(), '*') > kMostStars) {
    return absl::InvalidArgumentError(
        absl::StrCat("object_pattern: more than ", kMostStars, " stars"));
  }
  v1::HostSelector& selector = *waiver.mutable_selector();
  if (auto status = CheckSelector(selector, "selector.", "expression"); !status.ok()) return status;
  const auto policy = book_.current();
  const auto resolve = [&](const v1::HostSelector& asked) {
    return index_.Read(
        [&](const fleet::Fleet& fleet) { return fleet.Resolve(asked, policy->selectors()); });
  };
  // First, so that names outside the caller's part of the fleet are as if they were not there.
  if (auto status = Narrow(who, resolve, selector); !status.ok()) return status;
  // Names are of the hosts' own choosing: what is approved for one must not pass to another that
  // takes its name.
  std::set<std::string> ids;
  for (const std::string& host : selector.hosts()) {
    v1::HostSelector one;
    one.add_hosts(host);
    const auto found = resolve(one);
    if (!found.ok()) return found.status();
    // A selector without names would mean every host.
    if (found->empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("selector.hosts: host \"", host, "\" is revoked; no verdict of it counts"));
    }
    ids.insert(found->begin(), found->end());
  }
  selector.mutable_hosts()->Assign(ids.begin(), ids.end());
  if (auto matcher = policy::HostMatcher::Of(selector, policy->selectors()); !matcher.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("selector: ", matcher.status().message()));
  }
  return absl::OkStatus();
}

absl::Status Waivers::CheckTimes(const v1::Waiver& waiver) const {
  const absl::Time now = clock_.Now();
  if (!waiver.has_expire_time()) {
    return absl::InvalidArgumentError("expire_time: a waiver has to end; say when");
  }
  const absl::Time expire = support::FromTimestamp(waiver.expire_time());
  if (expire <= now) return absl::InvalidArgumentError("expire_time: is in the past");
  if (expire > now + options_.maximum) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expire_time: at most ", options_.maximum / absl::Hours(24), " days from now"));
  }
  if (waiver.has_start_time() && support::FromTimestamp(waiver.start_time()) >= expire) {
    return absl::InvalidArgumentError("start_time: is not before expire_time");
  }
  return absl::OkStatus();
}

v1::Waiver Waivers::Changed(v1::Waiver waiver, const store::WaiverNote& note) {
  // Where this fails, the announcement brings it later.
  if (auto status = book_.Reload(); !status.ok()) {
    spdlog::warn("policy not reloaded error=\"{}\"", status.ToString());
  }
  spdlog::info("waiver changed waiver={} action={} by={}", waiver.id(),
               v1::WaiverChange::Action_Name(note.action), support::LogSafe(note.actor));
  policy::SetTimes(clock_.Now(), waiver);
  return waiver;
}

absl::StatusOr<v1::Waiver> Waivers::FindOwn(const Principal& who, const std::string& id) const {
  auto waiver = Find(who, id);
  // Not only the hosts that are there now: every one it can ever mean.
  if (!waiver.ok() || Within(who, waiver->selector())) return waiver;
  return absl::PermissionDeniedError(
      absl::StrCat("waiver ", waiver->id(), " is about hosts outside your part of the fleet, too"));
}

absl::StatusOr<v1::Waiver> Waivers::Create(const Principal& who,
                                           const v1::CreateWaiverRequest& request) {
  const v1::Waiver& from = request.waiver();
  v1::Waiver waiver;
  *waiver.mutable_rules() = from.rules();
  *waiver.mutable_selector() = from.selector();
  waiver.set_object_pattern(from.object_pattern());
  waiver.set_reason(from.reason());
  waiver.set_owner(from.owner());
  waiver.set_ticket(from.ticket());
  if (from.has_start_time()) *waiver.mutable_start_time() = from.start_time();
  if (from.has_expire_time()) *waiver.mutable_expire_time() = from.expire_time();
  waiver.set_bound_to_facts(from.bound_to_facts());
  waiver.set_name(from.name());
  waiver.set_managed_by(from.managed_by());
  for (const absl::Status& status :
       {CheckTexts(waiver), CheckTimes(waiver), Normalize(who, waiver)}) {
    if (!status.ok()) return status;
  }
  if (request.validate_only()) return waiver;
  const store::WaiverNote note{v1::WaiverChange::PROPOSE, who.name, "", clock_.Now()};
  waiver.set_id(NewId("w-"));
  waiver.set_state(v1::Waiver::PROPOSED);
  waiver.set_proposed_by(who.name);
  waiver.set_proposed_by_account(AccountOf(who));
  *waiver.mutable_propose_time() = support::ToTimestamp(note.time);
  auto made = store_.waivers().Create(waiver, note);
  if (!made.ok()) return made.status();
  return Changed(*std::move(made), note);
}

absl::StatusOr<store::WaiverBindings> Waivers::Bind(const v1::Waiver& waiver) const {
  const auto policy = book_.current();
  auto hosts = fleet::FindCoverageHosts(index_, waiver, policy->selectors(), {});
  if (!hosts.ok()) return hosts.status();
  store::WaiverBindings bindings;
  size_t count = 0;
  bool over = hosts->failing.size() > options_.maximum_hosts;
  if (!over) {
    const auto status = fleet::VisitCoverage(
        store_.reports(), *policy, waiver, hosts->failing, 0, hosts->failing.size(),
        [&](size_t host, const fleet::CoveredFinding& found) {
          std::vector<uint64_t>& approved = bindings[hosts->failing[host].id];
          if (std::find(approved.begin(), approved.end(), found.fingerprint) == approved.end()) {
            approved.push_back(found.fingerprint);
            over = ++count > options_.maximum_bindings;
          }
          return !over;
        });
    if (!status.ok()) return status;
  }
  if (over) {
    return absl::FailedPreconditionError(absl::StrCat(
        "waiver ", waiver.id(), " covers more than can be bound to facts (", options_.maximum_hosts,
        " hosts, ", options_.maximum_bindings, " objects); narrow its selector"));
  }
  return bindings;
}

absl::StatusOr<v1::Waiver> Waivers::Approve(const Principal& who,
                                            const v1::DecideWaiverRequest& request) {
  if (auto status = CheckLength("note", request.note(), kLongestText); !status.ok()) return status;
  auto found = FindOwn(who, request.waiver());
  if (!found.ok()) return found.status();
  store::WaiverBindings bindings;
  if (found->bound_to_facts()) {
    auto bound = Bind(*found);
    if (!bound.ok()) return bound.status();
    bindings = *std::move(bound);
  }
  const store::WaiverNote note{v1::WaiverChange::APPROVE, who.name, request.note(), clock_.Now()};
  auto done = store_.waivers().Update(
      found->id(),
      [&](v1::Waiver& waiver) -> absl::Status {
        if (auto status = CheckVersion(waiver, request.version()); !status.ok()) return status;
        policy::SetTimes(note.time, waiver);
        if (waiver.state() != v1::Waiver::PROPOSED) return WrongState(waiver, "PROPOSED");
        // It may have been changed while its objects were looked at.
        if (waiver.version() != found->version()) {
          return absl::FailedPreconditionError(
              absl::StrCat("waiver ", waiver.id(), " was changed meanwhile; look at it again"));
        }
        if (options_.two_persons && IsProposer(who, waiver)) {
          return absl::PermissionDeniedError(absl::StrCat(
              "\"", who.name, "\" proposed waiver ", waiver.id(), "; another person approves it"));
        }
        Decide(who, note, v1::Waiver::APPROVED, waiver);
        int64_t bound = 0;
        for (const auto& [host, approved] : bindings) bound += approved.size();
        waiver.set_bound_object_count(bound);
        return absl::OkStatus();
      },
      note, &bindings);
  if (!done.ok()) return done.status();
  return Changed(*std::move(done), note);
}

absl::StatusOr<v1::Waiver> Waivers::Reject(const Principal& who,
                                           const v1::DecideWaiverRequest& request) {
  if (auto status = CheckLength("note", request.note(), kLongestText); !status.ok()) return status;
  auto found = FindOwn(who, request.waiver());
  if (!found.ok()) return found.status();
  const store::WaiverNote note{v1::WaiverChange::REJECT, who.name, request.note(), clock_.Now()};
  auto done = store_.waivers().Update(
      found->id(),
      [&](v1::Waiver& waiver) -> absl::Status {
        if (auto status = CheckVersion(waiver, request.version()); !status.ok()) return status;
        if (waiver.state() != v1::Waiver::PROPOSED) return WrongState(waiver, "PROPOSED");
        Decide(who, note, v1::Waiver::REJECTED, waiver);
        return absl::OkStatus();
      },
      note, nullptr);
  if (!done.ok()) return done.status();
  return Changed(*std::move(done), note);
}

absl::StatusOr<v1::Waiver> Waivers::Renew(const Principal& who,
                                          const v1::RenewWaiverRequest& request) {
  if (auto status = CheckLength("note", request.note(), kLongestText); !status.ok()) return status;
  auto found = FindOwn(who, request.waiver());
  if (!found.ok()) return found.status();
  const store::WaiverNote note{v1::WaiverChange::RENEW, who.name, request.note(), clock_.Now()};
  auto done = store_.waivers().Update(
      found->id(),
      [&](v1::Waiver& waiver) -> absl::Status {
        if (auto status = CheckVersion(waiver, request.version()); !status.ok()) return status;
        if (waiver.state() == v1::Waiver::REJECTED || waiver.state() == v1::Waiver::REVOKED) {
          return WrongState(waiver, "one that can be renewed; propose another");
        }
        waiver.clear_expire_time();
        if (request.has_expire_time()) *waiver.mutable_expire_time() = request.expire_time();
        if (auto status = CheckTimes(waiver); !status.ok()) return status;
        const bool approver = access::Allows(who.role, Permission::kApproveWaiver);
        if (!options_.two_persons && approver) return absl::OkStatus();
        // A renewal waits for its approval, and covers nothing meanwhile: that is not for anybody.
        if (!approver && !IsProposer(who, waiver)) {
          return absl::PermissionDeniedError(
              absl::StrCat("waiver ", waiver.id(),
                           " was proposed by somebody else; who may approve may renew it"));
        }
        waiver.set_state(v1::Waiver::PROPOSED);
        waiver.set_proposed_by(who.name);
        waiver.set_proposed_by_account(AccountOf(who));
        *waiver.mutable_propose_time() = support::ToTimestamp(note.time);
        waiver.clear_decided_by();
        waiver.clear_decide_time();
        waiver.clear_decision_note();
        return absl::OkStatus();
      },
      note, nullptr);
  if (!done.ok()) return done.status();
  return Changed(*std::move(done), note);
}

absl::StatusOr<v1::Waiver> Waivers::Revoke(const Principal& who,
                                           const v1::DecideWaiverRequest& request) {
  if (auto status = CheckLength("note", request.note(), kLongestText); !status.ok()) return status;
  auto found = FindOwn(who, request.waiver());
  if (!found.ok()) return found.status();
  const store::WaiverNote note{v1::WaiverChange::REVOKE, who.name, request.note(), clock_.Now()};
  auto done = store_.waivers().Update(
      found->id(),
      [&](v1::Waiver& waiver) -> absl::Status {
        if (auto status = CheckVersion(waiver, request.version()); !status.ok()) return status;
        const bool withdraws = waiver.state() == v1::Waiver::PROPOSED && IsProposer(who, waiver);
        if (!withdraws) {
          if (auto status = access::RequirePermission(who, Permission::kApproveWaiver);
              !status.ok()) {
            return status;
          }
        }
        policy::SetTimes(note.time, waiver);
        if (waiver.state() != v1::Waiver::PROPOSED && waiver.state() != v1::Waiver::APPROVED) {
          return WrongState(waiver, "PROPOSED or APPROVED");
        }
        Decide(who, note, v1::Waiver::REVOKED, waiver);
        return absl::OkStatus();
      },
      note, nullptr);
  if (!done.ok()) return done.status();
  return Changed(*std::move(done), note);
}

}  // namespace plimsoll::api
