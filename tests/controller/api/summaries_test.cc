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
  ASSERT_TRUE(store::AddHost(*parts.store, "h-3", "new").ok());
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

}  // namespace
}  // namespace plimsoll::api
