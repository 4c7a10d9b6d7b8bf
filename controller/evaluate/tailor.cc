#include "controller/evaluate/tailor.h"

#include <google/protobuf/message.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/yaml_decode.h"

namespace plimsoll::evaluate {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The arguments that are set in a check's oneof.
Message* ArgumentsOf(v1::Check& check) {
  const auto* reflection = check.GetReflection();
  const auto* kind = check.GetDescriptor()->FindOneofByName("kind");
  const FieldDescriptor* field = reflection->GetOneofFieldDescriptor(check, kind);
  return field == nullptr ? nullptr : reflection->MutableMessage(&check, field);
}

absl::Status SetParameters(const v1::RuleTailoring& tailoring, v1::Check& check) {
  if (tailoring.parameters().empty()) return absl::OkStatus();
  Message* arguments = ArgumentsOf(check);
  if (arguments == nullptr) return absl::InvalidArgumentError("the rule has no check");
  const std::map<std::string, std::string> sorted(tailoring.parameters().begin(),
                                                  tailoring.parameters().end());
  std::vector<const FieldDescriptor*> fields;
  std::string yaml;
  for (const auto& [name, value] : sorted) {
    const FieldDescriptor* field = arguments->GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("no parameter \"", name, "\""));
    }
    if (value.find_first_of("\r\n") != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": expected a value on one line"));
    }
    fields.push_back(field);
    absl::StrAppend(&yaml, name, ": ", value, "\n");
  }
  const std::unique_ptr<Message> given(arguments->New());
  const YamlDecoding decoding = DecodeYaml(yaml, "parameters", *given);
  if (!decoding.problems.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(decoding.problems, "; "));
  }
  arguments->GetReflection()->SwapFields(arguments, given.get(), fields);
  return absl::OkStatus();
}

v1::Rule* FindRule(v1::Baseline& baseline, const std::string& id) {
  for (v1::Rule& rule : *baseline.mutable_rules()) {
    if (rule.id() == id || rule.slug() == id) return &rule;
  }
  return nullptr;
}

absl::Status LayOn(const v1::RuleTailoring& tailoring, v1::Baseline& baseline) {
  v1::Rule* rule = FindRule(baseline, tailoring.rule());
  if (rule == nullptr) return absl::OkStatus();
  if (!tailoring.switched_off().empty()) rule->set_switched_off(tailoring.switched_off());
  if (tailoring.severity() != v1::SEVERITY_UNSPECIFIED) rule->set_severity(tailoring.severity());
  if (auto status = SetParameters(tailoring, *rule->mutable_check()); !status.ok()) return status;
  for (v1::Rule& alias : *baseline.mutable_rules()) {
    if (alias.alias_of() == rule->id()) *alias.mutable_check() = rule->check();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Baseline> Tailor(const v1::Baseline& baseline,
                                    const std::vector<const v1::Tailoring*>& tailorings) {
  v1::Baseline tailored = baseline;
  tailored.set_tailored_from(baseline.digest());
  for (const v1::Tailoring* tailoring : tailorings) {
    tailored.add_tailoring_ids(tailoring->name());
    for (const v1::RuleTailoring& rule : tailoring->rules()) {
      if (auto status = LayOn(rule, tailored); !status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat("tailoring ", tailoring->name(), ", rule ",
                                                       rule.rule(), ": ", status.message()));
      }
    }
  }
  tailored.set_digest(BaselineDigest(tailored));
  return tailored;
}

}  // namespace plimsoll::evaluate
