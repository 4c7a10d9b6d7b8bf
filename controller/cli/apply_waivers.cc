// Planning waivers. Files know them by a name; every proposal of it is a waiver of its own, and
// none of them covers anything before somebody else approves it.
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/cli/apply_plan.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/waiver_service.grpc.pb.h"
#include "proto/support/clock.h"
#include "proto/support/times.h"

namespace plimsoll::cli {
namespace {

using google::protobuf::util::TimeUtil;
using Service = v1::WaiverService::Stub;

// Of what is over already: as if it still had some time to go.
constexpr absl::Duration kSomeTime = absl::Hours(1);

std::unique_ptr<Service> Stub(Client& client) {
  return v1::WaiverService::NewStub(client.channel());
}

bool IsLive(const v1::Waiver& waiver) {
  return waiver.state() == v1::Waiver::PROPOSED || waiver.state() == v1::Waiver::APPROVED;
}

// Waivers of the set by name, the newest proposal of each first.
absl::StatusOr<std::map<std::string, std::vector<v1::Waiver>>> WaiversOf(const PlanParts& parts) {
  std::vector<v1::Waiver> all;
  const auto more = ReadPages(
      0,
      [&parts](int size, const std::string& token) {
        v1::ListWaiversRequest request;
        request.set_managed_by(parts.set);
        request.set_page_size(size);
        request.set_page_token(token);
        return parts.client.Call(&Service::ListWaivers, Stub(parts.client), request);
      },
      [&all](const v1::ListWaiversResponse& page) {
        all.insert(all.end(), page.waivers().begin(), page.waivers().end());
      },
      [&all] { return static_cast<int>(all.size()); });
  if (!more.ok()) return more.status();
  std::stable_sort(all.begin(), all.end(), [](const v1::Waiver& a, const v1::Waiver& b) {
    return support::FromTimestamp(a.propose_time()) > support::FromTimestamp(b.propose_time());
  });
  std::map<std::string, std::vector<v1::Waiver>> by_name;
  for (v1::Waiver& waiver : all) by_name[waiver.name()].push_back(std::move(waiver));
  return by_name;
}

// As the controller would keep `wanted`, which `object` asks for. Changes nothing.
absl::StatusOr<v1::Waiver> Check(const PlanParts& parts, const PolicyObject& object,
                                 const v1::Waiver& wanted, bool over) {
  v1::CreateWaiverRequest request;
  request.set_validate_only(true);
  v1::Waiver& waiver = *request.mutable_waiver();
  waiver = wanted;
  const std::string& original = wanted.selector().expression();
  const auto sent = WrittenOut(parts, object);
  if (!sent.ok()) return sent.status();
  if (!original.empty()) waiver.mutable_selector()->set_expression(*sent);
  if (over) {
    *waiver.mutable_expire_time() = support::ToTimestamp(support::Clock::Real().Now() + kSomeTime);
  }
  auto checked = parts.client.Call(&Service::CreateWaiver, Stub(parts.client), request);
  if (!checked.ok()) return checked;
  *checked->mutable_expire_time() = wanted.expire_time();
  if (!original.empty()) {
    std::string* kept = checked->mutable_selector()->mutable_expression();
    *kept = NamedAgain(*kept, *sent, original);
  }
  return checked;
}

absl::Status Propose(Client& client, const v1::Waiver& waiver) {
  v1::CreateWaiverRequest request;
  *request.mutable_waiver() = waiver;
  return client.Call(&Service::CreateWaiver, Stub(client), request).status();
}

absl::Status Renew(Client& client, const v1::Waiver& waiver,
                   const google::protobuf::Timestamp& expire_time) {
  v1::RenewWaiverRequest request;
  request.set_waiver(waiver.id());
  *request.mutable_expire_time() = expire_time;
  request.set_version(waiver.version());
  return client.Call(&Service::RenewWaiver, Stub(client), request).status();
}

absl::Status Revoke(Client& client, const v1::Waiver& waiver, const std::string& note) {
  v1::DecideWaiverRequest request;
  request.set_waiver(waiver.id());
  request.set_note(note);
  request.set_version(waiver.version());
  return client.Call(&Service::RevokeWaiver, Stub(client), request).status();
}

// How the newest proposal of an unchanged object stands.
std::string StandingOf(const v1::Waiver& waiver) {
  const std::string by =
      absl::StrCat(waiver.id(), waiver.decided_by().empty() ? "" : " by ", waiver.decided_by());
  switch (waiver.state()) {
    case v1::Waiver::PROPOSED:
      return absl::StrCat("waits for approval: ", waiver.id());
    case v1::Waiver::REJECTED:
      return absl::StrCat("was rejected and is not proposed again as it is: ", by);
    case v1::Waiver::REVOKED:
      return absl::StrCat("was revoked and is not proposed again as it is: ", by);
    case v1::Waiver::EXPIRED:
      return absl::StrCat("has expired: ", waiver.id());
    default:
      return "";
  }
}

absl::Status PlanOne(const PlanParts& parts, const PolicyObject& object,
                     const std::vector<v1::Waiver>& there, Plan& plan) {
  v1::Waiver wanted = static_cast<const v1::Waiver&>(*object.spec);
  wanted.set_name(object.name);
  wanted.set_managed_by(parts.set);
  const bool over = wanted.has_expire_time() &&
                    support::FromTimestamp(wanted.expire_time()) <= support::Clock::Real().Now();
  auto checked = Check(parts, object, wanted, over);
  if (!checked.ok()) return TakeProblem(checked.status(), object, plan);
  PlanStep step{PlanAction::kNone, object.kind->name, object.name, &object};
  const v1::Waiver* newest = there.empty() ? nullptr : &there.front();
  if (newest != nullptr) step.fields = DifferenceOf(*newest, *checked, object.kind->members);
  const bool same = newest != nullptr && step.fields.empty();
  if (!same && over) {
    plan.problems.push_back(
        object.Problem("expire_time: is in the past; take the waiver out, or renew it"));
    return absl::OkStatus();
  }
  const bool renewable = newest != nullptr && step.fields.size() == 1 &&
                         step.fields[0].field == "expireTime" &&
                         (IsLive(*newest) || newest->state() == v1::Waiver::EXPIRED);
  // What this takes the place of; those before it were to be revoked already.
  std::vector<v1::Waiver> replaced;
  for (const v1::Waiver& waiver : there) {
    const bool stays = &waiver == newest && (same || renewable);
    if (!stays && IsLive(waiver)) replaced.push_back(waiver);
  }
  if (same) step.note = StandingOf(*newest);
  if (!same || !replaced.empty()) {
    step.action = replaced.empty() && !renewable ? PlanAction::kCreate : PlanAction::kChange;
    if (step.action == PlanAction::kCreate) {
      step.fields = DifferenceOf(v1::Waiver(), *checked, object.kind->members);
    }
    if (!same)
      step.note = renewable ? "renewed, which may need approval again"
                            : "proposed; covers nothing until it is approved";
    for (const v1::Waiver& waiver : replaced) absl::StrAppend(&step.note, "; ends ", waiver.id());
    const v1::Waiver known = newest == nullptr ? v1::Waiver() : *newest;
    step.run = [&client = parts.client, wanted, known, same, renewable, replaced,
                set = parts.set]() -> absl::Status {
      if (!same) {
        const absl::Status status =
            renewable ? Renew(client, known, wanted.expire_time()) : Propose(client, wanted);
        if (!status.ok()) return status;
      }
      for (const v1::Waiver& waiver : replaced) {
        const absl::Status status =
            Revoke(client, waiver, absl::StrCat("replaced by the files of set ", set));
        if (status.ok()) continue;
        return absl::Status(status.code(),
                            absl::StrCat(same        ? ""
                                         : renewable ? "it was renewed, but "
                                                     : "it was proposed, but ",
                                         waiver.id(), " could not be ended: ", status.message()));
      }
      return absl::OkStatus();
    };
  }
  plan.steps.push_back(std::move(step));
  return absl::OkStatus();
}

}  // namespace

absl::Status PlanWaivers(const PlanParts& parts, Plan& plan) {
  auto there = WaiversOf(parts);
  if (!there.ok()) return there.status();
  for (const PolicyObject* object : ObjectsOf(parts, "Waiver")) {
    const auto found = there->find(object->name);
    const std::vector<v1::Waiver> none;
    const auto& waivers = found == there->end() ? none : found->second;
    if (auto status = PlanOne(parts, *object, waivers, plan); !status.ok()) return status;
    if (found != there->end()) there->erase(found);
  }
  if (!parts.prune) return absl::OkStatus();
  for (const auto& [name, waivers] : *there) {
    for (const v1::Waiver& waiver : waivers) {
      if (!IsLive(waiver)) continue;
      PlanStep step{PlanAction::kPrune, "Waiver", name};
      step.note = absl::StrCat("revokes ", waiver.id());
      step.run = [&client = parts.client, waiver, set = parts.set] {
        return Revoke(client, waiver, absl::StrCat("no longer in the files of set ", set));
      };
      plan.steps.push_back(std::move(step));
    }
  }
  return absl::OkStatus();
}

}  // namespace plimsoll::cli
