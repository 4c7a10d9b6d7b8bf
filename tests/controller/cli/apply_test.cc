#include <gmock/gmock.h>

#include "absl/strings/str_join.h"
#include "controller/cli/apply_files.h"
#include "controller/cli/apply_plan.h"
#include "plimsoll/v1/notification_service.pb.h"
#include "plimsoll/v1/schedule_service.pb.h"
#include "plimsoll/v1/waiver_service.pb.h"
#include "tests/controller/cli/cli_run.h"

namespace plimsoll::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kSchedule[] = R"(kind: Schedule
metadata: {name: nightly}
spec:
  cron: "0 2 * * *"
  timeZone: Europe/Berlin
  selector: {expression: "@live"}
  jitter: 600s
  missedRuns: RUN_ONCE
)";

class ApplyFilesTest : public CliTest {
 protected:
  std::vector<std::string> Problems(const std::string& text) {
    std::vector<std::string> problems = ReadPolicy({Write("policy.yaml", text)}).problems;
    for (std::string& problem : problems) {
      EXPECT_THAT(problem, HasSubstr(Path("policy.yaml:")));
      problem = problem.substr(Path("policy.yaml:").size());
    }
    return problems;
  }
};

TEST_F(ApplyFilesTest, ReadsDocumentsInTheJsonMapping) {
  const std::string text = absl::StrCat("# policy\n", kSchedule, R"(---
kind: Waiver
metadata:
  name: backup
spec:
  rules: [{baseline: azure-docker, rule: "5.04"}]
  selector: {labels: {role: backup}}
  reason: needs raw devices
  expire_time: 2026-12-31T00:00:00Z
---
)");
  const PolicyFiles files = ReadPolicy({Write("policy.yaml", text)});
  EXPECT_THAT(files.problems, IsEmpty());
  ASSERT_EQ(files.objects.size(), 2u);
  EXPECT_EQ(files.objects[0].name, "nightly");
  EXPECT_EQ(files.objects[0].line, 2);
  const auto& schedule = dynamic_cast<const v1::Schedule&>(*files.objects[0].spec);
  EXPECT_EQ(schedule.time_zone(), "Europe/Berlin");
  EXPECT_EQ(schedule.jitter().seconds(), 600);
  EXPECT_EQ(schedule.missed_runs(), v1::Schedule::RUN_ONCE);
  const auto& waiver = dynamic_cast<const v1::Waiver&>(*files.objects[1].spec);
  EXPECT_EQ(waiver.selector().labels().at("role"), "backup");
  EXPECT_EQ(waiver.expire_time().seconds(), 1798675200);
}

TEST_F(ApplyFilesTest, ReadsFoldersInTheOrderOfNames) {
  std::filesystem::create_directories(Path("policy/deep"));
  Write("policy/b.yaml", kSchedule);
  Write("policy/deep/a.yml",
        "kind: Selector\nmetadata: {name: live}\nspec: {expression: env=prod}\n");
  Write("policy/notes.txt", "not: policy\n");
  const PolicyFiles files = ReadPolicy({Path("policy")});
  EXPECT_THAT(files.problems, IsEmpty());
  ASSERT_EQ(files.objects.size(), 2u);
  EXPECT_EQ(files.objects[1].file, Path("policy/deep/a.yml"));
  // Twice the same object.
  const PolicyFiles twice = ReadPolicy({Path("policy"), Path("policy/b.yaml")});
  ASSERT_EQ(twice.problems.size(), 1u);
  EXPECT_THAT(twice.problems[0], HasSubstr("Schedule/nightly: is in"));
  EXPECT_EQ(ReadPolicy({Path("none.yaml")}).problems.size(), 1u);
  std::filesystem::create_directories(Path("empty"));
  EXPECT_THAT(ReadPolicy({Path("empty")}).problems[0], HasSubstr("holds no file"));
}

TEST_F(ApplyFilesTest, NamesEveryMistakeWithItsLine) {
  const struct {
    const char* text;
    const char* problem;
  } rows[] = {
      {"kind: Thing\nmetadata: {name: a}\nspec: {}\n", "1: kind: expected one of: Selector, "},
      {"kind: Schedule\nspec: {}\n", "1: Schedule: metadata.name is required"},
      {"kind: Schedule\nmetadata: {name: Not A Name}\nspec: {}\n", "2: Schedule: metadata.name: "},
      {"kind: Schedule\nmetadata: {name: a, labels: {}}\nspec: {}\n",
       "2: metadata: unknown key \"labels\""},
      {"kind: Schedule\nmetadata: {name: a}\n", "1: Schedule/a: spec is required"},
      {"kind: Schedule\nkind: Waiver\nmetadata: {name: a}\n",
       "2: document: duplicate key \"kind\""},
      {"- kind: Schedule\n", "1: document: expected a mapping"},
      {"kind: Schedule\nmetadata: {name: a}\nspec:\n  cron: x\n  colour: red\n",
       "5: unknown key \"colour\" in spec; expected one of: "},
      {"kind: Schedule\nmetadata: {name: a}\nspec:\n  jitter: soon\n",
       "4: spec.jitter: expected a duration: 600s, got \"soon\""},
      {"kind: Waiver\nmetadata: {name: a}\nspec:\n  expireTime: later\n",
       "4: spec.expireTime: expected a time"},
      {"kind: Schedule\nmetadata: {name: a}\nspec:\n  missedRuns: NEVER\n",
       "4: spec.missedRuns: expected one of: skip, run-once"},
      {"kind: Schedule\nmetadata: {name: a}\nspec:\n  cron: x\n  createdBy: me\n",
       "5: Schedule/a: created_by: is not for files to give"},
      {"kind: NotificationChannel\nmetadata: {name: a}\nspec:\n  webhook:\n    url: x\n"
       "    secret: sixteen bytes or more\n",
       "6: NotificationChannel/a: webhook.secret: secrets stay out of files"},
      {"kind: NotificationChannel\nmetadata: {name: a}\nspec:\n  webhook:\n    secretFile: none\n",
       "5: NotificationChannel/a: webhook.secretFile: "},
      {"kind: NotificationChannel\nmetadata: {name: a}\nspec:\n  webhook:\n    secretFile: [b]\n",
       "5: NotificationChannel/a: webhook.secretFile: expected a path"},
      {"kind: NotificationChannel\nmetadata: {name: a}\nspec:\n  webhook:\n"
       "    secretFile: empty.key\n",
       "5: NotificationChannel/a: webhook.secretFile: \"empty.key\" is empty"},
      {"kind: NotificationChannel\nmetadata: {name: a}\nspec:\n  webhook: {url: x}\n"
       "  email: {server: x}\n",
       "4: spec: expected at most one of them, got 2: email, webhook"},
      {"a: &a [1]\nb: *a\n", "1: anchors (&name) are not allowed"},
      {"kind: !!python/object Schedule\n", "1: tags (!name) are not allowed"},
      {"kind: [\n", "2: not YAML"},
  };
  Write("empty.key", " \n");
  for (const auto& row : rows) {
    // That one, and nothing that follows from it.
    const std::vector<std::string> problems = Problems(row.text);
    EXPECT_THAT(problems, ElementsAre(::testing::StartsWith(row.problem))) << row.text;
    EXPECT_THAT(absl::StrJoin(problems, "\n"), Not(HasSubstr("sixteen bytes"))) << row.text;
  }
  // All of them, not only the first.
  EXPECT_EQ(Problems("kind: A\nmetadata: {name: a}\nspec: {}\n---\nkind: B\nmetadata: {name: b}\n"
                     "spec: {}\n")
                .size(),
            2u);
}

TEST_F(ApplyFilesTest, HostileFilesAreBounded) {
  std::string deep = "kind: ";
  deep.append(5000, '[');
  EXPECT_EQ(Problems(deep).size(), 1u);
  EXPECT_THAT(Problems(std::string((1 << 20) + 1, ' ')), ElementsAre(" larger than 1 MiB"));
  std::string many;
  for (int i = 0; i < 5002; ++i) many += "---\na\n";
  EXPECT_THAT(Problems(many), ElementsAre(HasSubstr("more than 5000 documents")));
}

TEST_F(ApplyFilesTest, SecretsComeFromFilesOfTheirOwn) {
  Write("hook.key", "a secret of sixteen bytes\n");
  const std::string text =
      "kind: NotificationChannel\nmetadata: {name: oncall}\nspec:\n  webhook: {url: "
      "'https://example.com/', secretFile: hook.key}\n";
  const PolicyFiles files = ReadPolicy({Write("policy.yaml", text)});
  EXPECT_THAT(files.problems, IsEmpty());
  ASSERT_EQ(files.objects.size(), 1u);
  EXPECT_EQ(files.objects[0].secret, "a secret of sixteen bytes");
  EXPECT_EQ(files.objects[0].spec->DebugString().find("sixteen"), std::string::npos);
  Write("hook.key", "a secret of sixteen bytes\n", 0644);
  EXPECT_THAT(absl::StrJoin(Problems(text), "\n"), HasSubstr("chmod"));
}

// The API's errors begin with the field that is wrong.
TEST_F(ApplyFilesTest, ErrorsOfTheControllerAreFoundInTheFile) {
  const PolicyFiles files = ReadPolicy({Write("policy.yaml", kSchedule)});
  ASSERT_EQ(files.objects.size(), 1u);
  const auto line = [&](const std::string& what) {
    const std::string problem = files.objects[0].Problem(what);
    EXPECT_THAT(problem, HasSubstr(": Schedule/nightly: " + what));
    return problem.substr(Path("policy.yaml:").size(), 1);
  };
  EXPECT_EQ(line("time_zone: no such zone"), "5");
  EXPECT_EQ(line("selector.expression: column 3"), "6");
  EXPECT_EQ(line("selector.hosts[3]: unknown"), "6");
  EXPECT_EQ(line("description: too long"), "1");
  EXPECT_EQ(line("no such baseline: x"), "1");
}

TEST(ApplyPlanTest, NamesTheMembersThatDiffer) {
  v1::Waiver before;
  before.set_id("w-1");
  before.add_rules()->set_rule("5.04");
  (*before.mutable_selector()->mutable_labels())["role"] = "backup";
  before.set_reason("a");
  before.mutable_expire_time()->set_seconds(1798675200);
  v1::Waiver after = before;
  after.set_id("");
  after.add_rules()->set_rule("5.05");
  (*after.mutable_selector()->mutable_labels())["role"] = "db";
  after.clear_reason();
  after.mutable_expire_time()->set_seconds(1798675201);
  after.set_bound_to_facts(true);
  const std::vector<std::string> members = {"rules", "selector", "reason", "expire_time",
                                            "bound_to_facts"};
  std::vector<std::string> lines;
  for (const FieldChange& change : DifferenceOf(before, after, members)) {
    lines.push_back(absl::StrCat(change.field, " ", change.before, " ", change.after));
  }
  EXPECT_THAT(lines,
              ElementsAre("boundToFacts  true",
                          "expireTime 2026-12-31T00:00:00Z 2026-12-31T00:00:01Z", "reason \"a\" ",
                          "rules[1].rule  \"5.05\"", "selector.labels.role \"backup\" \"db\""));
  EXPECT_THAT(DifferenceOf(before, before, members), IsEmpty());
}

TEST(ApplyPlanTest, NamesSavedSelectorsAgain) {
  EXPECT_EQ(NamedAgain("env=prod,!canary", "env=prod,!canary", "@live"), "@live");
  EXPECT_EQ(NamedAgain("team=shop,env=prod", "env=prod", "@live"), "team=shop,@live");
  EXPECT_EQ(NamedAgain("other", "env=prod", "@live"), "other");
}

}  // namespace
}  // namespace plimsoll::cli
