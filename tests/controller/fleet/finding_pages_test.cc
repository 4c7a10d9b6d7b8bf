#include "controller/fleet/finding_pages.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "tests/controller/fleet/live_fleet.h"

namespace plimsoll::fleet {
namespace {

using v1::Verdict;

v1::HostFacts Fixture(const std::string& name) {
  std::ifstream file(absl::StrCat(PLIMSOLL_SOURCE_DIR, "/tests/fixtures/facts/", name));
  std::stringstream text;
  text << file.rdbuf();
  v1::HostFacts facts;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text.str(), &facts)) << name;
  return facts;
}

// Hosts that differ in kind: good, bad, cut off in one source after the other.
std::vector<v1::HostFacts> AllKinds() {
  std::vector<v1::HostFacts> all = {
      Fixture("compliant.textproto"), Fixture("noncompliant.textproto"),
      testing::SampleHost(3, testing::Habit::kUsual),
      testing::SampleHost(2, testing::Habit::kHardened), v1::HostFacts()};
  const size_t whole = all.size() - 1;
  for (size_t i = 0; i < whole; ++i) {
    const auto* reflection = all[i].GetReflection();
    std::vector<const google::protobuf::FieldDescriptor*> fields;
    reflection->ListFields(all[i], &fields);
    for (const auto* field : fields) {
      if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
      all.push_back(all[i]);
      reflection->ClearField(&all.back(), field);
    }
  }
  return all;
}

TEST(AloneTest, ARuleAloneIsJudgedAsAmongTheOthers) {
  int aliases = 0;
  for (const v1::Baseline& baseline : ShippedBaselines()) {
    for (const v1::HostFacts& facts : AllKinds()) {
      const v1::HostReport report =
          evaluate::Evaluate(facts, baseline, {.as_of = store::At(0), .host_id = "h-1"});
      for (int i = 0; i < baseline.rules_size(); ++i) {
        const v1::Rule& rule = baseline.rules(i);
        aliases += rule.alias_of().empty() ? 0 : 1;
        const v1::HostReport alone =
            evaluate::Evaluate(facts, Alone(baseline, rule), {.as_of = store::At(0)});
        ASSERT_EQ(alone.verdicts_size(), 1);
        ASSERT_EQ(alone.verdicts(0).SerializeAsString(), report.verdicts(i).SerializeAsString())
            << baseline.id() << " " << rule.id();
      }
    }
  }
  EXPECT_GT(aliases, 0);
}

TEST(AloneTest, EveryFindingIsLookedForInItsVerdicts) {
  for (const v1::Baseline& baseline : ShippedBaselines()) {
    for (const v1::HostFacts& facts : AllKinds()) {
      const v1::HostReport report = evaluate::Evaluate(facts, baseline, {.as_of = store::At(0)});
      for (const Verdict& verdict : report.verdicts()) {
        for (const v1::Finding& finding : verdict.findings()) {
          EXPECT_TRUE(VerdictsWith(finding.status()) & (1u << verdict.status()))
              << verdict.ShortDebugString();
        }
      }
    }
  }
}

// "severity rule baseline host object status" of all findings in order, from whole reports.
std::vector<std::string> Expected(const LiveFleet& fleet, const std::set<int>& statuses,
                                  const std::set<std::string>& hosts) {
  using Line = std::tuple<int, std::string, std::string, std::string, int, std::string>;
  std::vector<Line> lines;
  for (const auto& [host, reports] : fleet.reports) {
    if (hosts.count(host) == 0) continue;
    for (const v1::Baseline& baseline : fleet.baselines) {
      const v1::HostReport& report = reports.at(baseline.id());
      for (int i = 0; i < baseline.rules_size(); ++i) {
        const v1::Rule& rule = baseline.rules(i);
        const Verdict& verdict = report.verdicts(i);
        const auto add = [&](int place, const std::string& object, int status) {
          if (statuses.count(status) == 0) return;
          lines.emplace_back(-rule.severity(), rule.id(), baseline.id(), host, place,
                             absl::StrCat(object, " ", status));
        };
        int place = 0;
        for (const v1::Finding& finding : verdict.findings()) {
          add(place++, finding.object(), finding.status());
        }
        if (verdict.findings().empty() && verdict.status() != Verdict::PASS &&
            verdict.status() != Verdict::NOT_APPLICABLE) {
          add(0, "", verdict.status());
        }
      }
    }
  }
  std::sort(lines.begin(), lines.end());
  std::vector<std::string> texts;
  for (const auto& [severity, rule, baseline, host, place, text] : lines) {
    texts.push_back(absl::StrCat(-severity, " ", rule, " ", baseline, " ", host, " ", text));
  }
  return texts;
}

std::string TextOf(const v1::FleetFinding& finding) {
  return absl::StrCat(static_cast<int>(finding.severity()), " ", finding.rule_id(), " ",
                      finding.baseline_id(), " ", finding.host_id(), " ",
                      finding.finding().object(), " ",
                      static_cast<int>(finding.finding().status()));
}

class FindingPagesTest : public ::testing::Test {
 protected:
  FindingPagesTest() : pages_(fleet_.index, fleet_.store->reports(), fleet_.book) {
    const std::vector<v1::HostFacts> kinds = AllKinds();
    for (size_t i = 0; i < 10; ++i) {
      fleet_.Put(absl::StrCat("h-", i), absl::StrCat("web-", i), kinds[i * 5 % kinds.size()],
                 {{"env", i % 2 == 0 ? "prod" : "test"}});
    }
    EXPECT_TRUE(fleet_.index.Load().ok());
  }

  std::vector<std::string> All(FindingQuery query) {
    std::vector<std::string> all;
    for (int pages = 0; pages < 5000; ++pages) {
      const auto page = pages_.List(query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(page->findings.size(), query.limit);
      for (const v1::FleetFinding& finding : page->findings) all.push_back(TextOf(finding));
      if (page->next.empty()) return all;
      query.after = page->next;
    }
    ADD_FAILURE() << "the pages do not end";
    return all;
  }

  LiveFleet fleet_;
  FindingPages pages_;
};

const std::vector<Verdict::Status> kFailOrUnknown = {Verdict::FAIL, Verdict::UNKNOWN};

TEST_F(FindingPagesTest, PagesOfAnySizeHoldEachFindingOnceInOrder) {
  std::set<std::string> everybody, prod;
  for (int i = 0; i < 10; ++i) {
    everybody.insert(absl::StrCat("h-", i));
    if (i % 2 == 0) prod.insert(absl::StrCat("h-", i));
  }
  const auto expected = Expected(fleet_, {Verdict::FAIL, Verdict::UNKNOWN}, everybody);
  ASSERT_GT(expected.size(), 300u);
  for (const size_t limit : {1000, 100, 37, 7}) {
    FindingQuery query;
    query.statuses = kFailOrUnknown;
    query.limit = limit;
    EXPECT_EQ(All(query), expected) << limit;
  }
  FindingQuery some;
  some.statuses = {Verdict::MANUAL, Verdict::PASS};
  some.selection.selector = *ParseSelector("env=prod");
  EXPECT_EQ(All(some), Expected(fleet_, {Verdict::MANUAL, Verdict::PASS}, prod));
  FindingQuery one;
  one.statuses = {Verdict::UNKNOWN};
  one.selection.host_id = "h-3";
  one.limit = 1;
  EXPECT_EQ(All(one), Expected(fleet_, {Verdict::UNKNOWN}, {"h-3"}));
  FindingQuery none;
  none.statuses = {static_cast<Verdict::Status>(99)};
  EXPECT_TRUE(All(none).empty());
}

TEST_F(FindingPagesTest, FiltersByRuleBaselineAndSeverity) {
  FindingQuery query;
  query.statuses = kFailOrUnknown;
  query.baseline_id = "azure-docker";
  query.rules = {{"azure-docker", "5.04"}, {"azure-docker", "5.10"}, {"none", "5.05"}};
  query.minimum_severity = v1::CRITICAL;
  const auto page = pages_.List(query);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_FALSE(page->findings.empty());
  for (const v1::FleetFinding& finding : page->findings) {
    EXPECT_EQ(finding.baseline_id(), "azure-docker");
    EXPECT_EQ(finding.rule_id(), "5.04");
    EXPECT_FALSE(finding.rule_title().empty());
    EXPECT_EQ(finding.hostname(), "web-" + finding.host_id().substr(2));
    EXPECT_EQ(finding.observed_time().seconds(), absl::ToUnixSeconds(store::At(1)));
    EXPECT_EQ(finding.status_since_time().seconds(), absl::ToUnixSeconds(store::At(1)));
  }
}

// Hosts that stay as they are keep each of their findings once, though others change and go.
TEST_F(FindingPagesTest, HoldWhileHostsChangeAndGo) {
  const auto steady = Expected(fleet_, {Verdict::FAIL, Verdict::UNKNOWN}, {"h-1", "h-5", "h-8"});
  FindingQuery query;
  query.statuses = kFailOrUnknown;
  query.limit = 40;
  std::vector<std::string> all;
  for (int pages = 0;; ++pages) {
    ASSERT_LT(pages, 1000);
    const auto page = pages_.List(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::FleetFinding& finding : page->findings) {
      const std::string& host = finding.host_id();
      if (host == "h-1" || host == "h-5" || host == "h-8") all.push_back(TextOf(finding));
    }
    if (page->next.empty()) break;
    query.after = page->next;
    if (pages == 3) {
      ASSERT_TRUE(fleet_.store->hosts().Remove("h-4", "gone", store::At(90)).ok());
      fleet_.Put("h-a", "new", AllKinds()[1]);
    }
    if (pages % 2 == 1) {
      fleet_.Put("h-2", "web-2", AllKinds()[pages % 4]);
      fleet_.Show();
    }
  }
  EXPECT_EQ(all, steady);
}

TEST_F(FindingPagesTest, AreNotOverWhileDocumentsAreReplaced) {
  std::vector<v1::Baseline> others = fleet_.baselines;
  others[0].set_digest(support::Sha256Hex("another document"));
  ASSERT_TRUE(fleet_.index.SetDocuments(others).ok());
  FindingQuery query;
  query.statuses = kFailOrUnknown;
  query.selection.host_id = "h-1";
  query.limit = 1000;
  const auto page = pages_.List(query);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_FALSE(page->next.empty());
  std::vector<std::string> all;
  for (const v1::FleetFinding& finding : page->findings) all.push_back(TextOf(finding));
  ASSERT_TRUE(fleet_.index.SetDocuments(fleet_.baselines).ok());
  query.after = page->next;
  for (const std::string& text : All(query)) all.push_back(text);
  EXPECT_EQ(all, Expected(fleet_, {Verdict::FAIL, Verdict::UNKNOWN}, {"h-1"}));
}

// A FAIL verdict may have UNKNOWN findings beside the failing ones; here none has.
TEST_F(FindingPagesTest, LooksForRareFindingsABoundedWhile) {
  for (int i = 10; i < 50; ++i) {
    fleet_.Put(absl::StrCat("x-", i), "same", testing::SampleHost(1, testing::Habit::kUsual));
  }
  fleet_.Show();
  FindingQuery query;
  query.baseline_id = "azure-docker";
  query.statuses = {Verdict::UNKNOWN};
  query.selection.selector = *ParseSelector("!env");
  for (const Verdict& verdict : fleet_.reports["x-10"]["azure-docker"].verdicts()) {
    if (verdict.status() == Verdict::FAIL) query.rules = {{"azure-docker", verdict.rule_id()}};
  }
  ASSERT_FALSE(query.rules.empty());
  query.limit = 2;
  const FindingPages impatient(fleet_.index, fleet_.store->reports(), fleet_.book, 10);
  int pages = 0;
  for (;; ++pages) {
    const auto page = impatient.List(query);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_TRUE(page->findings.empty());
    if (page->next.empty()) break;
    query.after = page->next;
  }
  // Forty hosts, twelve a page or as many as one statement brings.
  EXPECT_GE(pages, 2);
  EXPECT_LE(pages, 4);
}

TEST_F(FindingPagesTest, RefusesTokensThatAreNotItsOwn) {
  for (const char* token : {"garbage!", "Z2FyYmFnZQ==", "MAAAAAAA"}) {
    FindingQuery query;
    query.statuses = kFailOrUnknown;
    query.after = token;
    EXPECT_TRUE(absl::IsInvalidArgument(pages_.List(query).status())) << token;
  }
}

}  // namespace
}  // namespace plimsoll::fleet
