// What callers see who are limited to a part of the fleet: team=shop, which has h-1 and h-2. h-3
// and h-4 are another team's, h-5 has no labels.
#include "controller/api/scope.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

class ScopeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(parts_.AddJudgedHost("h-1", "shop-1", {{"team", "shop"}, {"env", "prod"}}).ok());
    ASSERT_TRUE(parts_.AddJudgedHost("h-2", "shop-2", {{"team", "shop"}}).ok());
    ASSERT_TRUE(parts_.AddJudgedHost("h-3", "bank-1", {{"team", "bank"}, {"env", "prod"}}).ok());
    ASSERT_TRUE(parts_.AddJudgedHost("h-4", "bank-2", {{"team", "bank"}}).ok());
    ASSERT_TRUE(parts_.AddJudgedHost("h-5", "bare").ok());
    for (Principal* who : {&viewer_, &operator_, &admin_}) who->scope = "team=shop";
  }
  template <class Request>
  static Request For(const std::string& host) {
    Request request;
    request.set_host(host);
    return request;
  }
  absl::StatusOr<v1::Scan> StartScan(const Principal& who, const std::string& expression = "") {
    v1::CreateScanRequest request;
    request.set_all(expression.empty());
    request.set_selector(expression);
    return parts_.scans.Create(who, request);
  }
  static std::string Hosts(const v1::Scan& scan) {
    std::vector<std::string> ids;
    for (const v1::ScanHost& host : scan.hosts()) ids.push_back(host.host_id());
    std::sort(ids.begin(), ids.end());
    return absl::StrJoin(ids, " ");
  }
  v1::Schedule Nightly(const std::string& name) {
    v1::Schedule schedule;
    schedule.set_name(name);
    schedule.set_cron("0 2 * * *");
    schedule.mutable_selector()->set_all(true);
    return schedule;
  }
  template <class Request>
  static Request Named(const std::string& schedule) {
    Request request;
    request.set_schedule(schedule);
    return request;
  }

  Parts parts_;
  Principal viewer_ = Viewer();
  Principal operator_ = Operator();
  Principal admin_ = Admin();
};

TEST_F(ScopeTest, ListsAndCountsAreOfThePart) {
  const auto hosts = parts_.hosts.List(viewer_, {});
  ASSERT_TRUE(hosts.ok()) << hosts.status();
  ASSERT_EQ(hosts->hosts_size(), 2);
  EXPECT_EQ(hosts->hosts(0).id(), "h-1");
  v1::ListHostsRequest wider;
  wider.set_selector("team in (shop,bank),env=prod");
  EXPECT_EQ(parts_.hosts.List(viewer_, wider)->hosts_size(), 1);
  wider.set_selector("team=bank");
  EXPECT_EQ(parts_.hosts.List(viewer_, wider)->hosts_size(), 0);

  v1::ListFindingsRequest findings;
  const auto found = parts_.findings.List(viewer_, findings);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_GT(found->findings_size(), 0);
  for (const v1::FleetFinding& finding : found->findings()) {
    EXPECT_TRUE(finding.host_id() == "h-1" || finding.host_id() == "h-2") << finding.host_id();
  }
  findings.set_host("h-3");
  EXPECT_TRUE(absl::IsNotFound(parts_.findings.List(viewer_, findings).status()));

  v1::GetSummaryRequest summary;
  summary.set_baseline("base");
  EXPECT_EQ(parts_.summaries.Get(viewer_, summary)->host_count(), 2);
  EXPECT_EQ(parts_.summaries.Get(Viewer(), summary)->host_count(), 5);
  summary.set_host("bank-1");
  EXPECT_TRUE(absl::IsNotFound(parts_.summaries.Get(viewer_, summary).status()));
  v1::ListLabelSummariesRequest labels;
  labels.set_baseline("base");
  labels.set_label("team");
  const auto values = parts_.summaries.ListByLabel(viewer_, labels);
  ASSERT_TRUE(values.ok());
  ASSERT_EQ(values->values_size(), 1);
  EXPECT_EQ(values->values(0).value(), "shop");
  v1::ListWorstHostsRequest worst;
  worst.set_baseline("base");
  EXPECT_EQ(parts_.summaries.ListWorst(viewer_, worst)->hosts_size(), 2);
  v1::ListFailingConfigurationsRequest configurations;
  configurations.set_baseline("base");
  EXPECT_EQ(parts_.summaries.ListConfigurations(viewer_, configurations)->container_count(), 2 * 3);
  EXPECT_EQ(parts_.summaries.ListConfigurations(Viewer(), configurations)->container_count(),
            5 * 3);
  v1::GetTrendRequest trend;
  trend.set_baseline("base");
  const auto points = parts_.summaries.GetTrend(viewer_, trend);
  ASSERT_TRUE(points.ok());
  const auto whole = parts_.summaries.GetTrend(Viewer(), trend);
  ASSERT_TRUE(whole.ok());
  ASSERT_GT(points->points_size(), 0);
  EXPECT_EQ(points->points(points->points_size() - 1).counts().fail() * 5,
            whole->points(whole->points_size() - 1).counts().fail() * 2);
}

TEST_F(ScopeTest, HostsOutsideAreNotThere) {
  EXPECT_TRUE(parts_.hosts.Get(viewer_, For<v1::GetHostRequest>("shop-1")).ok());
  const absl::Status missing =
      parts_.hosts.Get(viewer_, For<v1::GetHostRequest>("nosuch")).status();
  for (const char* outside : {"h-3", "bank-1", "h-5"}) {
    const absl::Status status =
        parts_.hosts.Get(viewer_, For<v1::GetHostRequest>(outside)).status();
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_EQ(status.message(), absl::StrCat("no host \"", outside, "\"")) << missing;
    auto report = For<v1::GetHostReportRequest>(outside);
    report.set_baseline("base");
    EXPECT_TRUE(absl::IsNotFound(parts_.hosts.GetReport(viewer_, report).status()));
    EXPECT_TRUE(absl::IsNotFound(
        parts_.hosts.ListTransitions(viewer_, For<v1::ListTransitionsRequest>(outside)).status()));
    EXPECT_TRUE(absl::IsNotFound(
        parts_.hosts.Remove(admin_, For<v1::RemoveHostRequest>(outside)).status()));
    EXPECT_TRUE(absl::IsNotFound(
        parts_.hosts.Release(admin_, For<v1::ReleaseHostRequest>(outside)).status()));
    EXPECT_TRUE(absl::IsNotFound(
        parts_.hosts.Revoke(admin_, For<v1::RevokeHostRequest>(outside)).status()));
  }
  EXPECT_EQ(missing.message(), "no host \"nosuch\"");
  // Nor is a name that two of them have.
  ASSERT_TRUE(parts_.AddHost("h-6", "twin", {{"team", "bank"}}).ok());
  ASSERT_TRUE(parts_.AddHost("h-7", "twin", {{"team", "bank"}}).ok());
  EXPECT_EQ(parts_.hosts.Get(viewer_, For<v1::GetHostRequest>("twin")).status(),
            absl::NotFoundError("no host \"twin\""));
  EXPECT_TRUE(parts_.hosts.Remove(admin_, For<v1::RemoveHostRequest>("h-2")).ok());
}

TEST_F(ScopeTest, WhatConcernsAllIsRefused) {
  for (const absl::Status& status :
       {parts_.enrollment->Create(admin_, {}).status(),
        parts_.enrollment->List(admin_, {}).status(),
        parts_.enrollment->Revoke(admin_, {}).status(), parts_.users.List(admin_, {}).status(),
        parts_.activities.List(admin_, {}).status(),
        parts_.activities.GetHead(admin_, {}).status()}) {
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "whole fleet")) << status;
  }
}

TEST_F(ScopeTest, ScansAreOfThePart) {
  const auto own = StartScan(operator_);
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_EQ(Hosts(*own), "h-1 h-2");
  EXPECT_EQ(own->selector().expression(), "team=shop");
  EXPECT_FALSE(own->selector().all());
  EXPECT_TRUE(absl::IsNotFound(StartScan(operator_, "team=bank").status()));
  v1::CreateScanRequest named;
  named.add_hosts("shop-1");
  named.add_hosts("bank-1");
  const absl::Status status = parts_.scans.Create(operator_, named).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "bank-1")) << status;

  // Of the hosts that others named, those of the part.
  v1::CreateScanRequest both;
  for (const char* host : {"bank-1", "h-1", "h-4", "shop-2"}) both.add_hosts(host);
  const auto mixed = parts_.scans.Create(Operator(), both);
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  v1::GetScanRequest one;
  one.set_id(mixed->id());
  EXPECT_EQ(absl::StrJoin(parts_.scans.Get(viewer_, one)->selector().hosts(), " "), "h-1 shop-2");
  EXPECT_EQ(parts_.scans.Get(Viewer(), one)->selector().hosts_size(), 4);
  const auto listed = parts_.scans.List(viewer_, {});
  ASSERT_TRUE(listed.ok()) << listed.status();
  for (const v1::Scan& scan : listed->scans()) {
    EXPECT_EQ(absl::StrJoin(scan.selector().hosts(), " "),
              scan.id() == mixed->id() ? "h-1 shop-2" : "");
  }

  // One of the whole fleet, and one of others.
  const auto all = StartScan(Operator());
  const auto other = StartScan(Operator(), "team=bank");
  ASSERT_TRUE(all.ok() && other.ok());
  v1::GetScanRequest get;
  get.set_id(all->id());
  const auto part = parts_.scans.Get(viewer_, get);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(Hosts(*part), "h-1 h-2");
  EXPECT_EQ(part->progress().targeted(), 2);
  EXPECT_EQ(part->progress().requested(), 2);
  v1::WatchScanRequest watch;
  watch.set_id(all->id());
  EXPECT_EQ(parts_.scans.Observe(viewer_, watch)->progress().targeted(), 2);
  get.set_id(other->id());
  EXPECT_TRUE(absl::IsNotFound(parts_.scans.Get(viewer_, get).status()));
  v1::ListScansRequest list;
  EXPECT_EQ(parts_.scans.List(viewer_, list)->scans_size(), 3);
  EXPECT_EQ(parts_.scans.List(Viewer(), list)->scans_size(), 4);
  v1::ListScanHostsRequest hosts;
  hosts.set_scan_id(all->id());
  hosts.set_page_size(1);
  auto page = parts_.scans.ListHosts(viewer_, hosts);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->hosts_size(), 1);
  EXPECT_EQ(page->hosts(0).host_id(), "h-1");
  hosts.set_page_token(page->next_page_token());
  page = parts_.scans.ListHosts(viewer_, hosts);
  ASSERT_EQ(page->hosts_size(), 1);
  EXPECT_EQ(page->hosts(0).host_id(), "h-2");
  EXPECT_EQ(page->next_page_token(), "");
  hosts.set_scan_id(other->id());
  hosts.clear_page_token();
  EXPECT_TRUE(absl::IsNotFound(parts_.scans.ListHosts(viewer_, hosts).status()));
  v1::GetScanReportRequest report;
  report.set_scan_id(all->id());
  report.set_host("h-3");
  report.set_baseline("base");
  EXPECT_TRUE(
      absl::StrContains(parts_.scans.GetReport(viewer_, report).status().message(), "no host"));

  v1::CancelScanRequest cancel;
  cancel.set_id(other->id());
  EXPECT_TRUE(absl::IsNotFound(parts_.scans.Cancel(operator_, cancel).status()));
  cancel.set_id(all->id());
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.scans.Cancel(operator_, cancel).status()));
  cancel.set_id(own->id());
  EXPECT_TRUE(parts_.scans.Cancel(operator_, cancel).ok());
}

TEST_F(ScopeTest, WaiversTellOfNoHostOutside) {
  v1::CreateWaiverRequest create;
  v1::Waiver& wanted = *create.mutable_waiver();
  wanted.add_rules()->set_baseline("base");
  wanted.mutable_rules(0)->set_rule("r2");
  for (const char* host : {"h-1", "h-3"}) wanted.mutable_selector()->add_hosts(host);
  wanted.set_reason("accepted");
  wanted.set_owner("storage");
  wanted.set_bound_to_facts(true);
  wanted.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(store::At(1000)));
  const auto made = parts_.waivers.Create(Operator(), create);
  ASSERT_TRUE(made.ok()) << made.status();
  v1::DecideWaiverRequest approve;
  approve.set_waiver(made->id());
  ASSERT_TRUE(parts_.waivers.Approve(Admin(), approve).ok());
  v1::GetWaiverRequest get;
  get.set_waiver(made->id());
  v1::ListWaiverHistoryRequest history;
  history.set_waiver(made->id());
  for (const auto& [who, hosts, bound] :
       {std::tuple(viewer_, "h-1", false), std::tuple(Viewer(), "h-1 h-3", true)}) {
    std::vector<v1::Waiver> seen = {*parts_.waivers.Get(who, get)};
    const auto listed = parts_.waivers.List(who, {});
    for (const v1::Waiver& each : listed->waivers()) seen.push_back(each);
    seen.push_back(parts_.waivers.ListHistory(who, history)->changes(0).waiver());
    EXPECT_EQ(seen.size(), 3u);
    for (const v1::Waiver& waiver : seen) {
      EXPECT_EQ(absl::StrJoin(waiver.selector().hosts(), " "), hosts);
      EXPECT_EQ(waiver.bound_object_count() > 0, bound);
    }
  }
}

TEST_F(ScopeTest, OneKeyOfTwoPartsIsTwoRequests) {
  v1::CreateScanRequest request;
  request.set_all(true);
  request.set_idempotency_key("k");
  const auto whole = parts_.scans.Create(Operator(), request);
  ASSERT_TRUE(whole.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(parts_.scans.Create(operator_, request).status()));
}

TEST_F(ScopeTest, SchedulesAreOfThePart) {
  v1::CreateScheduleRequest create;
  *create.mutable_schedule() = Nightly("all");
  ASSERT_TRUE(parts_.schedules.Create(Operator(), create).ok());
  *create.mutable_schedule() = Nightly("mine");
  const auto mine = parts_.schedules.Create(operator_, create);
  ASSERT_TRUE(mine.ok()) << mine.status();
  EXPECT_EQ(mine->selector().expression(), "team=shop");
  EXPECT_FALSE(mine->selector().all());
  const auto list = parts_.schedules.List(viewer_, {});
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->schedules_size(), 1);
  EXPECT_EQ(list->schedules(0).name(), "mine");
  EXPECT_TRUE(absl::IsNotFound(
      parts_.schedules.Get(viewer_, Named<v1::GetScheduleRequest>("all")).status()));
  EXPECT_TRUE(absl::IsNotFound(
      parts_.schedules.Pause(operator_, Named<v1::PauseScheduleRequest>("all")).status()));
  EXPECT_TRUE(absl::IsNotFound(
      parts_.schedules.Delete(operator_, Named<v1::DeleteScheduleRequest>("all")).status()));
  EXPECT_TRUE(absl::IsNotFound(
      parts_.schedules.ListRuns(viewer_, Named<v1::ListScheduleRunsRequest>("all")).status()));
  v1::UpdateScheduleRequest update;
  *update.mutable_schedule() = *mine;
  update.mutable_schedule()->set_cron("0 3 * * *");
  auto changed = parts_.schedules.Update(operator_, update);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(changed->selector().expression(), "team=shop");
  // Nothing that is asked for makes it wider.
  update.mutable_schedule()->clear_selector();
  update.mutable_schedule()->clear_etag();
  update.mutable_schedule()->mutable_selector()->set_all(true);
  changed = parts_.schedules.Update(operator_, update);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(changed->selector().expression(), "team=shop");
  EXPECT_FALSE(changed->selector().all());
}

TEST_F(ScopeTest, AScopeThatCannotBeReadShowsNothing) {
  viewer_.scope = "team in (";
  EXPECT_TRUE(absl::IsInternal(parts_.hosts.List(viewer_, {}).status()));
  EXPECT_TRUE(
      absl::IsInternal(parts_.hosts.Get(viewer_, For<v1::GetHostRequest>("shop-1")).status()));
  v1::HostSelector all;
  all.set_all(true);
  EXPECT_FALSE(Within(viewer_, all));
  EXPECT_TRUE(absl::IsInternal(parts_.waivers.List(viewer_, {}).status()));
}

TEST(ScopesTest, AreJoinedSoThatBothHold) {
  EXPECT_EQ(JoinScopes("", ""), "");
  EXPECT_EQ(JoinScopes(" a=b ", ""), "a=b");
  EXPECT_EQ(JoinScopes("", "a=b"), "a=b");
  EXPECT_EQ(JoinScopes("a=b", "a=b"), "a=b");
  EXPECT_EQ(JoinScopes("a=b", "c in (d,e)"), "a=b,c in (d,e)");
}

}  // namespace
}  // namespace plimsoll::api
