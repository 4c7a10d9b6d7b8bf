#include "tests/controller/evaluate/case_runner.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"

namespace plimsoll::evaluate {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;
using Tree = TextFormat::ParseInfoTree;

std::vector<const RuleCases*>& Registry() {
  static auto* const registry = new std::vector<const RuleCases*>;
  return *registry;
}

// What tells the members of a list apart; empty for lists without a key.
std::vector<const FieldDescriptor*> KeysOf(const FieldDescriptor& list) {
  std::vector<const FieldDescriptor*> keys;
  if (list.message_type() == nullptr || list.is_map()) return keys;
  static const auto* const kKeyed = new std::map<std::string, std::vector<std::string>>{
      {"plimsoll.v1.FileFact", {"path"}},
      {"plimsoll.v1.Unit", {"name"}},
      {"plimsoll.v1.Container", {"id", "name"}},
      {"plimsoll.v1.Image", {"id"}},
      {"plimsoll.v1.Volume", {"name"}},
      {"plimsoll.v1.Network", {"id", "name"}},
      {"plimsoll.v1.Service", {"id"}},
      {"plimsoll.v1.Group", {"name"}},
      {"plimsoll.v1.EngineFacts.SecurityOption", {"name"}}};
  const auto it = kKeyed->find(list.message_type()->full_name());
  if (it == kKeyed->end()) return keys;
  for (const std::string& name : it->second) {
    keys.push_back(list.message_type()->FindFieldByName(name));
  }
  return keys;
}

std::string Text(const Message& message, const FieldDescriptor* field) {
  return message.GetReflection()->GetString(message, field);
}

// The member of `list` that `like` means; null when there is none.
Message* Member(const Message& like, const FieldDescriptor& list, Message& message) {
  const auto& reflection = *message.GetReflection();
  for (const FieldDescriptor* key : KeysOf(list)) {
    const std::string wanted = Text(like, key);
    if (wanted.empty()) continue;
    for (int i = 0; i < reflection.FieldSize(message, &list); ++i) {
      Message* member = reflection.MutableRepeatedMessage(&message, &list, i);
      if (Text(*member, key) == wanted) return member;
    }
    return nullptr;
  }
  return nullptr;
}

void Merge(const Message& patch, Tree& tree, Message& out);

void MergeList(const Message& patch, const FieldDescriptor& field, Tree& tree, Message& out) {
  const auto& reflection = *patch.GetReflection();
  if (KeysOf(field).empty()) {
    reflection.ClearField(&out, &field);
    std::unique_ptr<Message> alone(patch.New());
    alone->CopyFrom(patch);
    reflection.SwapFields(alone.get(), &out, {&field});
    return;
  }
  for (int i = 0; i < reflection.FieldSize(patch, &field); ++i) {
    const Message& item = reflection.GetRepeatedMessage(patch, &field, i);
    Message* member = Member(item, field, out);
    if (member == nullptr) member = reflection.AddMessage(&out, &field);
    Merge(item, *tree.GetTreeForNested(&field, i), *member);
  }
}

void Merge(const Message& patch, Tree& tree, Message& out) {
  const auto& reflection = *patch.GetReflection();
  const auto& type = *patch.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.is_repeated()) {
      if (reflection.FieldSize(patch, &field) > 0) MergeList(patch, field, tree, out);
      continue;
    }
    if (tree.GetLocation(&field, -1).line < 0) continue;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Merge(reflection.GetMessage(patch, &field), *tree.GetTreeForNested(&field, -1),
            *reflection.MutableMessage(&out, &field));
      continue;
    }
    std::unique_ptr<Message> alone(patch.New());
    alone->CopyFrom(patch);
    reflection.SwapFields(alone.get(), &out, {&field});
  }
}

// Takes the first step off `path`: "files[/etc/x.y].mode" is ("files", "/etc/x.y", "mode").
struct Step {
  std::string name, key, rest;
};

Step FirstStep(absl::string_view path) {
  Step step;
  const size_t end = path.find_first_of(".[");
  step.name = std::string(path.substr(0, end));
  if (end == absl::string_view::npos) return step;
  path.remove_prefix(end);
  if (path[0] == '[') {
    const size_t close = path.find(']');
    step.key = std::string(path.substr(1, close - 1));
    path.remove_prefix(close + 1);
  }
  if (!path.empty()) step.rest = std::string(path.substr(1));
  return step;
}

void ClearMembers(const Step& step, const FieldDescriptor& field, Message& message) {
  const auto& reflection = *message.GetReflection();
  bool found = false;
  for (int i = reflection.FieldSize(message, &field) - 1; i >= 0; --i) {
    Message& member = *reflection.MutableRepeatedMessage(&message, &field, i);
    bool matches = step.key == "*";
    for (const FieldDescriptor* key : KeysOf(field)) {
      matches = matches || Text(member, key) == step.key;
    }
    if (!matches) continue;
    found = true;
    if (!step.rest.empty()) {
      ClearPath(step.rest, member);
      continue;
    }
    const int last = reflection.FieldSize(message, &field) - 1;
    for (int j = i; j < last; ++j) reflection.SwapElements(&message, &field, j, j + 1);
    reflection.RemoveLast(&message, &field);
  }
  EXPECT_TRUE(found) << "nothing to clear: " << step.name << "[" << step.key << "]";
}

std::string Fixture(absl::string_view name) {
  std::ifstream file(
      absl::StrCat(PLIMSOLL_SOURCE_DIR, "/tests/fixtures/facts/", name, ".textproto"));
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

absl::Time AsOf() { return absl::FromUnixSeconds(1767312000); }  // 2026-01-02T00:00:00Z

const v1::Baseline& Shipped(const std::string& id) {
  static auto* const loaded = new std::map<std::string, v1::Baseline>;
  const auto it = loaded->find(id);
  if (it != loaded->end()) return it->second;
  absl::StatusOr<v1::Baseline> baseline = ShippedBaseline(id);
  EXPECT_TRUE(baseline.ok()) << baseline.status();
  return loaded->emplace(id, baseline.ok() ? *baseline : v1::Baseline()).first->second;
}

void LayArgs(const std::string& args, v1::Check& check) {
  std::vector<const FieldDescriptor*> fields;
  const auto& reflection = *check.GetReflection();
  reflection.ListFields(check, &fields);
  ASSERT_EQ(fields.size(), 1u);
  MergeText(args, *reflection.MutableMessage(&check, fields[0]));
}

bool HasNote(const v1::Verdict& verdict, const std::string& code) {
  for (const v1::Note& note : verdict.notes()) {
    if (note.code() == code) return true;
  }
  for (const v1::Finding& finding : verdict.findings()) {
    for (const v1::Note& note : finding.notes()) {
      if (note.code() == code) return true;
    }
  }
  return false;
}

void Expect(const Case& c, const v1::Verdict& verdict) {
  SCOPED_TRACE(verdict.DebugString());
  EXPECT_EQ(v1::Verdict::Status_Name(verdict.status()), v1::Verdict::Status_Name(c.status));
  if (c.reason != "*") {
    EXPECT_EQ(verdict.reason(), c.reason);
  }
  if (c.findings >= 0) {
    EXPECT_EQ(verdict.findings_size(), c.findings);
  }
  EXPECT_FALSE(verdict.message().empty()) << "a verdict without a sentence";
  EXPECT_TRUE(absl::StrContains(verdict.message(), c.message)) << "wanted: " << c.message;
  if (!c.note.empty()) {
    EXPECT_TRUE(HasNote(verdict, c.note)) << "wanted note: " << c.note;
  }
  if (c.observed.empty()) return;
  ASSERT_GT(verdict.findings_size(), 0);
  EXPECT_TRUE(absl::StrContains(verdict.findings(0).observed(), c.observed))
      << "wanted: " << c.observed;
}

}  // namespace

RuleCases::RuleCases(std::vector<std::string> rules, std::vector<Case> cases)
    : rules_(std::move(rules)), cases_(std::move(cases)) {
  Registry().push_back(this);
}

const std::vector<const RuleCases*>& RuleCases::All() { return Registry(); }

const v1::HostFacts& BaseFacts(Base base) {
  static const auto* const facts = [] {
    auto* all = new std::map<Base, v1::HostFacts>;
    (*all)[Base::kEmpty];
    MergeText(Fixture("compliant"), (*all)[Base::kCompliant]);
    (*all)[Base::kNoncompliant] = (*all)[Base::kCompliant];
    for (const char* path :
         {"engine.authorization_plugins", "engine.security_options",
          "daemon.config_file.settings.userns_remap", "daemon.config_file.settings.default_ulimits",
          "daemon.config_file.settings.authorization_plugins", "containers.containers[*].ulimits",
          "containers.containers[*].pids_limit"}) {
      ClearPath(path, (*all)[Base::kNoncompliant]);
    }
    MergeText(Fixture("noncompliant"), (*all)[Base::kNoncompliant]);
    return all;
  }();
  return facts->at(base);
}

void MergeText(absl::string_view patch, Message& message) {
  std::unique_ptr<Message> parsed(message.New());
  Tree tree;
  TextFormat::Parser parser;
  parser.WriteLocationsTo(&tree);
  ASSERT_TRUE(parser.ParseFromString(std::string(patch), parsed.get())) << patch;
  Merge(*parsed, tree, message);
}

void ClearPath(absl::string_view path, Message& message) {
  const Step step = FirstStep(path);
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(step.name);
  ASSERT_NE(field, nullptr) << "no field " << step.name << " in " << message.GetTypeName();
  if (!step.key.empty()) {
    ClearMembers(step, *field, message);
  } else if (step.rest.empty()) {
    message.GetReflection()->ClearField(&message, field);
  } else {
    ClearPath(step.rest, *message.GetReflection()->MutableMessage(&message, field));
  }
}

v1::HostFacts FactsOf(const Case& c) {
  v1::HostFacts facts = BaseFacts(c.base);
  for (const std::string& path : c.clear) ClearPath(path, facts);
  if (!c.facts.empty()) MergeText(c.facts, facts);
  return facts;
}

void RunCases(absl::string_view baseline, absl::string_view rule_id,
              const std::vector<Case>& cases) {
  const v1::Baseline& document = Shipped(std::string(baseline));
  v1::Baseline alone;
  for (const v1::Rule& rule : document.rules()) {
    if (rule.id() == std::string(rule_id)) *alone.add_rules() = rule;
  }
  ASSERT_EQ(alone.rules_size(), 1) << "no rule " << rule_id << " in " << baseline;
  for (const Case& c : cases) {
    SCOPED_TRACE(absl::StrCat(baseline, " ", rule_id, ": ", c.name));
    v1::Baseline one = alone;
    if (!c.args.empty()) LayArgs(c.args, *one.mutable_rules(0)->mutable_check());
    Expect(c, Evaluate(FactsOf(c), one, {.as_of = AsOf()}).verdicts(0));
  }
}

}  // namespace plimsoll::evaluate
