#include <google/protobuf/text_format.h>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "controller/cli/terminal.h"
#include "tests/controller/cli/cli_run.h"
#include "tests/controller/cli/fake_controller.h"

namespace plimsoll::cli {
namespace {

// Commands over the live fleet, against a controller over TLS.
class FleetCommandsTest : public ServedTest<FakeController> {
 protected:
  // Runs, compares with golden/NAME, and holds the table to 80 columns.
  void ExpectTable(const std::string& name, const std::vector<std::string>& command) const {
    const Ran ran = Ask(command);
    EXPECT_EQ(ran.exit_status, kDone) << ran.err;
    ExpectGolden(name, ran.out);
    ExpectHarmless(ran.out);
    for (absl::string_view line : absl::StrSplit(ran.out, '\n')) {
      EXPECT_LE(DisplayWidth(line), 80u) << line;
    }
  }
  template <class Message>
  static void Set(const std::string& text, Message& message) {
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  }

  Answers& answers_ = fake_.answers;
};

TEST_F(FleetCommandsTest, SummaryShowsWhatItLeavesOut) {
  Set(R"(baseline { id: "azure-docker" version: "1.0.0" title: "A baseline" }
      host_count: 10 evaluated_host_count: 6 stale_host_count: 2 quarantined_host_count: 1
      unreported_host_count: 1 coverage: 0.6 container_count: 45
      compliance_lower: 0.5 compliance_upper: 0.75 counts { pass: 2 fail: 1 unknown: 1 }
      rules { rule_id: "5.04" title: "No container is privileged" severity: CRITICAL
              counts { pass: 5 fail: 1 } }
      severities { severity: CRITICAL counts { pass: 5 fail: 1 } }
      sections { section: "5" title: "Containers" counts { pass: 5 fail: 1 } })",
      answers_.summary);
  ExpectTable("summary.txt", {"summary", "-l", "env=prod,!legacy", "--label", "team=a"});
  EXPECT_EQ(answers_.asked_summary.selector(), "env=prod,!legacy");
  EXPECT_EQ(answers_.asked_summary.labels().at("team"), "a");
  EXPECT_TRUE(absl::StrContains(Ask({"summary", "-o", "json"}).out, "\"staleHostCount\": 2"));
}

TEST_F(FleetCommandsTest, SummaryByLabelAndWorstHosts) {
  Set(R"(values { value: "payments" host_count: 12 evaluated_host_count: 10
                  counts { pass: 100 fail: 50 unknown: 50 }
                  compliance_lower: 0.5 compliance_upper: 0.75 }
         values { absent: true host_count: 3 })",
      answers_.labels);
  answers_.labels.mutable_values(0)->set_value("pay\x1b[0m");
  ExpectTable("summary-by.txt", {"summary", "--by", "team", "-l", "env"});
  EXPECT_EQ(answers_.asked_labels.label(), "team");
  EXPECT_EQ(answers_.asked_labels.selector(), "env");
  Set(R"(hosts { host_id: "h-0123456789" hostname: "web-1" counts { fail: 5 unknown: 2 }
                 failing { severity: CRITICAL counts { fail: 2 } }
                 failing { severity: LOW counts { fail: 3 } } })",
      answers_.worst);
  ExpectTable("summary-worst.txt", {"summary", "--worst", "5"});
  EXPECT_EQ(answers_.asked_worst.limit(), 5);
  EXPECT_EQ(Ask({"summary", "--worst", "5", "--by", "team"}).exit_status, kUsage);
  EXPECT_EQ(Ask({"summary", "--worst", "0"}).exit_status, kUsage);
}

TEST_F(FleetCommandsTest, LabelsAreSetRemovedAndShownWithTheirOrigin) {
  answers_.set_labels.set_changed_host_count(1);
  answers_.set_labels.set_selected_host_count(3);
  const Ran set = Ask({"label", "set", "web-1", "tier=web", "note=a=b"});
  EXPECT_EQ(set.exit_status, kDone) << set.err;
  EXPECT_EQ(set.out, "Labels of 1 of 3 hosts changed\n");
  EXPECT_EQ(answers_.asked_set_labels.selector().hosts(0), "web-1");
  EXPECT_EQ(answers_.asked_set_labels.set().at("note"), "a=b");
  EXPECT_EQ(Ask({"label", "set", "-l", "env=prod", "tier=web"}).exit_status, kDone);
  EXPECT_EQ(answers_.asked_set_labels.selector().expression(), "env=prod");
  EXPECT_EQ(answers_.asked_set_labels.selector().hosts_size(), 0);
  EXPECT_EQ(Ask({"label", "remove", "web-1", "tier", "note"}).exit_status, kDone);
  EXPECT_EQ(answers_.asked_set_labels.remove_size(), 2);
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"label", "set", "web-1"},
                                                {"label", "set", "web-1", "tier"},
                                                {"label", "set", "--all", "=web"},
                                                {"label", "remove", "web-1"}}) {
    EXPECT_EQ(Ask(wrong).exit_status, kUsage) << wrong.back();
  }
  Set(R"(id: "h-1" hostname: "web-1" labels { key: "env" value: "prod" }
         labels { key: "tier" value: "web" } labels { key: "own" value: "x" }
         central_labels { key: "tier" value: "web" } central_labels { key: "own" value: "x" }
         label_managers { key: "tier" value: "platform" })",
      answers_.host);
  ExpectTable("label-list.txt", {"label", "list", "web-1"});
}

TEST_F(FleetCommandsTest, HostsByStateAndAge) {
  answers_.host_pages.resize(1);
  Set(R"(hosts { id: "h-1" hostname: "web-1" connection: DISCONNECTED stale: true }
         hosts { id: "h-2" hostname: "web-2" connection: QUARANTINED
                 quarantine_reason: "two machines use its identity"
                 quarantine_time { seconds: 1772366405 } })",
      answers_.host_pages[0]);
  Ran ran = Ask({"hosts", "--stale", "--state", "disconnected,never-seen", "-l", "env!=prod"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "disconnected,stale")) << ran.out;
  EXPECT_TRUE(absl::StrContains(ran.out,
                                "web-2 (h-2) is quarantined since 2026-03-01 12:00:05Z: "
                                "two machines use its identity"))
      << ran.out;
  EXPECT_TRUE(answers_.asked_hosts.stale());
  ASSERT_EQ(answers_.asked_hosts.connections_size(), 2);
  EXPECT_EQ(answers_.asked_hosts.connections(1), v1::Host::NEVER_SEEN);
  EXPECT_EQ(answers_.asked_hosts.selector(), "env!=prod");
  ran = Ask({"hosts"});
  EXPECT_FALSE(answers_.asked_hosts.has_stale());
  ran = Ask({"hosts", "--state", "lost"});
  EXPECT_EQ(ran.exit_status, kUsage);
  EXPECT_TRUE(absl::StrContains(ran.err, "never-seen")) << ran.err;
  answers_.host_pages[0].clear_hosts();
  EXPECT_TRUE(absl::StrContains(Ask({"hosts", "--stale"}).out, "No hosts match."));
}

TEST_F(FleetCommandsTest, HostsAreRemovedAndReleased) {
  Ran ran = Ask({"hosts", "--remove", "web-1", "--reason", "scrapped"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_EQ(answers_.asked_remove.host(), "web-1");
  EXPECT_EQ(answers_.asked_remove.reason(), "scrapped");
  EXPECT_TRUE(absl::StrContains(ran.out, "plimsoll history h-1")) << ran.out;
  ran = Ask({"hosts", "--release", "web-1"});
  EXPECT_EQ(answers_.asked_release.host(), "web-1");
  EXPECT_TRUE(absl::StrContains(ran.out, "Released h-1")) << ran.out;
  EXPECT_EQ(Ask({"hosts", "--release", "a", "--remove", "b"}).exit_status, kUsage);
}

TEST_F(FleetCommandsTest, HistoryShowsBothClocksCauseAndGap) {
  Set(R"(transitions { baseline_id: "azure-docker" rule_id: "5.04" from: PASS to: FAIL cause: FACTS
                       observed_time { seconds: 1772366405 } recorded_time { seconds: 1772373605 }
                       gap_begin_time { seconds: 1772366400 } }
         transitions { baseline_id: "azure-docker" rule_id: "5.04" to: PASS cause: FIRST
                       observed_time { seconds: 1772300000 } recorded_time { seconds: 1772300001 }
                     })",
      answers_.transitions);
  ExpectTable("history.txt", {"history", "web-1", "--rule", "5.04", "--baseline", "azure-docker"});
  EXPECT_EQ(answers_.asked_transitions.host(), "web-1");
  EXPECT_EQ(answers_.asked_transitions.rule(), "5.04");
  EXPECT_EQ(answers_.asked_transitions.baseline(), "azure-docker");
  EXPECT_EQ(answers_.asked_transitions.page_size(), 50);
  EXPECT_EQ(Ask({"history"}).exit_status, kUsage);
  answers_.transitions.clear_transitions();
  EXPECT_TRUE(absl::StrContains(Ask({"history", "web-1"}).out, "No changes match."));
}

TEST_F(FleetCommandsTest, TrendShowsDays) {
  Set(R"(points { day: "2026-02-28" host_count: 10 evaluated_host_count: 9
                  counts { pass: 100 fail: 50 unknown: 50 }
                  compliance_lower: 0.5 compliance_upper: 0.75 }
         points { day: "2026-03-01" host_count: 10 })",
      answers_.trend);
  ExpectTable("trend.txt", {"trend", "--days", "7", "-l", "env=prod"});
  EXPECT_EQ(answers_.asked_trend.days(), 7);
  EXPECT_EQ(answers_.asked_trend.selector(), "env=prod");
  EXPECT_EQ(Ask({"trend", "--days", "367"}).exit_status, kUsage);
}

TEST_F(FleetCommandsTest, ConfigurationsAreFewAndHarmless) {
  Set(R"(container_count: 3200 configuration_count: 2
         configurations { fingerprint: "00000000000000aa" container_count: 3000 host_count: 1500
                          rule_ids: "5.01" rule_ids: "5.02" rule_ids: "5.03" rule_ids: "5.04"
                          rule_ids: "5.05" image: "app:1" example_host_id: "h-1"
                          example_container: "web" }
         configurations { container_count: 200 host_count: 100 rule_ids: "5.04"
                          example_host_id: "h-2" })",
      answers_.configurations);
  answers_.configurations.mutable_configurations(1)->set_image("a\r\x07");
  ExpectTable("configurations.txt", {"configurations", "--rule", "5.04"});
  EXPECT_EQ(answers_.asked_configurations.rule(), "5.04");
  EXPECT_TRUE(absl::StrContains(Ask({"configurations", "-o", "json"}).out,
                                "\"fingerprint\": \"00000000000000aa\""));
}

}  // namespace
}  // namespace plimsoll::cli
