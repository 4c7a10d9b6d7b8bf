#include "controller/api/waivers.h"

#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "tests/controller/api/waivers_fixture.h"

namespace plimsoll::api {
namespace {

TEST_F(WaiversTest, CoversNothingUntilAnotherPersonApproves) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  const std::string id = Propose();
  EXPECT_EQ(Get(id).state(), v1::Waiver::PROPOSED);
  EXPECT_EQ(Get(id).covered_count(), 0);
  // Another token of the same person is the same person.
  EXPECT_TRUE(
      absl::IsPermissionDenied(Approve(id, {"9", Operator().name, store::Role::kAdmin}).status()));
  EXPECT_TRUE(absl::IsPermissionDenied(Approve(id, Operator()).status()));
  const auto approved = Approve(id);
  ASSERT_TRUE(approved.ok()) << approved.status();
  EXPECT_TRUE(approved->active());
  EXPECT_EQ(approved->decided_by(), Admin().name);
  EXPECT_EQ(Get(id).covered_count(), 2);
  EXPECT_EQ(Get(id).covered(0).finding().waiver_id(), id);
  // The policy of this controller has it at once.
  EXPECT_EQ(parts_.book.current()->For("h-1", {}).waivers.size(), 1u);
  EXPECT_TRUE(absl::IsFailedPrecondition(Approve(id).status()));
}

TEST_F(WaiversTest, OnePersonMayDoWhereConfigured) {
  Waivers single(*parts_.store, parts_.index, parts_.book, parts_.clock, {.two_persons = false});
  auto waiver = single.Create(Admin(), Request());
  ASSERT_TRUE(waiver.ok()) << waiver.status();
  v1::DecideWaiverRequest request;
  request.set_waiver(waiver->id());
  EXPECT_TRUE(single.Approve(Admin(), request).ok());
}

TEST_F(WaiversTest, RefusesWhatIsIncomplete) {
  const struct {
    const char* says;
    std::function<void(v1::Waiver&)> spoil;
  } rows[] = {
      {"rules", [](v1::Waiver& w) { w.clear_rules(); }},
      {"no rule", [](v1::Waiver& w) { w.mutable_rules(0)->set_rule("none"); }},
      {"no baseline", [](v1::Waiver& w) { w.mutable_rules(0)->set_baseline("none"); }},
      {"hosts", [](v1::Waiver& w) { w.clear_selector(); }},
      {"no host",
       [](v1::Waiver& w) {
         w.clear_selector();
         w.mutable_selector()->add_hosts("none");
       }},
      {"selector",
       [](v1::Waiver& w) {
         w.clear_selector();
         w.mutable_selector()->set_expression("env in (");
       }},
      {"reason", [](v1::Waiver& w) { w.clear_reason(); }},
      {"owner", [](v1::Waiver& w) { w.clear_owner(); }},
      {"expire_time", [](v1::Waiver& w) { w.clear_expire_time(); }},
      {"past", [](v1::Waiver& w) { w.mutable_expire_time()->set_seconds(5); }},
      {"366 days",
       [](v1::Waiver& w) {
         w.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(At(100) + absl::Hours(24 * 400)));
       }},
      {"start_time", [](v1::Waiver& w) { *w.mutable_start_time() = w.expire_time(); }},
      {"stars", [](v1::Waiver& w) { w.set_object_pattern("*a*a*a*a*a*a*a*a*a"); }},
  };
  for (const auto& row : rows) {
    v1::CreateWaiverRequest request = Request();
    row.spoil(*request.mutable_waiver());
    const absl::Status status = parts_.waivers.Create(Operator(), request).status();
    EXPECT_FALSE(status.ok()) << row.says;
    EXPECT_TRUE(absl::StrContains(status.message(), row.says)) << status;
  }
}

TEST_F(WaiversTest, PreviewsExactlyWhatItWouldCover) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(parts_
                    .AddJudgedHost(absl::StrCat("h-", i), absl::StrCat("web-", i),
                                   {{"env", i < 3 ? "prod" : "dev"}})
                    .ok());
  }
  v1::Waiver waiver = Request("slug-of-r2").waiver();
  waiver.clear_selector();
  waiver.mutable_selector()->set_expression("env=prod");
  const v1::PreviewWaiverResponse all = Preview(waiver);
  EXPECT_EQ(all.finding_count(), 6);
  EXPECT_EQ(all.host_count(), 3);
  EXPECT_EQ(all.selected_host_count(), 3);
  EXPECT_EQ(all.uncounted_host_count(), 0);
  EXPECT_EQ(all.next_page_token(), "");
  // Pages of any size hold each finding once, in order.
  for (int size = 1; size <= 7; ++size) {
    v1::PreviewWaiverResponse pages;
    std::string token;
    do {
      const v1::PreviewWaiverResponse page = Preview(waiver, size, token);
      if (token.empty()) {
        EXPECT_EQ(page.finding_count(), 6);
      }
      EXPECT_LE(page.findings_size(), size);
      pages.mutable_findings()->MergeFrom(page.findings());
      token = page.next_page_token();
    } while (!token.empty());
    ASSERT_EQ(pages.findings_size(), 6) << size;
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(pages.findings(i).SerializeAsString(), all.findings(i).SerializeAsString());
    }
  }
  waiver.set_object_pattern("b");
  EXPECT_EQ(Preview(waiver).finding_count(), 3);
  // And it is what an approved one covers.
  v1::CreateWaiverRequest request = Request();
  *request.mutable_waiver()->mutable_selector() = waiver.selector();
  request.mutable_waiver()->set_object_pattern("b");
  const std::string id = Propose(request);
  ASSERT_TRUE(Approve(id).ok());
  EXPECT_EQ(Get(id).covered_count(), 3);
}

TEST_F(WaiversTest, ABoundOneLapsesForWhatIsNoLongerTheSame) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  v1::CreateWaiverRequest request = Request();
  request.mutable_waiver()->set_bound_to_facts(true);
  const std::string id = Propose(request);
  const auto approved = Approve(id);
  ASSERT_TRUE(approved.ok()) << approved.status();
  // Two containers of one configuration are one thing to remember.
  EXPECT_EQ(approved->bound_object_count(), 1);
  EXPECT_EQ(Get(id).covered_count(), 2);
  v1::HostFacts changed = JudgedFacts();
  changed.mutable_containers()->mutable_containers(1)->add_cap_add("SYS_ADMIN");
  ASSERT_TRUE(parts_.Judge("h-1", 2, changed).ok());
  const v1::Waiver after = Get(id);
  EXPECT_EQ(after.covered_count(), 1);
  ASSERT_EQ(after.lapsed_count(), 1);
  EXPECT_TRUE(absl::StartsWith(after.lapsed(0).finding().object(), "b"));
  v1::ListWaiversRequest lapsed;
  lapsed.set_lapsed(true);
  EXPECT_EQ(parts_.waivers.List(Viewer(), lapsed)->waivers_size(), 1);
}

TEST_F(WaiversTest, EndsByItselfAndCanBeRenewed) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  const std::string id = Propose();
  ASSERT_TRUE(Approve(id).ok());
  parts_.clock.Advance(absl::Seconds(900));
  EXPECT_EQ(Get(id).state(), v1::Waiver::EXPIRED);
  EXPECT_FALSE(Get(id).active());
  v1::RenewWaiverRequest renew;
  renew.set_waiver(id);
  renew.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(At(2000)));
  const auto renewed = parts_.waivers.Renew(Operator(), renew);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->state(), v1::Waiver::PROPOSED);
  ASSERT_TRUE(Approve(id).ok());
  EXPECT_EQ(Get(id).covered_count(), 2);
  v1::DecideWaiverRequest revoke;
  revoke.set_waiver(id);
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.waivers.Revoke(Operator(), revoke).status()));
  EXPECT_EQ(parts_.waivers.Revoke(Admin(), revoke)->state(), v1::Waiver::REVOKED);
  EXPECT_TRUE(parts_.book.current()->For("h-1", {}).waivers.empty());
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.waivers.Renew(Operator(), renew).status()));
  // Newest first, in pages.
  v1::ListWaiverHistoryRequest history;
  history.set_waiver(id);
  history.set_page_size(2);
  std::string actions;
  do {
    const auto page = parts_.waivers.ListHistory(Viewer(), history);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::WaiverChange& change : page->changes()) {
      absl::StrAppend(&actions, v1::WaiverChange::Action_Name(change.action()), " ");
    }
    history.set_page_token(page->next_page_token());
  } while (!history.page_token().empty());
  EXPECT_EQ(actions, "REVOKE APPROVE RENEW APPROVE PROPOSE ");
}

TEST_F(WaiversTest, ADecisionIsAboutTheVersionThatWasLookedAt) {
  const std::string id = Propose();
  v1::DecideWaiverRequest request;
  request.set_waiver(id);
  request.set_version(7);
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.waivers.Approve(Admin(), request).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.waivers.Reject(Admin(), request).status()));
  request.set_version(1);
  EXPECT_EQ(parts_.waivers.Reject(Admin(), request)->state(), v1::Waiver::REJECTED);
}

TEST_F(WaiversTest, TheirProposerMayWithdrawThem) {
  v1::DecideWaiverRequest request;
  request.set_waiver(Propose());
  EXPECT_TRUE(absl::IsPermissionDenied(
      parts_.waivers.Revoke({"8", "oscar", store::Role::kOperator}, request).status()));
  EXPECT_EQ(parts_.waivers.Revoke(Operator(), request)->state(), v1::Waiver::REVOKED);
}

TEST(WaiversOfTwoBaselinesTest, ASlugSelectsThoseOfItsRules) {
  Parts parts({ScoredBaseline(), RenumberedBaseline()});
  std::map<std::string, std::string> ids;
  for (const char* baseline : {"base", "renumbered"}) {
    v1::CreateWaiverRequest request;
    v1::Waiver& waiver = *request.mutable_waiver();
    v1::RuleRef& rule = *waiver.add_rules();
    rule.set_baseline(baseline);
    rule.set_rule("r2");
    waiver.mutable_selector()->set_all(true);
    waiver.set_reason("accepted");
    waiver.set_owner("storage");
    waiver.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(At(1000)));
    const auto made = parts.waivers.Create(Operator(), request);
    ASSERT_TRUE(made.ok()) << made.status();
    ids[baseline] = made->id();
  }
  const auto listed = [&parts](const std::string& rule) {
    v1::ListWaiversRequest request;
    request.set_rule(rule);
    const auto page = parts.waivers.List(Viewer(), request);
    EXPECT_TRUE(page.ok()) << page.status();
    std::set<std::string> found;
    for (const v1::Waiver& waiver : page->waivers()) found.insert(waiver.id());
    return found;
  };
  EXPECT_EQ(listed("slug-of-r2"), std::set<std::string>{ids["base"]});
  EXPECT_EQ(listed("slug-of-r4"), std::set<std::string>{ids["renumbered"]});
  EXPECT_EQ(listed("r2"), (std::set<std::string>{ids["base"], ids["renumbered"]}));
}

TEST_F(WaiversTest, ListsByExpiryWithFilters) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  std::vector<std::string> ids;
  for (const int expire : {500, 300, 400}) {
    v1::CreateWaiverRequest request = Request(expire == 400 ? "r1" : "r2");
    request.mutable_waiver()->mutable_expire_time()->set_seconds(absl::ToUnixSeconds(At(expire)));
    ids.push_back(Propose(request));
  }
  const auto listed = [&](v1::ListWaiversRequest request) {
    std::vector<std::string> found;
    request.set_page_size(1);
    do {
      auto page = parts_.waivers.List(Viewer(), request);
      EXPECT_TRUE(page.ok()) << page.status();
      for (const v1::Waiver& waiver : page->waivers()) found.push_back(waiver.id());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return found;
  };
  using Found = std::vector<std::string>;
  EXPECT_EQ(listed({}), (Found{ids[1], ids[2], ids[0]}));
  v1::ListWaiversRequest request;
  request.set_rule("slug-of-r1");
  EXPECT_EQ(listed(request), Found{ids[2]});
  request.Clear();
  request.mutable_expire_before()->set_seconds(absl::ToUnixSeconds(At(450)));
  EXPECT_EQ(listed(request), (Found{ids[1], ids[2]}));
  request.mutable_expire_before()->set_seconds(10'000'000'000'000);
  EXPECT_EQ(listed(request), listed({})) << "more microseconds than 64 bits hold";
  request.Clear();
  ASSERT_TRUE(Approve(ids[2]).ok());
  request.add_states(v1::Waiver::APPROVED);
  EXPECT_EQ(listed(request), Found{ids[2]});
  request.Clear();
  request.set_unused(true);
  EXPECT_EQ(listed(request), Found{ids[2]}) << "r1 passes: there is nothing to cover";
  parts_.clock.Advance(absl::Seconds(250));
  request.Clear();
  request.add_states(v1::Waiver::EXPIRED);
  EXPECT_EQ(listed(request), Found{ids[1]});
}

TEST_F(WaiversTest, StayInTheCallersPartOfTheFleet) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1", {{"env", "prod"}}).ok());
  ASSERT_TRUE(parts_.AddJudgedHost("h-2", "web-2", {{"env", "dev"}}).ok());
  Principal limited = Operator();
  limited.scope = "env=dev";
  auto waiver = parts_.waivers.Create(limited, Request());
  ASSERT_TRUE(waiver.ok()) << waiver.status();
  EXPECT_FALSE(waiver->selector().all());
  ASSERT_TRUE(Approve(waiver->id()).ok());
  const v1::Waiver shown = Get(waiver->id());
  EXPECT_EQ(shown.covered_count(), 2);
  EXPECT_EQ(shown.covered(0).host_id(), "h-2");
  // One about the whole fleet is seen, with what is theirs, and not decided.
  const std::string whole = Propose();
  ASSERT_TRUE(Approve(whole).ok());
  v1::DecideWaiverRequest revoke;
  revoke.set_waiver(whole);
  Principal limited_admin = Admin();
  limited_admin.scope = "env=dev";
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.waivers.Revoke(limited_admin, revoke).status()));
  Principal elsewhere = Viewer();
  elsewhere.scope = "env=test";
  v1::GetWaiverRequest get;
  get.set_waiver(whole);
  EXPECT_TRUE(absl::IsNotFound(parts_.waivers.Get(elsewhere, get).status()));
  EXPECT_EQ(parts_.waivers.List(elsewhere, {})->waivers_size(), 0);
}

TEST_F(WaiversTest, PreviewsAndListsSayOneSeverity) {
  v1::SetTailoringRequest tailor;
  v1::Tailoring& tailoring = *tailor.mutable_tailoring();
  tailoring.set_name("low");
  tailoring.set_baseline("base");
  tailoring.mutable_selector()->set_all(true);
  tailoring.add_rules()->set_rule("r2");
  tailoring.mutable_rules(0)->set_severity(v1::LOW);
  const auto made = parts_.tailorings.Set(Admin(), tailor);
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  v1::ListFindingsRequest findings;
  findings.add_rules("r2");
  const auto listed = parts_.findings.List(Viewer(), findings);
  ASSERT_TRUE(listed.ok()) << listed.status();
  const v1::PreviewWaiverResponse preview = Preview(Request().waiver());
  ASSERT_EQ(preview.findings_size(), listed->findings_size());
  for (int i = 0; i < preview.findings_size(); ++i) {
    EXPECT_EQ(preview.findings(i).severity(), v1::HIGH) << "as the active document says";
    EXPECT_EQ(listed->findings(i).severity(), v1::HIGH);
  }
}

TEST_F(WaiversTest, FindingsAndReportsShowTheMark) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  v1::CreateWaiverRequest request = Request();
  request.mutable_waiver()->set_object_pattern("a");
  const std::string id = Propose(request);
  ASSERT_TRUE(Approve(id).ok());
  ASSERT_TRUE(parts_.Judge("h-1", 2, JudgedFacts()).ok());
  v1::ListFindingsRequest findings;
  findings.add_rules("r2");
  findings.set_waived(true);
  auto waived = parts_.findings.List(Viewer(), findings);
  ASSERT_TRUE(waived.ok()) << waived.status();
  ASSERT_EQ(waived->findings_size(), 1);
  EXPECT_EQ(waived->findings(0).finding().waiver_id(), id);
  findings.set_waived(false);
  EXPECT_EQ(parts_.findings.List(Viewer(), findings)->findings_size(), 1);
  v1::GetSummaryRequest summary;
  summary.set_baseline("base");
  EXPECT_EQ(parts_.summaries.Get(Viewer(), summary)->counts().waived(), 0) << "b is not waived";
  // With both waived, the verdict is.
  v1::CreateWaiverRequest rest = Request();
  rest.mutable_waiver()->set_object_pattern("b");
  ASSERT_TRUE(Approve(Propose(rest)).ok());
  ASSERT_TRUE(parts_.Judge("h-1", 3, JudgedFacts()).ok());
  const auto counted = parts_.summaries.Get(Viewer(), summary);
  EXPECT_EQ(counted->counts().waived(), 1);
  EXPECT_EQ(counted->counts().fail(), 2);
  EXPECT_EQ(counted->rules(1).counts().waived(), 1);
  v1::GetHostReportRequest report;
  report.set_host("h-1");
  report.set_baseline("base");
  EXPECT_TRUE(parts_.hosts.GetReport(Viewer(), report)->verdicts(1).waived());
  v1::ListWorstHostsRequest worst;
  worst.set_baseline("base");
  EXPECT_EQ(parts_.summaries.ListWorst(Viewer(), worst)->hosts(0).counts().waived(), 1);
  EXPECT_EQ(parts_.hosts.List(Viewer(), {})->hosts(0).counts().at("base").waived(), 1);
  v1::GetTrendRequest trend;
  trend.set_baseline("base");
  EXPECT_EQ(parts_.summaries.GetTrend(Viewer(), trend)->points(0).counts().waived(), 1);
}

}  // namespace
}  // namespace plimsoll::api
