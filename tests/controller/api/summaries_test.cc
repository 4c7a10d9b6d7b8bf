#include <gtest/gtest.h>

#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

v1::GetSummaryRequest Of(const std::string& baseline, const std::string& host = "") {
  v1::GetSummaryRequest request;
  request.set_baseline(baseline);
  request.set_host(host);
  return request;
}

TEST(SummariesTest, CountsAndBoundsTheFleet) {
  Parts parts;
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1", {{"env", "prod"}}).ok());
  ASSERT_TRUE(parts.AddJudgedHost("h-2", "web-2").ok());
  ASSERT_TRUE(parts.AddHost("h-3", "new").ok());
  const auto summary = parts.summaries.Get(Viewer(), Of("base"));
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->host_count(), 3);
  EXPECT_EQ(summary->evaluated_host_count(), 2);
  EXPECT_EQ(summary->baseline().digest(), parts.baselines[0].digest());
  EXPECT_EQ(summary->as_of_time().seconds(), absl::ToUnixSeconds(store::At(100)));
  // Each host: one pass, two fail, one unknown.
  EXPECT_EQ(summary->counts().pass(), 2);
  EXPECT_EQ(summary->counts().fail(), 4);
  EXPECT_EQ(summary->counts().unknown(), 2);
  EXPECT_DOUBLE_EQ(summary->compliance_lower(), 2.0 / 8);
  EXPECT_DOUBLE_EQ(summary->compliance_upper(), 4.0 / 8);
  ASSERT_EQ(summary->rules_size(), 4);
  EXPECT_EQ(summary->rules(1).rule_id(), "r2");
  EXPECT_EQ(summary->rules(1).title(), "Rule 2");
  EXPECT_EQ(summary->rules(1).counts().fail(), 2);
  ASSERT_EQ(summary->severities_size(), 4);
  EXPECT_EQ(summary->severities(0).severity(), v1::CRITICAL);
  EXPECT_EQ(summary->severities(0).counts().unknown(), 2);
  EXPECT_EQ(summary->severities(3).severity(), v1::LOW);
}

TEST(SummariesTest, OfAPart) {
  Parts parts;
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1", {{"env", "prod"}}).ok());
  ASSERT_TRUE(parts.AddJudgedHost("h-2", "web-2").ok());
  const auto one = parts.summaries.Get(Viewer(), Of("base", "web-2"));
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->host_count(), 1);
  EXPECT_EQ(one->counts().fail(), 2);
  v1::GetSummaryRequest labelled = Of("base");
  (*labelled.mutable_labels())["env"] = "prod";
  EXPECT_EQ(parts.summaries.Get(Viewer(), labelled)->host_count(), 1);
}

TEST(SummariesTest, UnscoredRulesAndAliasesAreShownAndNotCounted) {
  v1::Baseline baseline = ScoredBaseline();
  baseline.mutable_rules(1)->set_scored(false);
  baseline.mutable_rules(3)->set_alias_of("r1");
  baseline.set_digest("another");
  Parts parts({baseline});
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1").ok());
  const auto summary = parts.summaries.Get(Viewer(), Of("base"));
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->rules_size(), 4);
  EXPECT_EQ(summary->counts().fail(), 0);
  EXPECT_DOUBLE_EQ(summary->compliance_lower(), 0.5);
  EXPECT_DOUBLE_EQ(summary->compliance_upper(), 1);
}

TEST(SummariesTest, NothingJudgedIsNoCompliance) {
  Parts parts;
  const auto summary = parts.summaries.Get(Viewer(), Of("base"));
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_FALSE(summary->has_compliance_lower());
  EXPECT_FALSE(summary->has_compliance_upper());
  EXPECT_EQ(summary->rules_size(), 0);
  EXPECT_TRUE(absl::IsNotFound(parts.summaries.Get(Viewer(), Of("none")).status()));
  EXPECT_TRUE(absl::IsNotFound(parts.summaries.Get(Viewer(), Of("base", "none")).status()));
}

TEST(SummariesTest, StaleAndQuarantinedHostsAreCountedApart) {
  Parts parts;
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1").ok());
  ASSERT_TRUE(parts.AddJudgedHost("h-2", "web-2").ok());
  ASSERT_TRUE(parts.AddHost("h-3", "new").ok());
  parts.clock.Advance(absl::Hours(1));
  for (const char* id : {"h-1", "h-2", "h-3"}) ASSERT_TRUE(parts.Show(id).ok());
  parts.index.Seen({{"h-1", parts.clock.Now()}});
  const auto summary = parts.summaries.Get(Viewer(), Of("base"));
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->host_count(), 3);
  EXPECT_EQ(summary->evaluated_host_count(), 1);
  EXPECT_EQ(summary->stale_host_count(), 2);
  EXPECT_EQ(summary->unreported_host_count(), 1);
  EXPECT_EQ(summary->container_count(), 3);
  EXPECT_DOUBLE_EQ(summary->coverage(), 1.0 / 3);
  EXPECT_EQ(summary->counts().fail(), 2);
}

TEST(SummariesTest, ByLabelPageByPage) {
  Parts parts;
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1", {{"team", "red"}}).ok());
  ASSERT_TRUE(parts.AddJudgedHost("h-2", "web-2", {{"team", "red"}}).ok());
  ASSERT_TRUE(parts.AddJudgedHost("h-3", "web-3", {{"team", "blue"}}).ok());
  ASSERT_TRUE(parts.AddHost("h-4", "web-4").ok());
  v1::ListLabelSummariesRequest request;
  request.set_baseline("base");
  request.set_label("team");
  for (int size = 1; size <= 4; ++size) {
    request.set_page_size(size);
    request.clear_page_token();
    std::vector<std::string> lines;
    do {
      const auto page = parts.summaries.ListByLabel(Viewer(), request);
      ASSERT_TRUE(page.ok()) << page.status();
      for (const v1::LabelSummary& line : page->values()) {
        lines.push_back(absl::StrCat(line.absent() ? "-" : line.value(), " ", line.host_count(),
                                     " ", line.counts().fail()));
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty() && lines.size() < 10);
    EXPECT_EQ(lines, (std::vector<std::string>{"red 2 4", "blue 1 2", "- 1 0"})) << size;
  }
  request.clear_label();
  EXPECT_TRUE(absl::IsInvalidArgument(parts.summaries.ListByLabel(Viewer(), request).status()));
  request.set_label("team");
  request.set_page_token("Z2FyYmFnZQ==");
  EXPECT_TRUE(absl::IsInvalidArgument(parts.summaries.ListByLabel(Viewer(), request).status()));
}

TEST(SummariesTest, WorstHostsFirst) {
  Parts parts;
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1").ok());
  ASSERT_TRUE(parts.AddHost("h-2", "web-2").ok());
  v1::HostFacts facts = JudgedFacts();
  facts.mutable_containers()->mutable_containers()->DeleteSubrange(0, 2);
  ASSERT_TRUE(parts.Judge("h-2", 1, facts).ok());
  v1::ListWorstHostsRequest request;
  request.set_baseline("base");
  const auto worst = parts.summaries.ListWorst(Viewer(), request);
  ASSERT_TRUE(worst.ok()) << worst.status();
  ASSERT_EQ(worst->hosts_size(), 2);
  EXPECT_EQ(worst->hosts(0).hostname(), "web-1");
  ASSERT_EQ(worst->hosts(0).failing_size(), 2);
  EXPECT_EQ(worst->hosts(0).failing(0).severity(), v1::HIGH);
  EXPECT_EQ(worst->hosts(1).counts().fail(), 1);
  request.set_limit(1);
  EXPECT_EQ(parts.summaries.ListWorst(Viewer(), request)->hosts_size(), 1);
  request.set_limit(1001);
  EXPECT_TRUE(absl::IsInvalidArgument(parts.summaries.ListWorst(Viewer(), request).status()));
}

TEST(SummariesTest, ContainersAreFewConfigurations) {
  Parts parts;
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1").ok());
  ASSERT_TRUE(parts.AddJudgedHost("h-2", "web-2").ok());
  v1::ListFailingConfigurationsRequest request;
  request.set_baseline("base");
  request.set_page_size(1);
  std::vector<v1::FailingConfiguration> all;
  do {
    const auto page = parts.summaries.ListConfigurations(Viewer(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->container_count(), 6);
    EXPECT_EQ(page->configuration_count(), 2);
    all.insert(all.end(), page->configurations().begin(), page->configurations().end());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && all.size() < 10);
  // a and b are alike, c differs.
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].container_count(), 4);
  EXPECT_EQ(all[0].host_count(), 2);
  EXPECT_EQ(all[0].rule_ids(0), "r2");
  EXPECT_EQ(all[0].example_container(), "a");
  EXPECT_FALSE(all[0].image().empty());
  EXPECT_EQ(all[1].container_count(), 2);
  EXPECT_EQ(all[1].rule_ids(0), "r4");
  request.clear_page_token();
  request.set_rule("slug-of-r4");
  const auto one = parts.summaries.ListConfigurations(Viewer(), request);
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->configuration_count(), 1);
  request.set_rule("none");
  EXPECT_TRUE(absl::IsNotFound(parts.summaries.ListConfigurations(Viewer(), request).status()));
}

TEST(SummariesTest, TheTrendEndsToday) {
  Parts parts;
  ASSERT_TRUE(parts.AddJudgedHost("h-1", "web-1", {{"env", "prod"}}).ok());
  ASSERT_TRUE(parts.days.Keep().ok());
  parts.clock.Advance(absl::Hours(24));
  parts.index.Seen({{"h-1", parts.clock.Now()}});
  v1::GetTrendRequest request;
  request.set_baseline("base");
  request.set_selector("env=prod");
  const auto trend = parts.summaries.GetTrend(Viewer(), request);
  ASSERT_TRUE(trend.ok()) << trend.status();
  ASSERT_EQ(trend->points_size(), 2);
  EXPECT_EQ(trend->points(0).counts().fail(), 2);
  EXPECT_EQ(trend->points(1).evaluated_host_count(), 1);
  request.set_days(367);
  EXPECT_TRUE(absl::IsInvalidArgument(parts.summaries.GetTrend(Viewer(), request).status()));
  request.set_days(0);
  request.set_selector("env=");
  EXPECT_TRUE(absl::IsInvalidArgument(parts.summaries.GetTrend(Viewer(), request).status()));
}

}  // namespace
}  // namespace plimsoll::api
