#include "controller/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/controller/api/waivers_fixture.h"

namespace plimsoll::metrics {
namespace {

using ::testing::HasSubstr;

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() { metrics_.Watch(parts_.methods); }
  std::string Text() { return metrics_.Text(&http_, {{200, 3}, {404, 1}}); }

  api::Parts parts_;
  gateway::GatewayStats stats_;
  gateway::SessionRegistry sessions_;
  support::WorkerPool workers_{1};
  rest::HttpCounters http_;
  Metrics metrics_{
      {*parts_.store, parts_.index, stats_, sessions_, workers_, workers_, parts_.clock}};
};

TEST_F(MetricsTest, SaysWhatTheFleetIs) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  ASSERT_TRUE(parts_.AddHost("h-2", "web-2").ok());
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("plimsoll_hosts{state=\"connected\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_rule_hosts{baseline=\"base\",rule=\"r2\",severity=\"high\","
                              "status=\"fail\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_verdicts{baseline=\"base\",severity=\"critical\","
                              "status=\"unknown\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_coverage_ratio{baseline=\"base\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_database_up 1\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_database_connections_limit 4\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_http_responses_total{code=\"404\"} 1\n"));
}

TEST_F(MetricsTest, NobodyWaitsForRevokedHosts) {
  ASSERT_TRUE(parts_.AddHost("h-1", "web-1").ok());
  ASSERT_TRUE(parts_.AddHost("h-2", "web-2").ok());
  ASSERT_TRUE(parts_.store->enrollment().RevokeHost("h-2", "stolen", store::At(50)).ok());
  parts_.clock.Advance(absl::Hours(24));
  for (const char* id : {"h-1", "h-2"}) ASSERT_TRUE(parts_.Show(id).ok());
  parts_.index.Tick();
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("plimsoll_hosts{state=\"revoked\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_hosts_stale 1\n"));
}

class WaivedMetricsTest : public api::WaiversTest {};

TEST_F(WaivedMetricsTest, WhatIsWaivedIsCountedApart) {
  ASSERT_TRUE(Approve(Propose()).ok());
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  gateway::GatewayStats stats;
  gateway::SessionRegistry sessions;
  support::WorkerPool workers(1);
  Metrics metrics({*parts_.store, parts_.index, stats, sessions, workers, workers, parts_.clock});
  const std::string text = metrics.Text(nullptr, {});
  EXPECT_THAT(text, HasSubstr("plimsoll_rule_waived_hosts{baseline=\"base\",rule=\"r2\","
                              "severity=\"high\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_waived_verdicts{baseline=\"base\",severity=\"high\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_verdicts{baseline=\"base\",severity=\"high\","
                              "status=\"fail\"} 1\n"));
}

TEST_F(MetricsTest, CountsCallsByMethodAndCode) {
  const api::Method& get = *parts_.methods.Find("plimsoll.v1.HostService.GetHost");
  for (int i = 0; i < 2; ++i) (void)parts_.methods.Call(api::Viewer(), get, v1::GetHostRequest());
  EXPECT_THAT(Text(), HasSubstr("plimsoll_api_calls_total{code=\"NOT_FOUND\","
                                "method=\"HostService.GetHost\"} 2\n"));
}

TEST_F(MetricsTest, CountsScansAndTheirHosts) {
  ASSERT_TRUE(parts_.AddHost("h-1", "web-1").ok());
  v1::CreateScanRequest request;
  request.set_all(true);
  ASSERT_TRUE(parts_.scans.Create(api::Operator(), request).ok());
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("plimsoll_scans{state=\"running\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("plimsoll_scan_hosts{state=\"requested\"} 1\n"));
}

TEST_F(MetricsTest, PromtoolFindsNothingToSay) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  stats_.commit_seconds.Observe(0.02);
  const std::string file = absl::StrCat(::testing::TempDir(), "/metrics_", getpid());
  std::ofstream(file) << Text();
  EXPECT_EQ(std::system(absl::StrCat("promtool check metrics < ", file, " >&2").c_str()), 0);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace plimsoll::metrics
