#include "controller/evaluate/baseline_loader.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace plimsoll::evaluate {
namespace {

// Line 9 is where a rule begins.
constexpr char kDocument[] = R"(id: mine
version: 1.0.0
title: Mine
source: us
description: ours
sections:
  - {id: "5", title: Containers}
rules:
  - id: "5.01"
    slug: first-rule
    title: First
    severity: high
    scope: container
    description: d
    rationale: w
    remediation: r
    references:
      - {document: CIS, id: "5.5"}
    check: {container_not_privileged: {scope: {exempt: [web]}}}
  - id: "5.02"
    slug: second-rule
    title: Second
    severity: medium
    scope: container
    description: d
    remediation: r
    scored: false
    check:
      container_restart_limited:
        maximum: 3
  - id: "5.03"
    slug: third-rule
    title: Third
    severity: medium
    scope: container
    description: d
    remediation: r
    alias_of: "5.01"
)";

TEST(BaselineLoader, ReadsADocument) {
  const auto baseline = LoadBaseline(kDocument, "mine.yaml");
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->id(), "mine");
  ASSERT_EQ(baseline->rules_size(), 3);
  const v1::Rule& first = baseline->rules(0);
  EXPECT_EQ(first.severity(), v1::HIGH);
  EXPECT_EQ(first.scope(), v1::CONTAINER);
  EXPECT_EQ(first.references(0).id(), "5.5");
  EXPECT_TRUE(first.scored());
  EXPECT_FALSE(baseline->rules(1).scored());
}

TEST(BaselineLoader, FillsInDefaultsAlsoInsideMessagesNotGiven) {
  const auto baseline = LoadBaseline(kDocument, "mine.yaml");
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  const auto& given = baseline->rules(0).check().container_not_privileged().scope();
  EXPECT_EQ(given.exempt(0), "web");
  ASSERT_EQ(given.states_size(), 4);
  EXPECT_EQ(given.states(0), "created");
  const auto& restart = baseline->rules(1).check().container_restart_limited();
  EXPECT_EQ(restart.maximum(), 3);
  EXPECT_EQ(restart.scope().states_size(), 4);
}

TEST(BaselineLoader, AnAliasHasTheCheckOfItsRule) {
  const auto baseline = LoadBaseline(kDocument, "mine.yaml");
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->rules(2).check().SerializeAsString(),
            baseline->rules(0).check().SerializeAsString());
}

TEST(BaselineLoader, TheDigestFollowsTheMeaningNotTheText) {
  const std::string digest = LoadBaseline(kDocument, "a.yaml")->digest();
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ(LoadBaseline(absl::StrCat("# remark\n", kDocument), "b.yaml")->digest(), digest);
  const std::string changed = absl::StrReplaceAll(kDocument, {{"maximum: 3", "maximum: 4"}});
  EXPECT_NE(LoadBaseline(changed, "a.yaml")->digest(), digest);
  // A default written out is the same demand.
  const std::string spelled =
      absl::StrReplaceAll(kDocument, {{"maximum: 3", "maximum: 3\n        accept_always: false"}});
  EXPECT_EQ(LoadBaseline(spelled, "a.yaml")->digest(), digest);
}

struct ErrorCase {
  const char* name;
  const char* from;
  const char* to;
  const char* problem;
};

const ErrorCase kErrors[] = {
    {"unknown key", "    title: First", "    titel: First",
     "mine.yaml:11: unknown key \"titel\" in rules[0]; expected one of: alias_of, check, "
     "description, id, rationale, references, remediation, scope, scored, severity, slug, "
     "switched_off, title"},
    {"unknown key at the top", "source: us", "origin: us",
     "mine.yaml:4: unknown key \"origin\"; expected one of: description, digest, id, rules, "
     "sections, source, tailored_from, tailoring_ids, title, version"},
    {"duplicate key", "    title: First", "    title: First\n    title: Again",
     "mine.yaml:12: duplicate key \"title\" in rules[0]"},
    {"text expected", "title: First", "title: [First]",
     "mine.yaml:11: rules[0].title: expected text, got a list"},
    {"text is missing", "title: First",
     "title:", "mine.yaml:11: rules[0].title: expected text, got nothing"},
    {"bad enumerator", "severity: high", "severity: hgh",
     "mine.yaml:12: rules[0].severity: expected one of: info, low, medium, high, critical, got "
     "\"hgh\""},
    {"bool expected", "scored: false", "scored: no",
     "mine.yaml:27: rules[1].scored: expected true or false, got \"no\""},
    {"quoted bool", "scored: false", "scored: \"false\"",
     "mine.yaml:27: rules[1].scored: expected true or false, got \"false\""},
    {"number expected", "maximum: 3", "maximum: three",
     "mine.yaml:30: rules[1].check.container_restart_limited.maximum: expected a whole number from "
     "-9223372036854775808 to 9223372036854775807, got \"three\""},
    {"number out of range", "maximum: 3", "maximum: 99999999999999999999",
     "mine.yaml:30: rules[1].check.container_restart_limited.maximum: expected a whole number from "
     "-9223372036854775808 to 9223372036854775807, got \"99999999999999999999\""},
    {"unknown parameter", "maximum: 3", "most: 3",
     "mine.yaml:30: unknown key \"most\" in rules[1].check.container_restart_limited; expected one "
     "of: accept_always, maximum, scope"},
    {"list expected", "exempt: [web]", "exempt: web",
     "mine.yaml:19: rules[0].check.container_not_privileged.scope.exempt: expected a list, got "
     "\"web\""},
    {"mapping expected", "maximum: 3", "- maximum",
     "mine.yaml:30: rules[1].check.container_restart_limited: expected a mapping, got a list"},
    {"duplicate id", "id: \"5.02\"", "id: \"5.01\"",
     "mine.yaml:20: rules[1].id: duplicate \"5.01\"; first at line 9"},
    {"duplicate slug", "slug: second-rule", "slug: first-rule",
     "mine.yaml:21: rules[1].slug: duplicate \"first-rule\"; first at line 10"},
    {"slug with a capital", "slug: second-rule", "slug: Second",
     "mine.yaml:21: rules[1].slug: expected a kebab-case name"},
    {"no section", "id: \"5.02\"", "id: \"6.02\"",
     "mine.yaml:20: rules[1].id: no section \"6\"; expected one of: 5"},
    {"dangling alias", "alias_of: \"5.01\"", "alias_of: \"5.09\"",
     "mine.yaml:38: rules[2].alias_of: no rule \"5.09\" in this document"},
    {"alias of itself", "alias_of: \"5.01\"", "alias_of: \"5.03\"",
     "mine.yaml:38: rules[2].alias_of: \"5.03\" is itself an alias; expected \"5.03\""},
    {"no check", "    alias_of: \"5.01\"\n", "",
     "mine.yaml:31: rules[2].check: expected exactly one check with its arguments"},
    {"two checks", "    check:\n", "    check:\n      engine_inventory: {}\n",
     "mine.yaml:29: rules[1].check: expected exactly one of them, got 2: "
     "container_restart_limited, engine_inventory"},
    {"no severity", "    severity: high\n", "",
     "mine.yaml:9: rules[0].severity: expected one of: info, low, medium, high, critical"},
    {"digest given", "source: us", "digest: abc",
     "mine.yaml:4: digest: computed by the loader; leave it out"},
    {"anchor", "title: First", "title: &a First", "mine.yaml:11: anchors (&name) are not allowed"},
    {"control character", "title: First", "title: \"\\e[2J\"",
     "mine.yaml:11: expected UTF-8 text without control characters"},
    {"not UTF-8", "title: First", "title: \xaf",
     "mine.yaml:11: expected UTF-8 text without control characters"},
    {"key of two lines", "title: First", "\"a\\n\\nb\": First",
     "mine.yaml:11: unknown key \"a  b\" in rules[0]; expected one of: alias_of, check, "
     "description, id, "
     "rationale, references, remediation, scope, scored, severity, slug, switched_off, title"},
    {"tag", "title: First", "title: !!binary First", "mine.yaml:11: tags (!name) are not allowed"},
    {"not YAML", "title: First", "title: {First",
     "mine.yaml:11: not YAML: end of map flow not found"},
    {"two documents", "    alias_of: \"5.01\"\n", "    alias_of: \"5.01\"\n---\nid: more\n",
     "mine.yaml:39: a second document; expected one"},
};

TEST(BaselineLoader, NamesEveryMistakeByFileAndLine) {
  for (const ErrorCase& c : kErrors) {
    SCOPED_TRACE(c.name);
    ASSERT_TRUE(absl::StrContains(kDocument, c.from));
    std::string text = kDocument;
    text.replace(text.find(c.from), std::string(c.from).size(), c.to);
    const auto baseline = LoadBaseline(text, "mine.yaml");
    EXPECT_EQ(baseline.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(baseline.status().message()), c.problem);
  }
}

TEST(BaselineLoader, NamesAnUnknownCheckAndThoseThereAre) {
  const std::string text =
      absl::StrReplaceAll(kDocument, {{"container_not_privileged", "container_is_nice"}});
  const std::string message(LoadBaseline(text, "mine.yaml").status().message());
  EXPECT_TRUE(absl::StartsWith(
      message,
      "mine.yaml:19: unknown check \"container_is_nice\" in rules[0].check; expected one of: "))
      << message;
  EXPECT_TRUE(absl::StrContains(message, "container_not_privileged")) << message;
}

TEST(BaselineLoader, CollectsAllProblems) {
  const std::string text =
      absl::StrReplaceAll(kDocument, {{"title: First", "title: []"}, {"maximum: 3", "maximum: x"}});
  const std::string message(LoadBaseline(text, "mine.yaml").status().message());
  EXPECT_TRUE(absl::StrContains(message, "mine.yaml:11: ")) << message;
  EXPECT_TRUE(absl::StrContains(message, "\nmine.yaml:30: ")) << message;
}

TEST(BaselineLoader, RefusesWhatCouldGrow) {
  const std::string large(2 << 20, ' ');
  EXPECT_EQ(std::string(LoadBaseline(large, "f").status().message()),
            "f:1: larger than 1048576 bytes");
  const std::string deep = absl::StrCat("id: ", std::string(10000, '['), std::string(10000, ']'));
  EXPECT_EQ(std::string(LoadBaseline(deep, "f").status().message()), "f:1: nested deeper than 32");
  const std::string bomb = "a: &a [x, x]\nb: &b [*a, *a]\nid: [*b, *b]\n";
  EXPECT_EQ(std::string(LoadBaseline(bomb, "f").status().message()),
            "f:1: anchors (&name) are not allowed");
  EXPECT_FALSE(LoadBaseline("", "f").ok());
  EXPECT_FALSE(LoadBaseline("just text", "f").ok());
}

TEST(ShippedBaselines, AllLoadUnderTheirOwnName) {
  const auto ids = ShippedBaselineIds();
  ASSERT_EQ(ids, (std::vector<std::string>{"azure-docker", "edge-docker"}));
  for (const std::string& id : ids) {
    const auto baseline = ShippedBaseline(id);
    ASSERT_TRUE(baseline.ok()) << baseline.status();
    EXPECT_EQ(baseline->id(), id);
  }
  EXPECT_EQ(ShippedBaseline("azure-docker")->rules_size(), 73);
  EXPECT_EQ(ShippedBaseline("edge-docker")->rules_size(), 68);
}

TEST(ShippedBaselines, AnUnknownNameIsToldThoseThereAre) {
  const auto status = ShippedBaseline("other").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(absl::StrContains(status.message(), "azure-docker, edge-docker")) << status;
}

}  // namespace
}  // namespace plimsoll::evaluate
