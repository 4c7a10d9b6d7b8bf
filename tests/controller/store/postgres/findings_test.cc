#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/escaping.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

// Queries name only the members that a case is about.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What nobody may break out of a statement with.
constexpr const char* kHostile[] = {
    "'; DROP TABLE finding; --", "\"},{\"", "\\", "{}", "NULL", "%_", "$1", "\n\t",
    "'||pg_sleep(9)||'"};

class FindingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = plimsoll::testing::FreshStore();
    ASSERT_TRUE(AddHost(*store_, "h1", "alpha", {{"env", "prod"}, {"team", "a"}}).ok());
    ASSERT_TRUE(AddHost(*store_, "h2", "beta", {{"env", "test"}}).ok());
    TestEvaluation one("h1", 1);
    one.Verdict("r1", v1::Verdict::FAIL, {"x", "x", "a"});
    one.Verdict("r2", v1::Verdict::UNKNOWN).set_reason("permission_denied");
    one.Verdict("r3", v1::Verdict::FAIL, {"m"});
    one.Verdict("r4", v1::Verdict::PASS, {"fine"});
    ASSERT_TRUE(store_->reports().Put(one.Done()).ok());
    TestEvaluation two("h2", 1);
    two.Verdict("r1", v1::Verdict::PASS);
    two.Verdict("r3", v1::Verdict::FAIL, {"n"});
    two.Verdict("r4", v1::Verdict::NOT_APPLICABLE);
    ASSERT_TRUE(store_->reports().Put(two.Done()).ok());
  }

  // All findings that match, as "rule host object", read in pages of `limit`.
  std::vector<std::string> List(FindingQuery query, int limit = 100) {
    std::vector<std::string> lines;
    query.limit = limit;
    do {
      auto page = store_->reports().ListFindings(query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return {"error"};
      EXPECT_LE(page->findings.size(), static_cast<size_t>(limit));
      for (const v1::FleetFinding& found : page->findings) {
        lines.push_back(
            absl::StrCat(found.rule_id(), " ", found.host_id(), " ", found.finding().object()));
      }
      query.after = page->next;
    } while (!query.after.empty());
    return lines;
  }

  std::unique_ptr<Store> store_;
};

TEST_F(FindingsTest, WorstFirstThenRuleHostObject) {
  const std::vector<std::string> all = {"r3 h1 m", "r3 h2 n", "r2 h1 ", "r4 h1 fine",
                                        "r1 h1 a", "r1 h1 x", "r1 h1 x"};
  for (const int limit : {1, 2, 3, 7, 100}) {
    EXPECT_EQ(List(FindingQuery(), limit), all) << limit;
  }
}

TEST_F(FindingsTest, Filters) {
  const struct {
    const char* name;
    FindingQuery query;
    std::vector<std::string> want;
  } cases[] = {
      {"baseline", {.baseline = "none"}, {}},
      {"rule", {.rule_ids = {"r3", "r9"}}, {"r3 h1 m", "r3 h2 n"}},
      {"status", {.statuses = {v1::Verdict::UNKNOWN}}, {"r2 h1 "}},
      {"statuses",
       {.statuses = {v1::Verdict::UNKNOWN, v1::Verdict::PASS}},
       {"r2 h1 ", "r4 h1 fine"}},
      {"severity", {.minimum_severity = v1::HIGH}, {"r3 h1 m", "r3 h2 n", "r2 h1 "}},
      {"host", {.host_id = "h2"}, {"r3 h2 n"}},
      {"label", {.labels = {{"env", "test"}}}, {"r3 h2 n"}},
      {"labels",
       {.minimum_severity = v1::CRITICAL, .labels = {{"env", "prod"}, {"team", "a"}}},
       {"r3 h1 m"}},
      {"labels that no host has together", {.labels = {{"env", "test"}, {"team", "a"}}}, {}},
      {"all at once",
       {.baseline = "base",
        .rule_ids = {"r1"},
        .statuses = {v1::Verdict::FAIL},
        .minimum_severity = v1::LOW,
        .host_id = "h1",
        .labels = {{"team", "a"}}},
       {"r1 h1 a", "r1 h1 x", "r1 h1 x"}},
  };
  for (const auto& c : cases) EXPECT_EQ(List(c.query, 2), c.want) << c.name;
}

TEST_F(FindingsTest, FillsInTheFinding) {
  auto page = store_->reports().ListFindings({.rule_ids = {"r2"}});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->findings.size(), 1u);
  const v1::FleetFinding& found = page->findings[0];
  EXPECT_EQ(found.hostname(), "alpha");
  EXPECT_EQ(found.baseline_id(), "base");
  EXPECT_EQ(found.rule_title(), "Rule 2");
  EXPECT_EQ(found.severity(), v1::HIGH);
  EXPECT_EQ(found.finding().status(), v1::Verdict::UNKNOWN);
  EXPECT_EQ(found.finding().reason(), "permission_denied");
  EXPECT_EQ(found.observed_time().seconds(), absl::ToUnixSeconds(At(10)));
  EXPECT_EQ(found.status_since_time().seconds(), absl::ToUnixSeconds(At(10)));
}

TEST_F(FindingsTest, SinceStaysWhileTheStatusStays) {
  TestEvaluation later("h2", 2);
  later.Verdict("r3", v1::Verdict::FAIL, {"other"});
  ASSERT_TRUE(store_->reports().Put(later.Done()).ok());
  auto page = store_->reports().ListFindings({.rule_ids = {"r3"}, .host_id = "h2"});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->findings.size(), 1u);
  EXPECT_EQ(page->findings[0].finding().object(), "other");
  EXPECT_EQ(page->findings[0].observed_time().seconds(), absl::ToUnixSeconds(At(20)));
  EXPECT_EQ(page->findings[0].status_since_time().seconds(), absl::ToUnixSeconds(At(10)));
}

TEST_F(FindingsTest, HostileFiltersMatchNothingAndHarmNothing) {
  const std::vector<std::string> before = List(FindingQuery());
  for (const std::string text : kHostile) {
    EXPECT_THAT(List({.baseline = text}), IsEmpty()) << text;
    EXPECT_THAT(List({.rule_ids = {text, text + "\""}}), IsEmpty()) << text;
    EXPECT_THAT(List({.host_id = text}), IsEmpty()) << text;
    EXPECT_THAT(List({.labels = {{text, text}}}), IsEmpty()) << text;
    EXPECT_THAT(List({.labels = {{"env", text}}}), IsEmpty()) << text;
  }
  EXPECT_THAT(List({.host_id = std::string("h1\0", 3)}), IsEmpty());
  EXPECT_EQ(List(FindingQuery()), before);
}

TEST_F(FindingsTest, HostileObjectsAndLabelsComeBackAsTheyWere) {
  std::vector<std::string> objects(std::begin(kHostile), std::end(kHostile));
  objects.push_back(std::string("nul\0 inside", 11));
  objects.push_back(std::string(5000, 'a') + "1");
  objects.push_back(std::string(5000, 'a') + "2");
  std::map<std::string, std::string> labels;
  for (const std::string text : kHostile) labels[text] = text;
  ASSERT_TRUE(AddHost(*store_, "h3", kHostile[0], labels).ok());
  TestEvaluation evaluation("h3", 1);
  evaluation.Verdict("r3", v1::Verdict::FAIL, objects);
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  FindingQuery query{.labels = labels, .limit = 1};
  std::multiset<std::string> found;
  do {
    auto page = store_->reports().ListFindings(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& finding : page->findings) found.insert(finding.finding().object());
    query.after = page->next;
  } while (!query.after.empty());
  EXPECT_EQ(found, std::multiset<std::string>(objects.begin(), objects.end()));
  auto host = store_->hosts().Get("h3");
  ASSERT_TRUE(host.ok()) << host.status();
  const std::map<std::string, std::string> got(host->labels().begin(), host->labels().end());
  EXPECT_EQ(got, labels);
}

TEST_F(FindingsTest, ForeignPageTokensAreRefused) {
  const std::string nul(1, '\0');
  for (const std::string& token :
       {std::string("x"), std::string("!!"), absl::WebSafeBase64Escape("-5"),
        absl::WebSafeBase64Escape(
            absl::StrCat("1; DROP", nul, "r", nul, "b", nul, "h", nul, "o", nul, "0")),
        absl::WebSafeBase64Escape(
            absl::StrCat("-3", nul, "r", nul, "b", nul, "h", nul, "o", nul, "99999999999"))}) {
    const auto page = store_->reports().ListFindings({.after = token});
    EXPECT_TRUE(absl::IsInvalidArgument(page.status())) << token << ": " << page.status();
  }
}

TEST_F(FindingsTest, PagesDoNotRepeatWhileRowsChange) {
  std::vector<std::string> objects;
  for (int i = 0; i < 40; ++i) objects.push_back(absl::StrCat("o", 10 + i));
  uint64_t sequence = 1;
  const auto put = [&] {
    TestEvaluation evaluation("h2", ++sequence);
    evaluation.Verdict("r3", v1::Verdict::FAIL, objects);
    ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  };
  put();
  FindingQuery query{.host_id = "h2", .limit = 7};
  std::vector<std::string> seen;
  do {
    auto page = store_->reports().ListFindings(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& found : page->findings) seen.push_back(found.finding().object());
    query.after = page->next;
    // One object already listed goes, the last one listed goes, and one that sorts first comes.
    objects.erase(objects.begin());
    std::erase(objects, seen.back());
    objects.push_back(absl::StrCat("a", sequence));
    put();
  } while (!query.after.empty());
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  // Nothing that was there all the time is missing.
  for (const std::string& object : objects) {
    if (object[0] != 'o') continue;
    EXPECT_THAT(seen, ::testing::Contains(object));
  }
}

TEST_F(FindingsTest, SummaryCountsHostsByRuleAndStatus) {
  ASSERT_TRUE(AddHost(*store_, "h3", "gamma").ok());
  auto all = store_->reports().Summarize("base", "", {});
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->host_count, 3);
  EXPECT_EQ(all->evaluated_host_count, 2);
  std::vector<std::string> lines;
  for (const RuleCounts& rule : all->rules) {
    lines.push_back(absl::StrCat(rule.rule_id, " ", rule.counts.pass(), rule.counts.fail(),
                                 rule.counts.unknown(), rule.counts.not_applicable(),
                                 rule.counts.manual()));
  }
  EXPECT_THAT(lines, ElementsAre("r1 11000", "r2 00100", "r3 02000", "r4 10010"));

  const struct {
    const char* host;
    std::map<std::string, std::string> labels;
    int hosts;
    int evaluated;
    size_t rules;
  } cases[] = {{"h2", {}, 1, 1, 3},
               {"h3", {}, 1, 0, 0},
               {"none", {}, 0, 0, 0},
               {"", {{"env", "prod"}}, 1, 1, 4},
               {"h2", {{"env", "prod"}}, 0, 0, 0},
               {"", {{"' OR true --", "x"}}, 0, 0, 0}};
  for (const auto& c : cases) {
    auto some = store_->reports().Summarize("base", c.host, c.labels);
    ASSERT_TRUE(some.ok()) << some.status();
    EXPECT_EQ(some->host_count, c.hosts) << c.host;
    EXPECT_EQ(some->evaluated_host_count, c.evaluated) << c.host;
    EXPECT_EQ(some->rules.size(), c.rules) << c.host;
  }
}

TEST_F(FindingsTest, ARevokedHostIsShownOnlyWhenAskedFor) {
  ASSERT_TRUE(store_->enrollment().RevokeHost("h2", "gone", At(50)).ok());
  EXPECT_THAT(List({.rule_ids = {"r3"}}), ElementsAre("r3 h1 m"));
  EXPECT_THAT(List({.rule_ids = {"r3"}, .host_id = "h2"}), ElementsAre("r3 h2 n"));
  EXPECT_EQ(store_->reports().Summarize("base", "", {})->host_count, 1);
}

}  // namespace
}  // namespace plimsoll::store
