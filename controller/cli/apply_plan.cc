#include "controller/cli/apply_plan.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/selector.h"
#include "plimsoll/v1/selector.pb.h"
#include "plimsoll/v1/selector_service.pb.h"

namespace plimsoll::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::TimeUtil;

// Values by place.
using Flat = std::map<std::string, std::string>;

void Flatten(const Message& message, const std::string& place, Flat& out);

std::string ScalarOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool repeated = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return absl::StrCat("\"",
                          repeated ? reflection.GetRepeatedString(message, &field, index)
                                   : reflection.GetString(message, &field),
                          "\"");
    case FieldDescriptor::CPPTYPE_ENUM:
      return (repeated ? reflection.GetRepeatedEnum(message, &field, index)
                       : reflection.GetEnum(message, &field))
          ->name();
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, &field) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection.GetInt64(message, &field));
    default:
      return "?";
  }
}

void FlattenValue(const Message& message, const FieldDescriptor& field, int index,
                  const std::string& place, Flat& out) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    out[place] = ScalarOf(message, field, index);
    return;
  }
  const Reflection& reflection = *message.GetReflection();
  const Message& inner = field.is_repeated() ? reflection.GetRepeatedMessage(message, &field, index)
                                             : reflection.GetMessage(message, &field);
  if (const auto* time = dynamic_cast<const google::protobuf::Timestamp*>(&inner)) {
    out[place] = TimeUtil::ToString(*time);
  } else if (const auto* duration = dynamic_cast<const google::protobuf::Duration*>(&inner)) {
    out[place] = TimeUtil::ToString(*duration);
  } else {
    Flatten(inner, place, out);
  }
}

void FlattenField(const Message& message, const FieldDescriptor& field, const std::string& place,
                  Flat& out) {
  const Reflection& reflection = *message.GetReflection();
  if (field.is_map()) {
    // Of texts: the only maps there are.
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
      const auto& type = *field.message_type();
      const std::string key = entry.GetReflection()->GetString(entry, type.map_key());
      out[absl::StrCat(place, ".", key)] = ScalarOf(entry, *type.map_value(), 0);
    }
  } else if (field.is_repeated()) {
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      FlattenValue(message, field, i, absl::StrCat(place, "[", i, "]"), out);
    }
  } else {
    FlattenValue(message, field, 0, place, out);
  }
}

void Flatten(const Message& message, const std::string& place, Flat& out) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    FlattenField(message, *field, absl::StrCat(place, place.empty() ? "" : ".", field->json_name()),
                 out);
  }
}

Flat FlatOf(const Message& message, const std::vector<std::string>& members) {
  Flat flat;
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (std::find(members.begin(), members.end(), field->name()) == members.end()) continue;
    FlattenField(message, *field, field->json_name(), flat);
  }
  return flat;
}

// Notes the saved selectors that are to be made or changed.
void KeepSelectors(const Plan& plan, PlanParts& parts) {
  for (const PlanStep& step : plan.steps) {
    if (step.object == nullptr || step.action == PlanAction::kNone) continue;
    const auto* selector = dynamic_cast<const v1::SavedSelector*>(step.object->spec.get());
    if (selector != nullptr) parts.selectors[step.name] = selector->expression();
  }
}

// The controller ends no saved selector that something names, and would say so half-way.
void RefuseUseOfPruned(const PlanParts& parts, Plan& plan) {
  for (const PlanStep& step : plan.steps) {
    if (step.action != PlanAction::kPrune || step.kind != "Selector") continue;
    for (const PolicyObject& object : parts.objects) {
      const SelectorMember member = SelectorOf(object);
      const auto selector = evaluate::ParseSelector(member.expression);
      if (!selector.ok() || !evaluate::Names(*selector, step.name)) continue;
      plan.problems.push_back(
          object.Problem(absl::StrCat(member.place, ": names @", step.name,
                                      ", which is pruned: it stands in no file any more")));
    }
  }
}

}  // namespace

std::vector<FieldChange> DifferenceOf(const Message& before, const Message& after,
                                      const std::vector<std::string>& members) {
  const Flat old_values = FlatOf(before, members);
  const Flat new_values = FlatOf(after, members);
  std::vector<FieldChange> changes;
  for (const auto& [place, value] : old_values) {
    const auto found = new_values.find(place);
    if (found == new_values.end()) {
      changes.push_back({place, value, ""});
    } else if (found->second != value) {
      changes.push_back({place, value, found->second});
    }
  }
  for (const auto& [place, value] : new_values) {
    if (old_values.count(place) == 0) changes.push_back({place, "", value});
  }
  std::sort(changes.begin(), changes.end(),
            [](const FieldChange& a, const FieldChange& b) { return a.field < b.field; });
  return changes;
}

SelectorMember SelectorOf(const PolicyObject& object) {
  const FieldDescriptor* field = object.spec->GetDescriptor()->FindFieldByName("selector");
  if (field == nullptr) return {};
  const Reflection& reflection = *object.spec->GetReflection();
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    return {"selector", reflection.GetString(*object.spec, field)};
  }
  const auto& selector =
      static_cast<const v1::HostSelector&>(reflection.GetMessage(*object.spec, field));
  return {"selector.expression", selector.expression()};
}

absl::StatusOr<std::string> WrittenOut(const PlanParts& parts, const PolicyObject& object) {
  const SelectorMember member = SelectorOf(object);
  auto written_out = evaluate::WriteOut(member.expression, parts.selectors);
  if (written_out.ok()) return written_out;
  return absl::InvalidArgumentError(
      absl::StrCat(member.place, ": ", written_out.status().message()));
}

std::string NamedAgain(absl::string_view checked, absl::string_view written_out,
                       absl::string_view original) {
  // The caller's scope may stand before it.
  if (!absl::EndsWith(checked, written_out)) return std::string(checked);
  return absl::StrCat(checked.substr(0, checked.size() - written_out.size()), original);
}

std::vector<const PolicyObject*> ObjectsOf(const PlanParts& parts, absl::string_view kind) {
  std::vector<const PolicyObject*> objects;
  for (const PolicyObject& object : parts.objects) {
    if (object.kind->name == kind) objects.push_back(&object);
  }
  return objects;
}

absl::Status TakeProblem(const absl::Status& status, const PolicyObject& object, Plan& plan) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
      plan.problems.push_back(object.Problem(status.message()));
      return absl::OkStatus();
    default:
      return absl::Status(status.code(), object.Problem(status.message()));
  }
}

absl::StatusOr<Plan> MakePlan(Client& client, const std::string& set, bool prune,
                              const std::vector<PolicyObject>& objects) {
  PlanParts parts{client, set, prune, objects};
  const struct {
    const char* kind;
    absl::Status (*plan)(const PlanParts&, Plan&);
  } planners[] = {{"Selector", PlanSelectors},   {"Labels", PlanLabels},
                  {"Tailoring", PlanTailorings}, {"Waiver", PlanWaivers},
                  {"Schedule", PlanSchedules},   {"NotificationChannel", PlanChannels}};
  Plan plan;
  for (const auto& planner : planners) {
    const bool given = !ObjectsOf(parts, planner.kind).empty();
    if (!given && !prune) continue;
    const absl::Status status = planner.plan(parts, plan);
    KeepSelectors(plan, parts);
    if (status.ok()) continue;
    // They are left as they are, and said to be.
    if (given || !absl::IsPermissionDenied(status)) return status;
    plan.notes.push_back(absl::StrCat(planner.kind, ": not looked at: ", status.message()));
  }
  RefuseUseOfPruned(parts, plan);
  std::stable_partition(plan.steps.begin(), plan.steps.end(),
                        [](const PlanStep& step) { return step.action != PlanAction::kPrune; });
  const auto first_pruned =
      std::find_if(plan.steps.begin(), plan.steps.end(),
                   [](const PlanStep& step) { return step.action == PlanAction::kPrune; });
  std::reverse(first_pruned, plan.steps.end());
  return plan;
}

}  // namespace plimsoll::cli
