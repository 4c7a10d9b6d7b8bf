#include "controller/cli/report_view.h"

#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/controller/cli/cli_run.h"

namespace plimsoll::cli {
namespace {

// A baseline of two sections, and a report with every status.
struct Sample {
  Sample() {
    baseline.set_id("base");
    baseline.set_version("1.0.0");
    Section("1", "Host");
    Section("5", "Containers");
    Rule("1.1", v1::LOW, v1::Verdict::PASS);
    Rule("1.2", v1::CRITICAL, v1::Verdict::UNKNOWN).set_reason("permission_denied");
    Rule("5.1", v1::HIGH, v1::Verdict::FAIL);
    Rule("5.2", v1::MEDIUM, v1::Verdict::NOT_APPLICABLE);
    Rule("5.3", v1::INFO, v1::Verdict::MANUAL);
    report.mutable_host()->set_hostname("web-1");
    report.mutable_counts()->set_pass(1);
    report.mutable_counts()->set_fail(1);
    report.mutable_counts()->set_unknown(1);
    report.mutable_counts()->set_manual(1);
    report.mutable_counts()->set_not_applicable(1);
  }
  void Section(const char* id, const char* title) {
    v1::Section& section = *baseline.add_sections();
    section.set_id(id);
    section.set_title(title);
  }
  v1::Verdict& Rule(const char* id, v1::Severity severity, v1::Verdict::Status status) {
    v1::Rule& rule = *baseline.add_rules();
    rule.set_id(id);
    rule.set_title(absl::StrCat("Title of ", id));
    rule.set_severity(severity);
    rule.set_remediation("Do this\nand that.");
    v1::Verdict& verdict = *report.add_verdicts();
    verdict.set_rule_id(id);
    verdict.set_status(status);
    verdict.set_message(absl::StrCat("Message of ", id));
    return verdict;
  }
  v1::Verdict& Failed() { return *report.mutable_verdicts(2); }
  std::string Print(const ReportViewOptions& options = {}) const {
    std::ostringstream out;
    PrintReport(report, baseline, options, Terminal::Plain(), out);
    return out.str();
  }
  v1::Baseline baseline;
  v1::HostReport report;
};

TEST(PrintReport, ShowsEveryRuleUnderItsSection) {
  Sample sample;
  v1::Finding& finding = *sample.Failed().add_findings();
  finding.set_object("web (0123456789ab)");
  finding.set_status(v1::Verdict::FAIL);
  finding.set_observed("privileged");
  finding.set_expected("not privileged");
  finding.set_reason("some_reason");
  finding.add_notes()->set_text("mind the gap");
  EXPECT_EQ(sample.Print(), R"(web-1, base 1.0.0

1  Host
  1.1     PASS    low       Title of 1.1
  1.2     UNKNOWN critical  Title of 1.2
                  Message of 1.2 [permission_denied]

5  Containers
  5.1     FAIL    high      Title of 5.1
                  web (0123456789ab): privileged (expected not privileged) [some_reason]
                  note: mind the gap
  5.2     N/A     medium    Title of 5.2
                  Message of 5.2
  5.3     MANUAL  info      Title of 5.3
                  Message of 5.3

1 pass, 1 fail, 1 unknown, 1 manual, 1 not applicable
)");
}

TEST(PrintReport, ShowsOnlyWhatIsAskedFor) {
  const Sample sample;
  const struct {
    std::vector<v1::Verdict::Status> statuses;
    v1::Severity minimum;
    std::vector<const char*> shown;
  } cases[] = {
      {{}, v1::SEVERITY_UNSPECIFIED, {"1.1", "1.2", "5.1", "5.2", "5.3"}},
      {{v1::Verdict::FAIL, v1::Verdict::UNKNOWN}, v1::SEVERITY_UNSPECIFIED, {"1.2", "5.1"}},
      {{}, v1::HIGH, {"1.2", "5.1"}},
      {{v1::Verdict::PASS}, v1::HIGH, {}},
  };
  for (const auto& c : cases) {
    ReportViewOptions options;
    options.statuses = c.statuses;
    options.minimum_severity = c.minimum;
    const std::string text = sample.Print(options);
    for (const char* rule : {"1.1", "1.2", "5.1", "5.2", "5.3"}) {
      const bool expected = std::count_if(c.shown.begin(), c.shown.end(), [&](const char* shown) {
                              return std::string(shown) == rule;
                            }) == 1;
      EXPECT_EQ(absl::StrContains(text, absl::StrCat("Title of ", rule)), expected) << text;
    }
    // The counts are of the host, whatever is shown.
    EXPECT_TRUE(absl::StrContains(text, "1 pass, 1 fail")) << text;
  }
}

TEST(PrintReport, CountsTheFindingsItLeavesOut) {
  Sample sample;
  for (int i = 0; i < 12; ++i) sample.Failed().add_findings()->set_object(absl::StrCat("c", i));
  std::string text = sample.Print();
  EXPECT_TRUE(absl::StrContains(text, "c9:")) << text;
  EXPECT_FALSE(absl::StrContains(text, "c10:")) << text;
  EXPECT_TRUE(absl::StrContains(text, "… and 2 more (--all-findings)")) << text;
  ReportViewOptions all;
  all.most_findings = SIZE_MAX;
  text = sample.Print(all);
  EXPECT_TRUE(absl::StrContains(text, "c11:")) << text;
  EXPECT_FALSE(absl::StrContains(text, "more")) << text;
}

// A lone finding says what the message would.
TEST(PrintReport, LeavesOutTheMessageBesideOneFinding) {
  Sample sample;
  sample.Failed().add_findings()->set_object("first");
  EXPECT_FALSE(absl::StrContains(sample.Print(), "Message of 5.1"));
  sample.Failed().add_findings()->set_object("second");
  EXPECT_TRUE(absl::StrContains(sample.Print(), "Message of 5.1"));
}

TEST(PrintReport, SaysWhatToDoWhereARuleFails) {
  const Sample sample;
  EXPECT_FALSE(absl::StrContains(sample.Print(), "fix:"));
  ReportViewOptions options;
  options.remediation = true;
  const std::string text = sample.Print(options);
  const size_t at = text.find("fix: Do this and that.");
  ASSERT_NE(at, std::string::npos) << text;
  EXPECT_EQ(text.find("fix:", at + 1), std::string::npos) << text;
}

TEST(PrintReport, NeverPrintsHostileTextRaw) {
  const std::string evil = "\x1b[2J\x07\xe2\x80\xae\xff\r";
  Sample sample;
  sample.report.mutable_host()->set_hostname("h" + evil);
  sample.report.mutable_host()->set_engine_version("v" + evil);
  sample.baseline.set_version("1" + evil);
  sample.baseline.mutable_sections(1)->set_title("s" + evil);
  sample.baseline.mutable_rules(2)->set_title("t" + evil);
  sample.baseline.mutable_rules(2)->set_remediation("r" + evil);
  sample.Failed().set_message("m" + evil);
  sample.Failed().add_findings();
  sample.Failed().set_reason("r" + evil);
  sample.Failed().add_notes()->set_text("n" + evil);
  v1::Finding& finding = *sample.Failed().add_findings();
  finding.set_object("o" + evil);
  finding.set_observed("b" + evil);
  finding.set_expected("e" + evil);
  finding.set_reason("r" + evil);
  finding.add_notes()->set_text("n" + evil);
  ReportViewOptions options;
  options.remediation = true;
  const std::string text = sample.Print(options);
  ExpectHarmless(text);
  EXPECT_TRUE(absl::StrContains(text, "o\\x1b[2J\\x07\\u{202e}")) << text;
}

TEST(AnyFailure, JudgesBySeverityAndNotByUnknown) {
  const Sample sample;
  const struct {
    v1::Severity minimum;
    bool failed;
  } cases[] = {{v1::INFO, true}, {v1::MEDIUM, true}, {v1::HIGH, true}, {v1::CRITICAL, false}};
  for (const auto& c : cases) {
    EXPECT_EQ(AnyFailure(sample.report, sample.baseline, c.minimum), c.failed) << c.minimum;
  }
}

}  // namespace
}  // namespace plimsoll::cli
