#include <google/protobuf/util/json_util.h>

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "plimsoll/v1/report.pb.h"
#include "proto/support/digest.h"
#include "tests/controller/cli/cli_run.h"
#include "tests/support/sample_facts.h"

namespace plimsoll::cli {
namespace {

using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageToJsonString;
using ::plimsoll::testing::Habit;
using ::plimsoll::testing::SampleHost;

class EvaluateCommandTest : public CliTest {
 protected:
  std::string Facts(const v1::HostFacts& facts) const {
    return Write("facts.binpb", facts.SerializeAsString());
  }
  std::string Small() const { return Write("small.yaml", kSmallBaseline); }

  // The report of `evaluate -o json`; fails the test when it is not one.
  v1::HostReport Report(const std::string& facts_file, const std::string& baseline) const {
    const Ran ran =
        Plimsoll({"evaluate", "--facts", facts_file, "--baseline", baseline, "-o", "json"});
    EXPECT_EQ(ran.exit_status, kDone) << ran.err;
    v1::HostReport report;
    const auto status = JsonStringToMessage(ran.out, &report);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return report;
  }
};

std::map<std::string, v1::Verdict::Status> Statuses(const v1::HostReport& report) {
  std::map<std::string, v1::Verdict::Status> statuses;
  for (const v1::Verdict& verdict : report.verdicts())
    statuses[verdict.rule_id()] = verdict.status();
  return statuses;
}

TEST_F(EvaluateCommandTest, TableAsPeopleReadIt) {
  const Ran ran = Plimsoll(
      {"evaluate", "--facts", Facts(SampleHost(12, Habit::kUsual)), "--baseline", Small()});
  EXPECT_EQ(ran.exit_status, kDone);
  EXPECT_EQ(ran.err, "");
  ExpectHarmless(ran.out);
  ExpectGolden("evaluate.txt", ran.out);
}

TEST_F(EvaluateCommandTest, TableWithEverythingAsked) {
  const Ran ran =
      Plimsoll({"evaluate", "--facts", Facts(SampleHost(12, Habit::kUsual)), "--baseline", Small(),
                "--status", "fail", "--severity", "medium", "--remediation", "--all-findings"});
  EXPECT_EQ(ran.exit_status, kDone);
  ExpectGolden("evaluate-options.txt", ran.out);
}

TEST_F(EvaluateCommandTest, JsonAsScriptsReadIt) {
  const Ran ran = Plimsoll({"evaluate", "--facts", Facts(SampleHost(1, Habit::kUsual)),
                            "--baseline", Small(), "-o", "json"});
  EXPECT_EQ(ran.exit_status, kDone);
  ExpectGolden("evaluate.json", ran.out);
  // The keys that architecture.md promises.
  for (const char* key : {"\"baseline\":", "\"host\":", "\"verdicts\":", "\"ruleId\": \"5.04\"",
                          "\"status\": \"FAIL\"", "\"status\": \"PASS\"",
                          "\"findings\":", "\"object\":", "\"observed\":", "\"expected\":"}) {
    EXPECT_TRUE(absl::StrContains(ran.out, key)) << key;
  }
}

TEST_F(EvaluateCommandTest, BinaryAndJsonFactsGiveOneReport) {
  const v1::HostFacts facts = SampleHost(3, Habit::kUsual);
  std::string json;
  ASSERT_TRUE(MessageToJsonString(facts, &json).ok());
  const std::string binary_file = Facts(facts);
  const std::string json_file = Write("facts.json", " \n" + json);
  for (const char* baseline : {"azure-docker", "edge-docker"}) {
    const v1::HostReport report = Report(binary_file, baseline);
    EXPECT_EQ(report.SerializeAsString(), Report(json_file, baseline).SerializeAsString());
    EXPECT_GT(report.verdicts_size(), 60) << baseline;
    EXPECT_EQ(report.baseline().id(), baseline);
    EXPECT_EQ(report.facts_digest(), absl::BytesToHexString(support::FactsDigest(facts)));
  }
}

TEST_F(EvaluateCommandTest, FailOnIsTheExitStatus) {
  const std::string usual = Write("usual", SampleHost(2, Habit::kUsual).SerializeAsString());
  const std::string hard = Write("hard", SampleHost(2, Habit::kHardened).SerializeAsString());
  // The second container of 26 mounts no socket: only medium and low rules fail on it.
  v1::HostFacts tame = SampleHost(2, Habit::kUsual);
  tame.mutable_containers()->mutable_containers()->DeleteSubrange(0, 1);
  const std::string medium = Write("medium", tame.SerializeAsString());
  const struct {
    std::string facts;
    const char* fail_on;
    int exit_status;
  } cases[] = {
      {hard, "info", kDone},
      {hard, "critical", kDone},
      {usual, "critical", kNotCompliant},
      {usual, "LOW", kNotCompliant},
      {medium, "critical", kDone},
      {medium, "high", kDone},
      {medium, "medium", kNotCompliant},
  };
  for (const auto& c : cases) {
    for (const char* format : {"table", "json"}) {
      const Ran ran = Plimsoll({"evaluate", "--facts", c.facts, "--baseline", Small(), "--fail-on",
                                c.fail_on, "-o", format});
      EXPECT_EQ(ran.exit_status, c.exit_status) << c.facts << " " << c.fail_on << "\n" << ran.out;
      EXPECT_NE(ran.out, "");
    }
  }
}

TEST_F(EvaluateCommandTest, RefusesWhatIsNoFacts) {
  const std::string good = Facts(SampleHost(1, Habit::kHardened));
  const struct {
    std::string facts;
    std::string baseline;
    const char* complaint;
  } cases[] = {
      {Path("none"), "azure-docker", "none: cannot be read"},
      {Write("empty", ""), "azure-docker", "is empty"},
      {Write("text", "hello, world\n"), "azure-docker", "not a whole facts file"},
      {Write("zeros", std::string(4096, '\0')), "azure-docker", "not a whole facts file"},
      {Write("brace", "{\"machine\": "), "azure-docker", "not facts in JSON"},
      {Write("other", "{\"verdicts\": []}"), "azure-docker", "not facts in JSON"},
      {Write("object", "{}"), "azure-docker", "not a whole facts file"},
      {good, "no-such-baseline", "azure-docker"},
      {good, Write("broken.yaml", "id: [\n"), "broken.yaml:"},
      {good, Write("large.yaml", std::string((1 << 20) + 1, ' ')), "larger than 1 MiB"},
      {Path(""), "azure-docker", "cannot be read"},
  };
  for (const auto& c : cases) {
    const Ran ran = Plimsoll({"evaluate", "--facts", c.facts, "--baseline", c.baseline});
    EXPECT_EQ(ran.exit_status, kUsage) << c.complaint;
    EXPECT_EQ(ran.out, "") << c.complaint;
    EXPECT_TRUE(absl::StrContains(ran.err, c.complaint)) << c.complaint << ": " << ran.err;
    ExpectHarmless(ran.err);
  }
  const Ran ran =
      Plimsoll({"evaluate", "--facts", good, "--baseline", "azure-docker", "--as-of", "now"});
  EXPECT_EQ(ran.exit_status, kUsage);
  EXPECT_TRUE(absl::StrContains(ran.err, "2026-03-01T12:00:00Z")) << ran.err;
}

TEST_F(EvaluateCommandTest, AsOfIsTheTimeTheReportSpeaksOf) {
  const Ran ran =
      Plimsoll({"evaluate", "--facts", Facts(SampleHost(1, Habit::kHardened)), "--baseline",
                Small(), "--as-of", "2030-01-02T03:04:05Z", "-o", "json"});
  EXPECT_EQ(ran.exit_status, kDone) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.out, "\"asOfTime\": \"2030-01-02T03:04:05Z\"")) << ran.out;
}

// What is missing is unknown, and a file cut short is refused; neither ever turns into a pass.
TEST_F(EvaluateCommandTest, LessFactsPassNoMore) {
  const v1::HostFacts facts = SampleHost(1, Habit::kUsual);
  const auto whole = Statuses(Report(Facts(facts), "azure-docker"));
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  facts.GetReflection()->ListFields(facts, &fields);
  int evaluated = 0;
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->name() == "collector_version") continue;
    v1::HostFacts less = facts;
    less.GetReflection()->ClearField(&less, field);
    for (const auto& [rule, status] : Statuses(Report(Facts(less), "azure-docker"))) {
      EXPECT_TRUE(status != v1::Verdict::PASS || whole.at(rule) == v1::Verdict::PASS)
          << rule << " without " << field->name();
    }
    ++evaluated;
  }
  EXPECT_GE(evaluated, 10);
  const std::string bytes = facts.SerializeAsString();
  const std::string cut = Write("cut", bytes.substr(0, bytes.size() - 1));
  EXPECT_EQ(Plimsoll({"evaluate", "--facts", cut, "--baseline", "azure-docker"}).exit_status,
            kUsage);

  v1::HostFacts bare;
  bare.set_collector_version(facts.collector_version());
  for (const auto& [rule, status] : Statuses(Report(Facts(bare), "azure-docker"))) {
    EXPECT_NE(status, v1::Verdict::PASS) << rule;
  }
}

TEST_F(EvaluateCommandTest, HostileNamesStayText) {
  const std::string evil = "\x1b]0;owned\x07\x1b[2J\xe2\x80\xaegnp\xe2\x81\xa6\xc2\x9b\r\x08";
  v1::HostFacts facts = SampleHost(2, Habit::kUsual);
  facts.mutable_machine()->set_hostname("host" + evil);
  facts.mutable_engine()->set_version("24" + evil);
  for (v1::Container& container : *facts.mutable_containers()->mutable_containers()) {
    container.set_name("web" + evil);
    for (v1::Container::Mount& mount : *container.mutable_mounts()) {
      mount.set_source(mount.source() + evil);
      mount.set_destination(mount.destination() + evil);
    }
  }
  for (v1::Image& image : *facts.mutable_images()->mutable_images()) {
    for (std::string& tag : *image.mutable_repo_tags()) tag += evil;
  }
  const std::string file = Facts(facts);
  for (const char* baseline : {"azure-docker", "edge-docker"}) {
    for (const char* format : {"table", "json"}) {
      const Ran ran = Plimsoll(
          {"evaluate", "--facts", file, "--baseline", baseline, "-o", format, "--all-findings"});
      EXPECT_EQ(ran.exit_status, kDone) << ran.err;
      EXPECT_TRUE(absl::StrContains(ran.out, "owned")) << baseline;
      ExpectHarmless(ran.out);
    }
  }
}

}  // namespace
}  // namespace plimsoll::cli
