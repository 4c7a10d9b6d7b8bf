#include "controller/evaluate/selector.h"

#include <gtest/gtest.h>

#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace plimsoll::evaluate {
namespace {

using Labels = std::map<std::string, std::string>;

TEST(SelectorTest, MeansWhatTheGrammarSays) {
  const Labels web = {{"env", "prod"}, {"tier", "web"}, {"site/room", "a-1"}};
  const struct {
    const char* text;
    bool matches;
  } cases[] = {
      {"", true},
      {" \t ", true},
      {"env=prod", true},
      {"env==prod", true},
      {" env = prod ", true},
      {"env=test", false},
      {"env=PROD", false},
      {"env!=prod", false},
      {"env!=test", true},
      {"zone!=x", true},
      {"zone=x", false},
      {"env in (prod)", true},
      {"env in (test, prod)", true},
      {"env in(test,prod)", true},
      {"env in (test)", false},
      {"env notin (test)", true},
      {"env notin (test,prod)", false},
      {"zone notin (a)", true},
      {"env", true},
      {"zone", false},
      {"!zone", true},
      {"! env", false},
      {"site/room=a-1", true},
      {"env=prod,tier=web,!zone", true},
      {"env=prod,tier=db", false},
      {"env=\"prod\"", true},
      {"env in (\"prod\", test)", true},
      {"env=\"\"", false},
      {"env!=\"\"", true},
  };
  for (const auto& c : cases) {
    const auto selector = ParseSelector(c.text);
    ASSERT_TRUE(selector.ok()) << c.text << ": " << selector.status();
    EXPECT_EQ(Matches(*selector, web), c.matches) << c.text;
  }
}

TEST(SelectorTest, WordsAreKeysWhereAKeyStands) {
  const auto selector = ParseSelector("in in (in),notin notin (notin),in");
  ASSERT_TRUE(selector.ok()) << selector.status();
  EXPECT_TRUE(Matches(*selector, {{"in", "in"}}));
  EXPECT_FALSE(Matches(*selector, {{"in", "in"}, {"notin", "notin"}}));
}

TEST(SelectorTest, QuotedValuesHoldAnything) {
  EXPECT_FALSE(ParseSelector("owner=\"a \\\"b\\\" \\\\ , (c)").ok());
  const auto closed = ParseSelector("owner=\"a \\\"b\\\" \\\\ , (c)\xff\"");
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_TRUE(Matches(*closed, {{"owner", "a \"b\" \\ , (c)\xff"}}));
}

TEST(SelectorTest, ASavedSelectorIsWhatItRequires) {
  const SavedSelectors saved = {
      {"live-1", *ParseSelector("env=prod,!canary")},
      {"big", *ParseSelector(absl::StrJoin(std::vector<std::string>(64, "env"), ","))}};
  const struct {
    const char* text;
    Labels labels;
    bool matches;
  } cases[] = {
      {"@live-1", {{"env", "prod"}}, true},
      {" @live-1 , tier!=db", {{"env", "prod"}}, true},
      {"tier!=db,@live-1", {{"env", "prod"}, {"tier", "db"}}, false},
      {"@live-1", {{"env", "prod"}, {"canary", ""}}, false},
      {"@live-1,@live-1", {{"env", "prod"}}, true},
      {"env=@live-1", {{"env", "@live-1"}}, true},
  };
  for (const auto& c : cases) {
    const auto selector = SelectorOf({}, c.text, saved);
    ASSERT_TRUE(selector.ok()) << c.text << ": " << selector.status();
    EXPECT_EQ(Matches(*selector, c.labels), c.matches) << c.text;
  }
  for (const char* text : {"@gone", "@live-1,@gone", "@big,@big,@big"}) {
    auto selector = ParseSelector(text);
    ASSERT_TRUE(selector.ok()) << text;
    EXPECT_TRUE(absl::IsInvalidArgument(Expand(saved, *selector))) << text;
    // What cannot be looked up means nobody, never everybody.
    EXPECT_FALSE(Matches(*selector, {{"env", "prod"}})) << text;
  }
  EXPECT_TRUE(absl::StrContains(SelectorOf({}, "@gone", saved).status().message(), "\"gone\""));
  EXPECT_TRUE(Names(*ParseSelector("a=b,@live-1"), "live-1"));
  EXPECT_FALSE(Names(*ParseSelector("live-1=b,@live"), "live-1"));
}

TEST(SelectorTest, WritesOutSavedSelectors) {
  const std::map<std::string, std::string> saved = {
      {"live", "env=prod,!canary"},
      {"big", absl::StrJoin(std::vector<std::string>(64, "env"), ",")}};
  const struct {
    const char* text;
    const char* written_out;
  } cases[] = {
      {"", ""},
      {" \t", ""},
      {"@live", "env=prod,!canary"},
      {"a=1, @live ,b", "a=1,env=prod,!canary,b"},
      {" a in (x, y) , !b ", "a in (x, y),!b"},
      {"@other", "@other"},
      // Only where a requirement stands.
      {"mail=@live", "mail=@live"},
      {"a in (x,@live)", "a in (x,@live)"},
      {"a=\",@live\"", "a=\",@live\""},
      {"a=\"\\\",@live\"", "a=\"\\\",@live\""},
  };
  for (const auto& c : cases) {
    const auto written_out = WriteOut(c.text, saved);
    ASSERT_TRUE(written_out.ok()) << c.text << ": " << written_out.status();
    EXPECT_EQ(*written_out, c.written_out) << c.text;
  }
  const struct {
    std::string text;
    const char* message;
  } bad[] = {
      // Columns are those of the text, not of what is written out.
      {"@live,a==", "column 10: expected a value"},
      {"@live\n", "column 6: expected \",\" or the end"},
      {"@live,", "column 7: expected a label's key"},
      {std::string(4097, ' '), "longer than 4096 bytes"},
      {"@big,a", "more than 64 requirements; save those first"},
  };
  for (const auto& c : bad) {
    const absl::Status status = WriteOut(c.text, saved).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << c.text;
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << c.text << ": " << status;
  }
}

TEST(SelectorTest, ErrorsNameTheColumn) {
  const struct {
    std::string text;
    const char* message;
  } cases[] = {
      {",", "column 1: expected a label's key"},
      {"env=prod,", "column 10: expected a label's key"},
      {"env=", "column 5: expected a value"},
      {"env=,b", "column 5: expected a value"},
      {"env!prod", "column 5: expected \"=\", found \"prod\""},
      {"env ~ prod", "column 5: expected \"=\""},
      {"env=prod tier=web", "column 10: expected \",\" or the end"},
      {"env in prod", "column 8: expected \"(\""},
      {"env in (prod", "column 13: expected \",\" or \")\", found the end"},
      {"env in ()", "column 9: expected a value"},
      {"env within (a)", "column 5: expected"},
      {"Env=prod", "column 1: expected a label's key"},
      {"env=\"prod", "column 10: expected a closing \""},
      {"env=\"a\\n\"", "column 8: expected \\\""},
      {"env=\"a\\", "column 8: expected \\\""},
      {"!", "column 2: expected a label's key"},
      {"@", "column 2: expected the name of a saved selector"},
      {"@Live", "column 2: expected the name of a saved selector"},
      {"!@live", "column 2: expected a label's key"},
      {"@live=1", "column 6: expected \",\" or the end"},
      {"!env=prod", "column 5: expected \",\" or the end"},
      {"env=\x1b[31m",
       "column 5: expected a value of [A-Za-z0-9_./:@-], or one in double quotes, "
       "found \"\\x1b[31m\""},
      {std::string("a\0b", 3), "column 2: expected"},
      {std::string(64, 'k'), "column 1: a key has at most 63 bytes"},
      {std::string(4097, ' '), "longer than 4096 bytes"},
  };
  for (const auto& c : cases) {
    const absl::Status status = ParseSelector(c.text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << c.text;
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << c.text << ": " << status;
  }
}

TEST(SelectorTest, IsBounded) {
  const std::vector<std::string> keys(65, "k");
  EXPECT_FALSE(ParseSelector(absl::StrJoin(keys, ",")).ok());
  EXPECT_TRUE(ParseSelector(absl::StrJoin(keys.begin(), keys.begin() + 64, ",")).ok());
  EXPECT_FALSE(ParseSelector(absl::StrCat("a in (", absl::StrJoin(keys, ","), ")")).ok());
  Labels labels;
  for (int i = 0; i < 65; ++i) labels[absl::StrCat("k", i)] = "v";
  EXPECT_TRUE(absl::IsInvalidArgument(SelectorOf(labels, "").status()));
}

TEST(SelectorTest, LabelsAndExpressionBothHold) {
  const auto selector = SelectorOf({{"env", "prod"}}, "tier!=db");
  ASSERT_TRUE(selector.ok());
  EXPECT_TRUE(Matches(*selector, {{"env", "prod"}}));
  EXPECT_FALSE(Matches(*selector, {{"env", "prod"}, {"tier", "db"}}));
  EXPECT_FALSE(Matches(*selector, {{"tier", "web"}}));
}

// Whatever comes in, an answer comes out; what parses has only what the bounds allow.
TEST(SelectorTest, SurvivesAnyText) {
  std::mt19937 random(7);
  const std::string pieces[] = {
      "env",  "in",     "notin",          "(", ")", ",", "=", "!", "@", "\"", "\\", " ", "a", "1",
      "\xff", "\x1b[0", std::string(1, 0)};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = random() % 12; i >= 0; --i) text += pieces[random() % std::size(pieces)];
    const auto selector = ParseSelector(text);
    if (!selector.ok()) continue;
    EXPECT_LE(selector->size(), 64u);
    for (const Requirement& requirement : *selector) EXPECT_FALSE(requirement.key.empty());
    Matches(*selector, {{"env", "a"}});
  }
}

}  // namespace
}  // namespace plimsoll::evaluate
