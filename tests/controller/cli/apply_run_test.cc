// `plimsoll apply` against a controller that keeps policy in memory.
#include <gmock/gmock.h>

#include "absl/strings/str_replace.h"
#include "tests/controller/cli/cli_run.h"
#include "tests/controller/cli/fake_policy.h"

namespace plimsoll::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kSelector[] = R"(kind: Selector
metadata: {name: live}
spec: {expression: "env=prod,!canary"}
---
)";
constexpr char kRest[] = R"(kind: Labels
metadata: {name: owners}
spec: {selector: {expression: "@live"}, set: {owner: shop}}
---
kind: Tailoring
metadata: {name: quiet}
spec:
  baseline: azure-docker
  selector: {expression: "role=build, @live"}
  rules: [{rule: "5.04", severity: LOW}]
---
kind: Waiver
metadata: {name: devices}
spec:
  rules: [{baseline: azure-docker, rule: "5.04"}]
  selector: {labels: {role: backup}, expression: "@live"}
  reason: needs devices
  owner: storage
  expireTime: 2099-12-31T00:00:00Z
---
kind: Schedule
metadata: {name: nightly}
spec: {cron: "0 2 * * *", timeZone: Europe/Berlin, selector: {expression: "@live"}}
---
kind: NotificationChannel
metadata: {name: oncall}
spec: {syslog: {server: "siem.example.com:6514"}, selector: "@live"}
)";

class ApplyRunTest : public ServedTest<FakePolicy> {
 protected:
  ApplyRunTest() {
    v1::Host& host = fake_.hosts.emplace_back();
    host.set_id("h-1");
    host.set_hostname("web-1");
    (*host.mutable_central_labels())["env"] = "prod";
  }
  // Applies `text` as the only file.
  Ran Apply(const std::string& text, const std::vector<std::string>& options = {}) {
    std::vector<std::string> command = {"apply", "-f", Write("policy.yaml", text)};
    command.insert(command.end(), options.begin(), options.end());
    fake_.made.clear();
    return Ask(command);
  }
  std::string All() const { return absl::StrCat(kSelector, kRest); }
};

TEST_F(ApplyRunTest, ASecondRunHasNothingToDo) {
  Ran ran = Apply(All(), {"--dry-run"});
  EXPECT_EQ(ran.exit_status, kNotCompliant) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("Would be: 5 created, 1 changed, 0 pruned; 0 unchanged."));
  EXPECT_THAT(fake_.made, IsEmpty());
  ran = Apply(All());
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\n5 created, 1 changed, 0 pruned; 0 unchanged.\n"));
  EXPECT_THAT(fake_.made, ElementsAre("SaveSelector live", "SetHostLabels", "SetTailoring quiet",
                                      "CreateWaiver devices", "CreateSchedule nightly",
                                      "CreateNotificationChannel oncall"));
  EXPECT_EQ(fake_.tailorings["quiet"].selector().expression(), "role=build, @live");
  EXPECT_EQ(fake_.channels["oncall"].selector(), "@live");
  for (const char* option : {"--dry-run", "--prune"}) {
    ran = Apply(All(), {option});
    EXPECT_EQ(ran.exit_status, kDone) << ran.out << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("Nothing to do: 6 unchanged."));
    EXPECT_THAT(fake_.made, IsEmpty());
  }
}

TEST_F(ApplyRunTest, PruneTakesOnlyWhatTheSetHas) {
  ASSERT_EQ(Apply(All()).exit_status, kDone);
  fake_.schedules["by-hand"].set_name("by-hand");
  fake_.schedules["other"].set_name("other");
  fake_.schedules["other"].set_managed_by("platform");
  const Ran ran = Apply(kSelector, {"--prune"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\n0 created, 0 changed, 5 pruned; 1 unchanged.\n"));
  EXPECT_THAT(fake_.made,
              ElementsAre("DeleteNotificationChannel oncall", "DeleteSchedule nightly",
                          "RevokeWaiver w-1", "DeleteTailoring quiet", "SetHostLabels"));
  EXPECT_EQ(fake_.schedules.size(), 2u);
  EXPECT_EQ(fake_.hosts[0].central_labels().size(), 1u);
}

TEST_F(ApplyRunTest, WhatIsWrongIsSaidBeforeAnythingIsChanged) {
  ASSERT_EQ(Apply(All()).exit_status, kDone);
  const std::string all = All();
  const auto labels = [](const std::string& spec) {
    return absl::StrCat("kind: Labels\nmetadata: {name: tiers}\nspec: ", spec, "\n");
  };
  const struct {
    std::string text;
    std::vector<std::string> options;
    const char* problem;
  } rows[] = {
      {all, {"--set", "platform"}, "Selector/live: belongs to the set \"default\""},
      // A selector that is taken away although files name it.
      {kRest, {"--prune"}, "9: Tailoring/quiet: selector.expression: names @live, which is pruned"},
      {kRest, {"--prune"}, "27: NotificationChannel/oncall: selector: names @live"},
      // Labels that take their hosts out of their own selector.
      {labels("{selector: {expression: '!tier'}, set: {tier: web}}"),
       {},
       "3: Labels/tiers: selector: names \"tier\", which it sets"},
      {labels("{selector: {labels: {tier: db}}, set: {tier: web}}"), {}, "names \"tier\""},
      {absl::StrCat(kSelector, labels("{selector: {expression: '@live'}, set: {canary: 'yes'}}")),
       {},
       "names \"canary\", which it sets"},
      // Columns are those of the file.
      {absl::StrCat(absl::StrReplaceAll(kSelector, {{"env=prod", "env=test"}}),
                    "kind: Schedule\nmetadata: {name: x}\nspec:\n  cron: x\n"
                    "  selector: {expression: \"@live,a==\"}\n"),
       {},
       "9: Schedule/x: selector.expression: selector, column 10: expected a value"},
  };
  for (const auto& row : rows) {
    const Ran ran = Apply(row.text, row.options);
    EXPECT_EQ(ran.exit_status, kUsage) << row.problem << ran.out << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(row.problem));
    EXPECT_THAT(ran.err, HasSubstr("nothing was changed"));
    EXPECT_THAT(fake_.made, IsEmpty()) << row.problem;
  }
  // What names the label and still means the host once it has it.
  for (const char* spec : {"{selector: {expression: 'tier in (web,db)'}, set: {tier: web}}",
                           "{selector: {expression: 'env,env!=test'}, set: {env: prod}}"}) {
    EXPECT_EQ(Apply(labels(spec)).exit_status, kDone) << spec;
  }
}

TEST_F(ApplyRunTest, AStoppedRunSaysHowFarItCame) {
  fake_.refused["SetTailoring quiet"] = {grpc::StatusCode::FAILED_PRECONDITION, "not now"};
  Ran ran = Apply(All());
  EXPECT_EQ(ran.exit_status, kFailed);
  EXPECT_THAT(ran.out, HasSubstr("\n1 created, 1 changed, 0 pruned; 0 unchanged.\n"));
  EXPECT_THAT(ran.err, HasSubstr("policy.yaml:9: Tailoring/quiet: not now\n"
                                 "2 of 6 changes were made in full; what came after was not "
                                 "tried\n"));
  EXPECT_THAT(ran.err, Not(HasSubstr("nothing was changed")));
  EXPECT_THAT(fake_.made, ElementsAre("SaveSelector live", "SetHostLabels"));
  ran = Apply(All(), {"-o", "json"});
  EXPECT_EQ(ran.exit_status, kFailed);
  EXPECT_THAT(ran.out, HasSubstr("\"created\": 0"));
  EXPECT_THAT(ran.out, HasSubstr("\"unchanged\": 2"));
  EXPECT_THAT(ran.out, HasSubstr("\"done\": false"));
  EXPECT_THAT(ran.out, HasSubstr("\"stopped\": "));
  fake_.refused.clear();
  ran = Apply(All(), {"-o", "json"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("\"created\": 4"));
  EXPECT_THAT(ran.out, HasSubstr("\"done\": true"));
  EXPECT_THAT(ran.out, Not(HasSubstr("\"stopped\"")));
}

TEST_F(ApplyRunTest, WaiversAreRenewedOrReplaced) {
  ASSERT_EQ(Apply(All()).exit_status, kDone);
  const std::string later = absl::StrReplaceAll(All(), {{"2099-12-31", "2099-12-30"}});
  Ran ran = Apply(later);
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("renewed, which may need approval again"));
  EXPECT_THAT(fake_.made, ElementsAre("RenewWaiver w-1"));
  EXPECT_THAT(Apply(later).out, HasSubstr("Nothing to do"));

  const std::string other = absl::StrReplaceAll(later, {{"needs devices", "needs more"}});
  fake_.refused["RevokeWaiver w-1"] = {grpc::StatusCode::PERMISSION_DENIED, "not yours"};
  ran = Apply(other);
  EXPECT_EQ(ran.exit_status, kFailed);
  EXPECT_THAT(ran.err, HasSubstr("Waiver/devices: it was proposed, but w-1 could not be ended: "
                                 "not yours\n0 of 1 changes were made in full"));
  EXPECT_THAT(fake_.made, ElementsAre("CreateWaiver devices"));
  // The next run ends it, and proposes nothing again.
  fake_.refused.clear();
  ran = Apply(other);
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_THAT(fake_.made, ElementsAre("RevokeWaiver w-1"));
  EXPECT_THAT(Apply(other).out, HasSubstr("Nothing to do"));
}

// Notification channels, whose commands change what the controller has.
TEST_F(ApplyRunTest, ChannelsHaveOneTargetAndCanBeCleared) {
  const struct {
    std::vector<std::string> options;
    const char* complaint;
  } rows[] = {
      {{"--webhook", "https://a/", "--email", "a@b"}, "a channel has one of them"},
      {{"--email", "a@b", "--syslog", "a:1"}, "a channel has one of them"},
      {{"--webhook", "https://a/", "--smtp", "a:25"}, "go with --email only"},
      {{"--syslog", "a:1", "--plain-smtp"}, "go with --email only"},
      {{"--webhook", "https://a/", "--format", "ocsf"}, "go with --syslog only"},
      {{"--syslog", "a:1", "--secret-file", Write("key", "secret")}, "--secret-file goes with"},
      {{"--webhook", "https://a/", "--secret-file", Write("empty", "\n")}, "empty is empty"},
  };
  for (const auto& row : rows) {
    std::vector<std::string> command = {"notification", "create", "a"};
    command.insert(command.end(), row.options.begin(), row.options.end());
    const Ran ran = Ask(command);
    EXPECT_EQ(ran.exit_status, kUsage) << row.complaint;
    EXPECT_THAT(ran.err, HasSubstr(row.complaint));
  }
  EXPECT_THAT(fake_.made, IsEmpty());
  Ran ran = Ask({"notification", "create", "a", "--syslog", "a:1", "--format", "ocsf", "-l",
                 "env=prod", "--description", "x", "--severity", "low"});
  ASSERT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.channels["a"].minimum_severity(), v1::LOW);
  ran = Ask({"notification", "update", "a", "--transport", "tcp"});
  ASSERT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.channels["a"].selector(), "env=prod");
  ran = Ask({"notification", "update", "a", "-l", "", "--description", ""});
  ASSERT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(fake_.channels["a"].selector(), "");
  EXPECT_EQ(fake_.channels["a"].description(), "");
  EXPECT_EQ(fake_.channels["a"].syslog().transport(), v1::SyslogTarget::TCP);
}

}  // namespace
}  // namespace plimsoll::cli
