#include "controller/evaluate/tailor.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "controller/evaluate/baseline_loader.h"

namespace plimsoll::evaluate {
namespace {

constexpr char kYaml[] = R"(
id: mine
version: "1"
title: Mine
sections: [{id: "1", title: One}]
rules:
  - id: "1.1"
    slug: owner
    title: Owner
    severity: high
    scope: host
    description: d
    remediation: r
    check: {file_owner: {path: /etc/docker/daemon.json, owner: root, group: root}}
  - id: "1.2"
    slug: owner-again
    title: Owner again
    severity: high
    scope: host
    description: d
    remediation: r
    alias_of: "1.1"
)";

v1::Baseline Mine() {
  auto baseline = LoadBaseline(kYaml, "mine.yaml");
  EXPECT_TRUE(baseline.ok()) << baseline.status();
  return baseline.value_or(v1::Baseline());
}

v1::Tailoring Make(const std::string& name, const std::string& rule = "1.1") {
  v1::Tailoring tailoring;
  tailoring.set_name(name);
  tailoring.add_rules()->set_rule(rule);
  return tailoring;
}

TEST(TailorTest, SetsWhatIsGivenAndNothingElse) {
  const v1::Baseline mine = Mine();
  v1::Tailoring tailoring = Make("t");
  tailoring.mutable_rules(0)->set_severity(v1::LOW);
  (*tailoring.mutable_rules(0)->mutable_parameters())["owner"] = "docker";
  const auto tailored = Tailor(mine, {&tailoring});
  ASSERT_TRUE(tailored.ok()) << tailored.status();
  EXPECT_EQ(tailored->rules(0).severity(), v1::LOW);
  EXPECT_EQ(tailored->rules(0).check().file_owner().owner(), "docker");
  EXPECT_EQ(tailored->rules(0).check().file_owner().group(), "root");
  EXPECT_EQ(tailored->rules(0).check().file_owner().path(), "/etc/docker/daemon.json");
  EXPECT_EQ(tailored->rules(1).check().file_owner().owner(), "docker")
      << "an alias is judged alike";
  EXPECT_EQ(tailored->rules(1).severity(), v1::HIGH);
  EXPECT_EQ(tailored->tailored_from(), mine.digest());
  EXPECT_NE(tailored->digest(), mine.digest());
  EXPECT_EQ(tailored->digest(), Tailor(mine, {&tailoring})->digest());
  EXPECT_EQ(tailored->digest(), BaselineDigest(*tailored));
}

TEST(TailorTest, LaterOnesHold) {
  v1::Tailoring first = Make("a");
  first.mutable_rules(0)->set_severity(v1::LOW);
  first.mutable_rules(0)->set_switched_off("not here");
  v1::Tailoring second = Make("b", "owner");
  second.mutable_rules(0)->set_severity(v1::INFO);
  const auto tailored = Tailor(Mine(), {&first, &second});
  ASSERT_TRUE(tailored.ok()) << tailored.status();
  EXPECT_EQ(tailored->rules(0).severity(), v1::INFO);
  EXPECT_EQ(tailored->rules(0).switched_off(), "not here");
  EXPECT_EQ(tailored->tailoring_ids_size(), 2);
}

TEST(TailorTest, RulesThatAreGoneArePassedOver) {
  v1::Tailoring tailoring = Make("t", "9.9");
  tailoring.mutable_rules(0)->set_severity(v1::LOW);
  EXPECT_TRUE(Tailor(Mine(), {&tailoring}).ok());
}

TEST(TailorTest, RefusesWrongParametersByName) {
  const struct {
    const char* name;
    const char* value;
    const char* says;
  } rows[] = {
      {"colour", "red", "no parameter \"colour\""},
      {"owner", "[a, b]", "parameters:"},
      {"owner", "a\ngroup: b", "one line"},
      {"owner", "&x a", "parameters:"},
  };
  for (const auto& row : rows) {
    v1::Tailoring tailoring = Make("t");
    (*tailoring.mutable_rules(0)->mutable_parameters())[row.name] = row.value;
    const absl::Status status = Tailor(Mine(), {&tailoring}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << row.name << row.value << status;
    EXPECT_TRUE(absl::StrContains(status.message(), row.says)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "tailoring t, rule 1.1")) << status;
  }
}

}  // namespace
}  // namespace plimsoll::evaluate
