#include "controller/api/tailorings.h"

#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

class TailoringsTest : public ::testing::Test {
 protected:
  // r2 switched off where env is dev.
  static v1::SetTailoringRequest Request() {
    v1::SetTailoringRequest request;
    v1::Tailoring& tailoring = *request.mutable_tailoring();
    tailoring.set_name("dev");
    tailoring.set_baseline("base");
    tailoring.mutable_selector()->set_expression("env=dev");
    v1::RuleTailoring& rule = *tailoring.add_rules();
    rule.set_rule("slug-of-r2");
    rule.set_switched_off("builds images");
    return request;
  }
  Parts parts_;
};

TEST_F(TailoringsTest, ChangeWhatTheirHostsAreJudgedBy) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1", {{"env", "dev"}}).ok());
  ASSERT_TRUE(parts_.AddJudgedHost("h-2", "web-2", {{"env", "prod"}}).ok());
  auto made = parts_.tailorings.Set(Admin(), Request());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->rules(0).rule(), "r2");
  EXPECT_EQ(made->updated_by(), Admin().name);
  ASSERT_TRUE(parts_.Judge("h-1", 2, JudgedFacts()).ok());
  ASSERT_TRUE(parts_.Judge("h-2", 2, JudgedFacts()).ok());
  v1::GetHostReportRequest request;
  request.set_baseline("base");
  request.set_host("h-1");
  const auto tailored = parts_.hosts.GetReport(Viewer(), request);
  ASSERT_TRUE(tailored.ok()) << tailored.status();
  EXPECT_EQ(tailored->verdicts(1).status(), v1::Verdict::NOT_APPLICABLE);
  EXPECT_NE(tailored->baseline().digest(), parts_.baselines[0].digest());
  request.set_host("h-2");
  EXPECT_EQ(parts_.hosts.GetReport(Viewer(), request)->verdicts(1).status(), v1::Verdict::FAIL);
  // The index counts hosts under both documents.
  v1::GetSummaryRequest summary;
  summary.set_baseline("base");
  const auto counted = parts_.summaries.Get(Viewer(), summary);
  EXPECT_EQ(counted->rules(1).counts().fail(), 1);
  EXPECT_EQ(counted->rules(1).counts().not_applicable(), 1);
  v1::ListFindingsRequest findings;
  findings.add_rules("r2");
  EXPECT_EQ(parts_.findings.List(Viewer(), findings)->findings_size(), 2) << "of h-2 only";
  v1::DeleteTailoringRequest gone;
  gone.set_name("dev");
  ASSERT_TRUE(parts_.tailorings.Delete(Admin(), gone).ok());
  request.set_host("h-1");
  EXPECT_EQ(parts_.hosts.GetReport(Viewer(), request)->verdicts(1).status(), v1::Verdict::FAIL);
  EXPECT_TRUE(absl::IsNotFound(parts_.tailorings.Delete(Admin(), gone).status()));
}

TEST_F(TailoringsTest, RefusesWhatIsWrong) {
  const struct {
    const char* says;
    std::function<void(v1::Tailoring&)> spoil;
  } rows[] = {
      {"name", [](v1::Tailoring& t) { t.set_name("No Name"); }},
      {"no baseline", [](v1::Tailoring& t) { t.set_baseline("none"); }},
      {"by labels", [](v1::Tailoring& t) { t.mutable_selector()->add_hosts("h-1"); }},
      {"selector", [](v1::Tailoring& t) { t.mutable_selector()->set_expression("env in ("); }},
      {"rules", [](v1::Tailoring& t) { t.clear_rules(); }},
      {"no rule", [](v1::Tailoring& t) { t.mutable_rules(0)->set_rule("r9"); }},
      {"twice", [](v1::Tailoring& t) { *t.add_rules() = t.rules(0); }},
      {"says nothing", [](v1::Tailoring& t) { t.mutable_rules(0)->clear_switched_off(); }},
      {"no parameter",
       [](v1::Tailoring& t) { (*t.mutable_rules(0)->mutable_parameters())["x"] = "1"; }},
      {"priority", [](v1::Tailoring& t) { t.set_priority(1001); }},
      {"priority", [](v1::Tailoring& t) { t.set_priority(std::numeric_limits<int>::min()); }},
  };
  for (const auto& row : rows) {
    v1::SetTailoringRequest request = Request();
    row.spoil(*request.mutable_tailoring());
    const absl::Status status = parts_.tailorings.Set(Admin(), request).status();
    EXPECT_FALSE(status.ok()) << row.says;
    EXPECT_TRUE(absl::StrContains(status.message(), row.says)) << status;
  }
  Principal limited = Admin();
  limited.scope = "env=dev";
  EXPECT_TRUE(absl::IsPermissionDenied(parts_.tailorings.Set(limited, Request()).status()));
}

TEST_F(TailoringsTest, AnOldEtagChangesNothing) {
  const auto first = parts_.tailorings.Set(Admin(), Request());
  ASSERT_TRUE(first.ok()) << first.status();
  v1::SetTailoringRequest request = Request();
  request.mutable_tailoring()->set_etag(first->etag());
  ASSERT_TRUE(parts_.tailorings.Set(Admin(), request).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(parts_.tailorings.Set(Admin(), request).status()));
  EXPECT_EQ(parts_.tailorings.List(Viewer(), {})->tailorings_size(), 1);
}

// What-ifs, to their end.
class WhatIfTest : public TailoringsTest {
 protected:
  v1::ListWhatIfFlipsResponse Run(const v1::StartWhatIfRequest& request,
                                  const Principal& who = Operator()) {
    auto started = parts_.what_ifs.Start(who, request);
    EXPECT_TRUE(started.ok()) << started.status();
    v1::ListWhatIfFlipsResponse answer;
    if (!started.ok()) return answer;
    v1::GetWhatIfRequest get;
    get.set_id(started->id());
    while (!parts_.what_ifs.Get(who, get)->done()) absl::SleepFor(absl::Milliseconds(1));
    v1::ListWhatIfFlipsRequest list;
    list.set_id(started->id());
    list.set_page_size(1);
    do {
      auto page = parts_.what_ifs.ListFlips(who, list);
      EXPECT_TRUE(page.ok()) << page.status();
      answer.mutable_flips()->MergeFrom(page->flips());
      *answer.mutable_what_if() = page->what_if();
      list.set_page_token(page->next_page_token());
    } while (!list.page_token().empty());
    EXPECT_TRUE(absl::IsNotFound(parts_.what_ifs.Get(Viewer(), get).status()) ||
                !parts_.what_ifs.Get(Viewer(), get).ok());
    return answer;
  }
};

TEST_F(WhatIfTest, TellsWhatATailoringWouldFlip) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1", {{"env", "dev"}}).ok());
  ASSERT_TRUE(parts_.AddJudgedHost("h-2", "web-2", {{"env", "prod"}}).ok());
  v1::StartWhatIfRequest request;
  *request.mutable_tailoring() = Request().tailoring();
  const v1::ListWhatIfFlipsResponse answer = Run(request);
  ASSERT_EQ(answer.flips_size(), 2);
  EXPECT_EQ(answer.flips(0).host_id(), "h-1");
  EXPECT_EQ(answer.flips(0).from(), v1::Verdict::FAIL);
  EXPECT_EQ(answer.flips(0).to(), v1::Verdict::NOT_APPLICABLE);
  EXPECT_EQ(answer.what_if().judged_host_count(), 2);
  EXPECT_EQ(answer.what_if().flipped_host_count(), 1);
  ASSERT_EQ(answer.what_if().flips_size(), 1);
  EXPECT_EQ(answer.what_if().flips(0).count(), 2);
  EXPECT_EQ(answer.what_if().rules(0).rule_id(), "r2");
  // Nothing was changed.
  EXPECT_EQ(parts_.tailorings.List(Viewer(), {})->tailorings_size(), 0);
}

TEST_F(WhatIfTest, TellsWhatAWaiverWouldCover) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  v1::StartWhatIfRequest request;
  v1::RuleRef& rule = *request.mutable_waiver()->add_rules();
  rule.set_baseline("base");
  rule.set_rule("r2");
  request.mutable_waiver()->mutable_selector()->set_all(true);
  request.mutable_waiver()->set_object_pattern("a");
  const v1::ListWhatIfFlipsResponse answer = Run(request);
  ASSERT_EQ(answer.flips_size(), 1);
  EXPECT_TRUE(answer.flips(0).to_waived());
  EXPECT_EQ(answer.flips(0).to(), v1::Verdict::FAIL);
}

TEST_F(WhatIfTest, StaysInTheCallersPartOfTheFleet) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1", {{"env", "dev"}}).ok());
  Principal limited = Operator();
  limited.scope = "env=prod";
  v1::StartWhatIfRequest request;
  *request.mutable_tailoring() = Request().tailoring();
  EXPECT_EQ(Run(request, limited).what_if().host_count(), 0);
}

TEST_F(WhatIfTest, IsNobodysButWhoStartedIt) {
  v1::StartWhatIfRequest request;
  *request.mutable_tailoring() = Request().tailoring();
  const Principal owner = {"7", "olga", store::Role::kOperator, "env=prod"};
  const auto started = parts_.what_ifs.Start(owner, request);
  ASSERT_TRUE(started.ok()) << started.status();
  v1::GetWhatIfRequest get;
  get.set_id(started->id());
  EXPECT_TRUE(parts_.what_ifs.Get(owner, get).ok());
  Principal namesake = owner;
  namesake.token_id = "8";
  EXPECT_TRUE(absl::IsNotFound(parts_.what_ifs.Get(namesake, get).status()));
  // What was found in a part of the fleet is for those who see that part.
  Principal moved = owner;
  moved.scope = "env=dev";
  EXPECT_TRUE(absl::IsNotFound(parts_.what_ifs.Get(moved, get).status()));
}

TEST_F(WhatIfTest, ADocumentIsRefusedWithItsLines) {
  v1::StartWhatIfRequest request;
  request.set_baseline_yaml("id: x\ncolour: red\n");
  const absl::Status status = parts_.what_ifs.Start(Operator(), request).status();
  EXPECT_TRUE(absl::StrContains(status.message(), "baseline.yaml:2")) << status;
  request.Clear();
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.what_ifs.Start(Operator(), request).status()));
  request.set_without_tailoring("none");
  EXPECT_TRUE(absl::IsNotFound(parts_.what_ifs.Start(Operator(), request).status()));
}

}  // namespace
}  // namespace plimsoll::api
