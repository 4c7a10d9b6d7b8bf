#include <google/protobuf/util/json_util.h>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "plimsoll/v1/baseline_service.pb.h"
#include "tests/controller/cli/cli_run.h"

namespace plimsoll::cli {
namespace {

class BaselineCommandTest : public CliTest {};

TEST_F(BaselineCommandTest, ListsWhatIsShipped) {
  Ran ran = Plimsoll({"baseline", "list"});
  EXPECT_EQ(ran.exit_status, kDone);
  EXPECT_TRUE(absl::StrContains(ran.out, "azure-docker")) << ran.out;
  EXPECT_TRUE(absl::StrContains(ran.out, "edge-docker")) << ran.out;
  ran = Plimsoll({"baseline", "list", "-o", "json"});
  v1::ListBaselinesResponse all;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(ran.out, &all).ok()) << ran.out;
  ASSERT_EQ(all.baselines_size(), 2);
  EXPECT_EQ(all.baselines(0).digest().size(), 64u);
}

// The list of rules is a contract: a rule that goes or changes its number is seen here.
TEST_F(BaselineCommandTest, RulesOfTheShippedBaselines) {
  for (const char* id : {"azure-docker", "edge-docker"}) {
    const Ran ran = Plimsoll({"baseline", "show", id});
    EXPECT_EQ(ran.exit_status, kDone);
    EXPECT_EQ(ran.err, "");
    ExpectGolden(absl::StrCat("rules-", id, ".txt"), ran.out);
  }
}

TEST_F(BaselineCommandTest, OneRuleInFullByIdAndBySlug) {
  const std::string file = Write("small.yaml", kSmallBaseline);
  const Ran by_id = Plimsoll({"baseline", "show", file, "5.10"});
  EXPECT_EQ(by_id.exit_status, kDone);
  ExpectGolden("rule.txt", by_id.out);
  EXPECT_EQ(Plimsoll({"baseline", "show", file, "container-memory-limited"}).out, by_id.out);
  const Ran json = Plimsoll({"baseline", "show", file, "5.10", "-o", "json"});
  EXPECT_TRUE(absl::StrContains(json.out, "\"severity\": \"MEDIUM\"")) << json.out;
  EXPECT_TRUE(absl::StrContains(json.out, "\"containerMemoryLimited\"")) << json.out;
}

TEST_F(BaselineCommandTest, ValidatesADocument) {
  const Ran ran = Plimsoll({"baseline", "validate", Write("small.yaml", kSmallBaseline)});
  EXPECT_EQ(ran.exit_status, kDone);
  EXPECT_TRUE(absl::StrContains(ran.out, "small.yaml: valid, 5 rules, digest ")) << ran.out;
}

TEST_F(BaselineCommandTest, BrokenDocumentsAreRefusedWithTheLine) {
  const struct {
    std::string from;
    std::string to;
    // After the file's name.
    const char* complaint;
  } cases[] = {
      {"title: A small baseline", "titel: A small baseline", ":3: "},
      {"severity: high", "severity: hihg", ":13: "},
      {"slug: container-not-privileged", "slug: etc-docker-owner", ":19: "},
      {"id: \"5.10\"", "id: \"5.04\"", ":26: "},
      {"check: {container_not_privileged: {}}", "check: {container_is_nice: {}}", ":25: "},
      {"owner: root, group: root", "owner: root, grup: root", ":17: "},
      {"id: small", "id: [small", "broken.yaml:"},
      {"rules:", "rules: 7\nmore:", ":9: "},
  };
  for (const auto& c : cases) {
    const std::string file =
        Write("broken.yaml", absl::StrReplaceAll(kSmallBaseline, {{c.from, c.to}}));
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"baseline", "validate", file},
          std::vector<std::string>{"baseline", "show", file}}) {
      const Ran ran = Plimsoll(command);
      EXPECT_EQ(ran.exit_status, kUsage) << c.to;
      EXPECT_EQ(ran.out, "") << c.to;
      EXPECT_TRUE(absl::StrContains(ran.err, file + ":")) << ran.err;
      EXPECT_TRUE(absl::StrContains(ran.err, c.complaint)) << c.to << "\n" << ran.err;
    }
  }
}

TEST_F(BaselineCommandTest, EveryProblemIsALine) {
  const std::string file = Write(
      "broken.yaml", absl::StrReplaceAll(kSmallBaseline, {{"severity: high", "severity: hihg"},
                                                          {"severity: low", "severity: loww"}}));
  const Ran ran = Plimsoll({"baseline", "validate", file});
  EXPECT_TRUE(absl::StrContains(ran.err, "hihg")) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.err, "\n" + file + ":")) << ran.err;
  EXPECT_TRUE(absl::StrContains(ran.err, "loww")) << ran.err;
}

TEST_F(BaselineCommandTest, RefusesWhatIsNotThere) {
  const struct {
    std::vector<std::string> arguments;
    const char* complaint;
  } cases[] = {
      {{"baseline", "show", "no-such"}, "azure-docker"},
      {{"baseline", "show", "azure-docker", "9.99"}, "has no rule \"9.99\""},
      {{"baseline", "validate", Path("none.yaml")}, "none.yaml"},
      {{"baseline", "validate", Write("empty.yaml", "")}, "empty.yaml"},
  };
  for (const auto& c : cases) {
    const Ran ran = Plimsoll(c.arguments);
    EXPECT_EQ(ran.exit_status, kUsage) << c.complaint;
    EXPECT_TRUE(absl::StrContains(ran.err, c.complaint)) << ran.err;
  }
}

TEST_F(BaselineCommandTest, HostileTextsStayText) {
  // What has C0 controls is no document at all.
  const std::string evil = "\\x9B]0;owned\\u202E\\x9B";
  std::string document = absl::StrReplaceAll(
      kSmallBaseline,
      {{"version: 1.2.3", absl::StrCat("version: \"1", evil, "\"")},
       {"title: A small baseline", absl::StrCat("title: \"T", evil, "\"")},
       {"title: No container is privileged", absl::StrCat("title: \"N", evil, "\"")},
       {"title: Containers}", absl::StrCat("title: \"C", evil, "\"}")},
       {"rationale: Memory is shared.", absl::StrCat("rationale: \"R", evil, "\"")}});
  const std::string file = Write("evil.yaml", document);
  for (const std::vector<std::string>& rule :
       {std::vector<std::string>{}, std::vector<std::string>{"5.10"},
        std::vector<std::string>{"5.04"}}) {
    std::vector<std::string> arguments = {"baseline", "show", file};
    arguments.insert(arguments.end(), rule.begin(), rule.end());
    const Ran ran = Plimsoll(arguments);
    ExpectHarmless(ran.out + ran.err);
    EXPECT_TRUE(absl::StrContains(ran.out + ran.err, "owned")) << ran.out << ran.err;
  }
}

}  // namespace
}  // namespace plimsoll::cli
