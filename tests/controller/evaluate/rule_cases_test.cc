// Runs every table of rule cases, and sees to it that no rule lacks them.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/evaluate/baseline_loader.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

// "<baseline>/<rule id>" -> its tables.
std::map<std::string, std::vector<const RuleCases*>> TablesByRule() {
  std::map<std::string, std::vector<const RuleCases*>> tables;
  for (const RuleCases* table : RuleCases::All()) {
    for (const std::string& rule : table->rules()) tables[rule].push_back(table);
  }
  return tables;
}

std::vector<std::string> RulesWithCases() {
  std::vector<std::string> rules;
  for (const auto& [rule, tables] : TablesByRule()) rules.push_back(rule);
  return rules;
}

class RuleCasesTest : public testing::TestWithParam<std::string> {};

TEST_P(RuleCasesTest, VerdictsAreAsStated) {
  const std::vector<std::string> parts = absl::StrSplit(GetParam(), '/');
  ASSERT_EQ(parts.size(), 2u);
  const auto tables = TablesByRule();
  for (const RuleCases* table : tables.at(GetParam())) RunCases(parts[0], parts[1], table->cases());
}

INSTANTIATE_TEST_SUITE_P(All, RuleCasesTest, testing::ValuesIn(RulesWithCases()),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (!absl::ascii_isalnum(c)) c = '_';
                           }
                           return name;
                         });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RuleCasesTest);

// States that cannot be reached, with the reason, by check (v1::Check's field name) or by rule.
const std::map<std::string, std::map<Verdict::Status, std::string>>& Unreachable() {
  static const auto* const table =
      new std::map<std::string, std::map<Verdict::Status, std::string>>{
          {"azure-docker/1.05", {{Verdict::NOT_APPLICABLE, "a daemon that runs has a program"}}},
          {"edge-docker/3.11", {{Verdict::NOT_APPLICABLE, "a daemon that runs has a program"}}},
          {"engine_inventory",
           {{Verdict::FAIL, "an inventory holds no demand"},
            {Verdict::NOT_APPLICABLE, "every host has one"}}},
          {"certificates_guarded",
           {{Verdict::PASS, "left to a person by the guide"}, {Verdict::FAIL, "left to a person"}}},
          {"data_root_partition", {{Verdict::NOT_APPLICABLE, "an engine has a data root"}}},
          {"engine_version", {{Verdict::NOT_APPLICABLE, "an engine has a version"}}},
          {"log_level", {{Verdict::NOT_APPLICABLE, "there is always a level"}}},
          {"iptables", {{Verdict::NOT_APPLICABLE, "there is always a value"}}},
          {"insecure_registries", {{Verdict::NOT_APPLICABLE, "an empty list passes"}}},
          {"storage_driver", {{Verdict::NOT_APPLICABLE, "an engine has a driver"}}},
          {"default_ulimits", {{Verdict::NOT_APPLICABLE, "none set fails"}}},
          {"user_namespaces", {{Verdict::NOT_APPLICABLE, "on or off"}}},
          {"remote_logging", {{Verdict::NOT_APPLICABLE, "there is always a driver"}}},
          {"logging_driver", {{Verdict::NOT_APPLICABLE, "there is always a driver"}}},
          {"userland_proxy", {{Verdict::NOT_APPLICABLE, "on or off"}}},
          {"experimental", {{Verdict::NOT_APPLICABLE, "on or off"}}},
          {"daemon_no_new_privileges", {{Verdict::NOT_APPLICABLE, "on or off"}}},
          {"mac_confinement",
           {{Verdict::NOT_APPLICABLE, "no container needed: the host half decides"}}},
          {"default_bridge_unused",
           {{Verdict::NOT_APPLICABLE, "unused passes, with no container too"}}},
          {"legacy_registry", {{Verdict::NOT_APPLICABLE, "gone passes"}}},
          {"daemon_endpoints", {{Verdict::NOT_APPLICABLE, "the default socket alone passes"}}},
      };
  return *table;
}

std::string CheckName(const v1::Rule& rule) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  rule.check().GetReflection()->ListFields(rule.check(), &fields);
  return fields.empty() ? "" : fields[0]->name();
}

TEST(RuleCoverage, EveryRuleHasACaseOfEveryState) {
  const auto tables = TablesByRule();
  for (const std::string& id : ShippedBaselineIds()) {
    const auto baseline = ShippedBaseline(id);
    ASSERT_TRUE(baseline.ok()) << baseline.status();
    for (const v1::Rule& rule : baseline->rules()) {
      if (!rule.alias_of().empty()) continue;  // The same check with the same arguments.
      std::set<Verdict::Status> seen;
      const auto it = tables.find(absl::StrCat(id, "/", rule.id()));
      if (it != tables.end()) {
        for (const RuleCases* table : it->second) {
          for (const Case& c : table->cases()) seen.insert(c.status);
        }
      }
      auto excuses = Unreachable().find(CheckName(rule));
      if (excuses == Unreachable().end()) {
        excuses = Unreachable().find(absl::StrCat(id, "/", rule.id()));
      }
      for (const auto status :
           {Verdict::PASS, Verdict::FAIL, Verdict::UNKNOWN, Verdict::NOT_APPLICABLE}) {
        if (excuses != Unreachable().end() && excuses->second.contains(status)) {
          EXPECT_FALSE(seen.contains(status))
              << id << " " << rule.id() << " reaches " << Verdict::Status_Name(status)
              << " after all: drop its excuse";
          continue;
        }
        EXPECT_TRUE(seen.contains(status)) << id << " " << rule.id() << " (" << CheckName(rule)
                                           << ") has no case " << Verdict::Status_Name(status);
      }
    }
  }
}

TEST(RuleCoverage, EveryTableNamesARule) {
  for (const auto& [name, tables] : TablesByRule()) {
    const std::vector<std::string> parts = absl::StrSplit(name, '/');
    ASSERT_EQ(parts.size(), 2u) << name;
    const auto baseline = ShippedBaseline(parts[0]);
    ASSERT_TRUE(baseline.ok()) << baseline.status();
    bool found = false;
    for (const v1::Rule& rule : baseline->rules()) found = found || rule.id() == parts[1];
    EXPECT_TRUE(found) << name;
  }
}

}  // namespace
}  // namespace plimsoll::evaluate
