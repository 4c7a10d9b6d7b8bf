#include "controller/api/selectors.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "controller/api/scope.h"
#include "tests/controller/api/listed_hosts.h"
#include "tests/controller/api/waivers_fixture.h"

namespace plimsoll::api {
namespace {

class SelectorsTest : public WaiversTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1", {{"env", "prod"}}).ok());
    ASSERT_TRUE(parts_.AddJudgedHost("h-2", "web-2", {{"env", "test"}}).ok());
  }
  absl::StatusOr<v1::SavedSelector> Save(const std::string& expression,
                                         const Principal& who = Operator(),
                                         const std::string& name = "live") {
    v1::SaveSelectorRequest request;
    request.mutable_selector()->set_name(name);
    request.mutable_selector()->set_expression(expression);
    return parts_.selectors.Save(who, request);
  }
  absl::StatusOr<v1::SavedSelector> Show(const Principal& who = Viewer()) {
    v1::GetSelectorRequest request;
    request.set_name("live");
    return parts_.selectors.Get(who, request);
  }
  absl::Status Delete() {
    v1::DeleteSelectorRequest request;
    request.set_name("live");
    return parts_.selectors.Delete(Operator(), request).status();
  }
  std::string Listed(const std::string& expression) { return ListedHosts(parts_, expression); }
  static v1::Schedule Nightly() {
    v1::Schedule schedule;
    schedule.set_name("nightly");
    schedule.set_cron("0 2 * * *");
    schedule.mutable_selector()->set_expression("@live");
    return schedule;
  }
};

TEST_F(SelectorsTest, StandForTheirRequirementsEverywhere) {
  const auto saved = Save("env=prod");
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->host_count(), 1);
  EXPECT_EQ(saved->updated_by(), Operator().name);
  EXPECT_EQ(Listed("@live"), "web-1 ");
  EXPECT_EQ(Listed("@live,!env"), "");
  v1::GetSummaryRequest summary;
  summary.set_baseline("base");
  summary.set_selector("@live");
  EXPECT_EQ(parts_.summaries.Get(Viewer(), summary)->host_count(), 1);
  v1::ListFindingsRequest findings;
  findings.set_selector("@live");
  const auto found = parts_.findings.List(Viewer(), findings);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_GT(found->findings_size(), 0);
  for (const v1::FleetFinding& finding : found->findings()) EXPECT_EQ(finding.host_id(), "h-1");
  v1::CreateScanRequest scan;
  scan.set_selector("@live");
  const auto started = parts_.scans.Create(Operator(), scan);
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_EQ(started->progress().targeted(), 1);
  // One that changes changes what it selects.
  ASSERT_TRUE(Save("env").ok());
  EXPECT_EQ(Listed("@live"), "web-1 web-2 ");
  v1::ListHostsRequest unknown;
  unknown.set_selector("@gone");
  const absl::Status refused = parts_.hosts.List(Viewer(), unknown).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
}

TEST_F(SelectorsTest, AWaiverFollowsTheSelectorItNames) {
  ASSERT_TRUE(Save("env=prod").ok());
  v1::CreateWaiverRequest request = Request();
  request.mutable_waiver()->mutable_selector()->set_all(false);
  request.mutable_waiver()->mutable_selector()->set_expression("@live");
  EXPECT_EQ(Preview(request.waiver()).host_count(), 1);
  const std::string id = Propose(request);
  ASSERT_TRUE(Approve(id).ok());
  EXPECT_EQ(Get(id).covered_count(), 2);
  // An operator may not widen what somebody approved; a scope of one's own aside.
  const absl::Status widened = Save("env").status();
  EXPECT_TRUE(absl::IsPermissionDenied(widened)) << widened;
  EXPECT_TRUE(absl::StrContains(widened.message(), absl::StrCat("waivers/", id))) << widened;
  ASSERT_TRUE(Save("env", Admin()).ok());
  EXPECT_EQ(Get(id).covered_count(), 4);
  // What is there stays readable when it means nobody: as after a deletion by another controller.
  ASSERT_TRUE(parts_.store->selectors().Delete("live").ok());
  ASSERT_TRUE(parts_.book.Reload().ok());
  EXPECT_EQ(Get(id).covered_count(), 0);
  v1::ListWaiversRequest list;
  list.set_with_counts(true);
  EXPECT_EQ(parts_.waivers.List(Viewer(), list)->waivers(0).covered_count(), 0);
}

TEST_F(SelectorsTest, AreNotDeletedWhileSomethingNamesThem) {
  ASSERT_TRUE(Save("env=prod").ok());
  v1::CreateScheduleRequest create;
  *create.mutable_schedule() = Nightly();
  ASSERT_TRUE(parts_.schedules.Create(Operator(), create).ok());
  v1::SetTailoringRequest tailoring;
  tailoring.mutable_tailoring()->set_name("dev");
  tailoring.mutable_tailoring()->set_baseline("base");
  tailoring.mutable_tailoring()->mutable_selector()->set_expression("env,@live");
  v1::RuleTailoring& rule = *tailoring.mutable_tailoring()->add_rules();
  rule.set_rule("r2");
  rule.set_switched_off("builds images");
  ASSERT_TRUE(parts_.tailorings.Set(Admin(), tailoring).ok());
  v1::CreateWaiverRequest waiver = Request();
  waiver.mutable_waiver()->mutable_selector()->set_all(false);
  waiver.mutable_waiver()->mutable_selector()->set_expression("@live");
  const std::string id = Propose(waiver);
  v1::CreateNotificationChannelRequest channel;
  channel.mutable_channel()->set_name("siem");
  channel.mutable_channel()->set_selector("@live");
  channel.mutable_channel()->mutable_syslog()->set_server("siem.example:6514");
  ASSERT_TRUE(parts_.notifications.Create(Admin(), channel).ok());
  const auto shown = Show();
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(
      absl::StrJoin(shown->used_by(), " "),
      absl::StrCat("waivers/", id, " tailorings/dev notification-channels/siem schedules/nightly"));
  const absl::Status used = Delete();
  EXPECT_TRUE(absl::IsFailedPrecondition(used)) << used;
  EXPECT_TRUE(absl::StrContains(used.message(), "schedules/nightly")) << used;
  Principal limited = Viewer();
  limited.scope = "env=test";
  EXPECT_EQ(Show(limited)->host_count(), 0);
  EXPECT_EQ(Show(limited)->used_by_size(), 0);

  v1::DecideWaiverRequest withdraw;
  withdraw.set_waiver(id);
  ASSERT_TRUE(parts_.waivers.Revoke(Operator(), withdraw).ok());
  v1::DeleteTailoringRequest end;
  end.set_name("dev");
  ASSERT_TRUE(parts_.tailorings.Delete(Admin(), end).ok());
  v1::DeleteNotificationChannelRequest forget;
  forget.set_channel("siem");
  ASSERT_TRUE(parts_.notifications.Delete(Admin(), forget).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Delete()));
  v1::DeleteScheduleRequest stop;
  stop.set_schedule("nightly");
  ASSERT_TRUE(parts_.schedules.Delete(Operator(), stop).ok());
  EXPECT_TRUE(Delete().ok());
  EXPECT_TRUE(absl::IsNotFound(Delete()));
}

TEST_F(SelectorsTest, RefuseWhatIsWrong) {
  const std::pair<const char*, const char*> rows[] = {
      {"", "expression: requires nothing"},
      {"env in (", "expression: selector, column 9"},
      {"env=prod,@other", "names @other"},
      {"@live", "names @live"},
  };
  for (const auto& [expression, says] : rows) {
    const absl::Status status = Save(expression).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << expression;
    EXPECT_TRUE(absl::StrContains(status.message(), says)) << status;
  }
  EXPECT_TRUE(absl::StrContains(Save("env", Operator(), "No Name").status().message(), "name: "));
  Principal limited = Operator();
  limited.scope = "env=prod";
  EXPECT_TRUE(absl::IsPermissionDenied(Save("env", limited).status()));
  v1::SaveSelectorRequest request;
  request.mutable_selector()->set_name("live");
  request.mutable_selector()->set_expression("env=prod");
  request.set_validate_only(true);
  EXPECT_EQ(parts_.selectors.Save(Operator(), request)->host_count(), 1);
  EXPECT_TRUE(absl::IsNotFound(Show().status()));
}

// What a caller sees must not be for others to change.
TEST_F(SelectorsTest, AScopeNamesNone) {
  ASSERT_TRUE(Save("env=prod").ok());
  const absl::Status status = CheckScope("scope", "team=shop,@live");
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  Principal limited = Viewer();
  limited.scope = "@live";
  EXPECT_EQ(parts_.hosts.List(limited, {})->hosts_size(), 0) << "fails closed";
}

TEST_F(SelectorsTest, AScheduleOfALimitedCallerStaysInTheirPartOfTheFleet) {
  ASSERT_TRUE(Save("env").ok());
  Principal limited = Operator();
  limited.scope = "env=test";
  v1::CreateScheduleRequest create;
  *create.mutable_schedule() = Nightly();
  create.set_validate_only(true);
  EXPECT_EQ(parts_.schedules.Create(limited, create)->selector().expression(), "env=test,@live");
  v1::GetScheduleRequest get;
  get.set_schedule("nightly");
  EXPECT_TRUE(absl::IsNotFound(parts_.schedules.Get(limited, get).status())) << "only validated";
  create.set_validate_only(false);
  create.mutable_schedule()->set_managed_by("platform");
  ASSERT_TRUE(parts_.schedules.Create(limited, create).ok());
  const auto kept = parts_.schedules.Get(limited, get);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_EQ(kept->managed_by(), "platform");
  v1::UpdateScheduleRequest update;
  *update.mutable_schedule() = *kept;
  update.mutable_schedule()->set_cron("0 3 * * *");
  update.set_validate_only(true);
  ASSERT_TRUE(parts_.schedules.Update(limited, update).ok());
  EXPECT_EQ(parts_.schedules.Get(limited, get)->cron(), "0 2 * * *");
  update.mutable_schedule()->set_cron("never");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.schedules.Update(limited, update).status()));
}

}  // namespace
}  // namespace plimsoll::api
