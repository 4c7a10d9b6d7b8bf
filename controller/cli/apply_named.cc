// Planning objects that have a name of their own, which is what files know them by.
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/cli/apply_plan.h"
#include "controller/cli/host_filter.h"
#include "plimsoll/v1/notification_service.grpc.pb.h"
#include "plimsoll/v1/schedule_service.grpc.pb.h"
#include "plimsoll/v1/selector_service.grpc.pb.h"
#include "plimsoll/v1/tailoring_service.grpc.pb.h"

namespace plimsoll::cli {
namespace {

// How the API makes, changes and removes objects of one kind.
template <class Object>
struct Calls {
  std::function<absl::StatusOr<std::vector<Object>>()> list;
  // `exists`: there is one of that name.
  std::function<absl::StatusOr<Object>(const Object& wanted, bool exists, bool validate_only)> put;
  std::function<absl::Status(const Object&)> remove;
};

std::string* ExpressionOf(v1::NotificationChannel& channel) { return channel.mutable_selector(); }
// A saved selector names no other.
std::string* ExpressionOf(v1::SavedSelector&) { return nullptr; }
template <class Object>
std::string* ExpressionOf(Object& object) {
  return object.mutable_selector()->mutable_expression();
}

template <class Object>
void SetSecret(const std::string&, Object&) {}
void SetSecret(const std::string& secret, v1::NotificationChannel& channel) {
  if (secret.empty()) return;
  if (channel.has_webhook()) channel.mutable_webhook()->set_secret(secret);
  if (channel.has_email()) channel.mutable_email()->set_password(secret);
}

// What says nothing of what a person set.
template <class Object>
void ClearMarks(Object&) {}
void ClearMarks(v1::NotificationChannel& channel) {
  if (channel.has_webhook()) channel.mutable_webhook()->clear_has_secret();
  if (channel.has_email()) channel.mutable_email()->clear_has_password();
}

// As the controller would keep `wanted`, which `object` asks for. Changes nothing.
template <class Object>
absl::StatusOr<Object> Check(const PlanParts& parts, const Calls<Object>& calls,
                             const PolicyObject& object, const Object& wanted, bool exists) {
  Object written_out = wanted;
  std::string* expression = ExpressionOf(written_out);
  if (expression == nullptr || expression->empty()) return calls.put(wanted, exists, true);
  const std::string original = *expression;
  const auto sent = WrittenOut(parts, object);
  if (!sent.ok()) return sent.status();
  *expression = *sent;
  auto checked = calls.put(written_out, exists, true);
  if (!checked.ok()) return checked;
  std::string* kept = ExpressionOf(*checked);
  if (kept != nullptr) *kept = NamedAgain(*kept, *sent, original);
  return checked;
}

template <class Object>
absl::Status PlanOne(const PlanParts& parts, const Calls<Object>& calls, const PolicyObject& object,
                     const Object* existing, Plan& plan) {
  if (existing != nullptr && !existing->managed_by().empty() &&
      existing->managed_by() != parts.set) {
    plan.problems.push_back(object.Problem(absl::StrCat(
        "belongs to the set \"", existing->managed_by(), "\"; take it out of one of the two")));
    return absl::OkStatus();
  }
  Object wanted = static_cast<const Object&>(*object.spec);
  wanted.set_name(object.name);
  wanted.set_managed_by(parts.set);
  SetSecret(object.secret, wanted);
  if (existing != nullptr) wanted.set_etag(existing->etag());
  auto checked = Check(parts, calls, object, wanted, existing != nullptr);
  if (!checked.ok()) return TakeProblem(checked.status(), object, plan);
  PlanStep step{PlanAction::kNone, object.kind->name, object.name, &object};
  std::vector<std::string> members = object.kind->members;
  members.push_back("managed_by");
  Object before = existing == nullptr ? Object() : *existing;
  ClearMarks(before);
  ClearMarks(*checked);
  step.fields = DifferenceOf(before, *checked, members);
  if constexpr (std::is_same_v<Object, v1::NotificationChannel>) {
    if (!object.secret.empty() && (existing == nullptr || checked->etag().empty())) {
      step.fields.push_back(
          {"secret", existing == nullptr ? "" : "(what is kept)", "(the file's)"});
    }
  }
  if (existing == nullptr || !step.fields.empty()) {
    step.action = existing == nullptr ? PlanAction::kCreate : PlanAction::kChange;
    step.run = [put = calls.put, wanted, exists = existing != nullptr] {
      return put(wanted, exists, false).status();
    };
  }
  plan.steps.push_back(std::move(step));
  return absl::OkStatus();
}

template <class Object>
absl::Status PlanNamed(const PlanParts& parts, const char* kind, const Calls<Object>& calls,
                       Plan& plan) {
  const auto all = calls.list();
  if (!all.ok()) return all.status();
  std::map<std::string, const Object*> existing;
  for (const Object& object : *all) existing[object.name()] = &object;
  std::map<std::string, const PolicyObject*> wanted;
  for (const PolicyObject* object : ObjectsOf(parts, kind)) {
    wanted[object->name] = object;
    const auto found = existing.find(object->name);
    const Object* there = found == existing.end() ? nullptr : found->second;
    if (auto status = PlanOne(parts, calls, *object, there, plan); !status.ok()) return status;
  }
  if (!parts.prune) return absl::OkStatus();
  for (const Object& object : *all) {
    if (object.managed_by() != parts.set || wanted.count(object.name()) > 0) continue;
    PlanStep step{PlanAction::kPrune, kind, object.name()};
    step.run = [remove = calls.remove, object] { return remove(object); };
    plan.steps.push_back(std::move(step));
  }
  return absl::OkStatus();
}

template <class Service, class Request, class Response, class Fill>
absl::StatusOr<Response> Ask(Client& client,
                             grpc::Status (Service::Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Response*),
                             const Fill& fill) {
  Request request;
  fill(request);
  return client.Call(method, Service::NewStub(client.channel()), request);
}

}  // namespace

absl::Status PlanSelectors(const PlanParts& parts, Plan& plan) {
  using Service = v1::SelectorService;
  Client& client = parts.client;
  Calls<v1::SavedSelector> calls;
  calls.list = [&client]() -> absl::StatusOr<std::vector<v1::SavedSelector>> {
    auto all = Ask<Service>(client, &Service::Stub::ListSelectors, [](auto&) {});
    if (!all.ok()) return all.status();
    return std::vector<v1::SavedSelector>(all->selectors().begin(), all->selectors().end());
  };
  calls.put = [&client](const v1::SavedSelector& wanted, bool, bool validate_only) {
    return Ask<Service>(client, &Service::Stub::SaveSelector, [&](auto& request) {
      *request.mutable_selector() = wanted;
      request.set_validate_only(validate_only);
    });
  };
  calls.remove = [&client](const v1::SavedSelector& selector) {
    return Ask<Service>(client, &Service::Stub::DeleteSelector,
                        [&](auto& request) { request.set_name(selector.name()); })
        .status();
  };
  return PlanNamed(parts, "Selector", calls, plan);
}

absl::Status PlanTailorings(const PlanParts& parts, Plan& plan) {
  using Service = v1::TailoringService;
  Client& client = parts.client;
  Calls<v1::Tailoring> calls;
  calls.list = [&client]() -> absl::StatusOr<std::vector<v1::Tailoring>> {
    auto all = Ask<Service>(client, &Service::Stub::ListTailorings, [](auto&) {});
    if (!all.ok()) return all.status();
    return std::vector<v1::Tailoring>(all->tailorings().begin(), all->tailorings().end());
  };
  calls.put = [&client](const v1::Tailoring& wanted, bool, bool validate_only) {
    return Ask<Service>(client, &Service::Stub::SetTailoring, [&](auto& request) {
      *request.mutable_tailoring() = wanted;
      request.set_validate_only(validate_only);
    });
  };
  calls.remove = [&client](const v1::Tailoring& tailoring) {
    return Ask<Service>(client, &Service::Stub::DeleteTailoring,
                        [&](auto& request) { request.set_name(tailoring.name()); })
        .status();
  };
  return PlanNamed(parts, "Tailoring", calls, plan);
}

absl::Status PlanSchedules(const PlanParts& parts, Plan& plan) {
  using Service = v1::ScheduleService;
  Client& client = parts.client;
  Calls<v1::Schedule> calls;
  calls.list = [&client]() -> absl::StatusOr<std::vector<v1::Schedule>> {
    std::vector<v1::Schedule> all;
    const auto more = ReadPages(
        0,
        [&client](int size, const std::string& token) {
          return Ask<Service>(client, &Service::Stub::ListSchedules, [&](auto& request) {
            request.set_page_size(size);
            request.set_page_token(token);
          });
        },
        [&all](const auto& page) {
          all.insert(all.end(), page.schedules().begin(), page.schedules().end());
        },
        [&all] { return static_cast<int>(all.size()); });
    if (!more.ok()) return more.status();
    return all;
  };
  calls.put = [&client](const v1::Schedule& wanted, bool exists, bool validate_only) {
    const auto fill = [&](auto& request) {
      *request.mutable_schedule() = wanted;
      request.set_validate_only(validate_only);
    };
    return exists ? Ask<Service>(client, &Service::Stub::UpdateSchedule, fill)
                  : Ask<Service>(client, &Service::Stub::CreateSchedule, fill);
  };
  calls.remove = [&client](const v1::Schedule& schedule) {
    return Ask<Service>(client, &Service::Stub::DeleteSchedule,
                        [&](auto& request) { request.set_schedule(schedule.id()); })
        .status();
  };
  return PlanNamed(parts, "Schedule", calls, plan);
}

absl::Status PlanChannels(const PlanParts& parts, Plan& plan) {
  using Service = v1::NotificationService;
  Client& client = parts.client;
  Calls<v1::NotificationChannel> calls;
  calls.list = [&client]() -> absl::StatusOr<std::vector<v1::NotificationChannel>> {
    auto all = Ask<Service>(client, &Service::Stub::ListNotificationChannels, [](auto&) {});
    if (!all.ok()) return all.status();
    return std::vector<v1::NotificationChannel>(all->channels().begin(), all->channels().end());
  };
  calls.put = [&client](const v1::NotificationChannel& wanted, bool exists, bool validate_only) {
    const auto fill = [&](auto& request) {
      *request.mutable_channel() = wanted;
      request.set_validate_only(validate_only);
    };
    return exists ? Ask<Service>(client, &Service::Stub::UpdateNotificationChannel, fill)
                  : Ask<Service>(client, &Service::Stub::CreateNotificationChannel, fill);
  };
  calls.remove = [&client](const v1::NotificationChannel& channel) {
    return Ask<Service>(client, &Service::Stub::DeleteNotificationChannel,
                        [&](auto& request) { request.set_channel(channel.id()); })
        .status();
  };
  return PlanNamed(parts, "NotificationChannel", calls, plan);
}

}  // namespace plimsoll::cli
