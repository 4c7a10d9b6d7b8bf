#include "controller/fleet/fleet.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "controller/fleet/host_pages.h"
#include "controller/fleet/summaries.h"
#include "tests/controller/fleet/naive_fleet.h"

namespace plimsoll::fleet {
namespace {

using ::testing::ElementsAre;

const std::vector<v1::Baseline>& TwoBaselines() {
  static const auto& baselines =
      *new std::vector<v1::Baseline>{RandomBaseline("one"), RandomBaseline("two")};
  return baselines;
}

Selection Where(const std::string& expression) { return {*ParseSelector(expression), ""}; }

std::string Text(const google::protobuf::Message& message) { return message.DebugString(); }

// Every question there is, of one fleet and of the model.
void ExpectAlike(const Fleet& fleet, const NaiveFleet& naive, RandomFleet& random) {
  const std::vector<std::string> expressions = {
      "", "env=v1", "env in (v0,v2),team!=v1", "!zone", "zone,team notin (v0)", "env=none"};
  for (const v1::Baseline& baseline : TwoBaselines()) {
    const BaselineColumns& columns = *fleet.Find(baseline.id());
    for (const std::string& expression : expressions) {
      const Selection selection = Where(expression);
      ASSERT_EQ(Text(Summarize(fleet, columns, selection, naive.now)),
                Text(naive.Summary(baseline, selection)))
          << expression;
      const auto by_label = SummarizeByLabel(fleet, columns, selection, "team");
      const auto expected = naive.ByLabel(baseline, selection, "team");
      ASSERT_EQ(by_label.size(), expected.size()) << expression;
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(Text(by_label[i]), Text(expected[i])) << expression;
      }
      std::vector<std::string> worst;
      const auto answer = WorstHosts(fleet, columns, selection, 1000);
      for (const v1::WorstHost& host : answer.hosts()) worst.push_back(host.host_id());
      ASSERT_EQ(worst, naive.Worst(baseline, selection)) << expression;
      for (const int rule : {-1, 0, 5}) {
        std::vector<std::string> lines;
        for (const auto& sum : FailingConfigurations(fleet, columns, selection, rule)) {
          lines.push_back(absl::StrCat(sum.containers, " ", sum.fingerprint, " ", sum.hosts));
          for (const int place : sum.rules) absl::StrAppend(&lines.back(), " ", place);
          EXPECT_EQ(naive.hosts.count(sum.example_host_id), 1u);
        }
        ASSERT_EQ(lines, naive.Configurations(baseline, selection,
                                              rule < 0 ? "" : baseline.rules(rule).id()))
            << expression << " " << rule;
      }
    }
    const Selection one{{}, absl::StrCat("h-", random.Below(150))};
    ASSERT_EQ(Text(Summarize(fleet, columns, one, naive.now)), Text(naive.Summary(baseline, one)));
  }
  // Lists: every host, as it was given, in order.
  HostQuery query;
  query.limit = 7;
  std::vector<std::string> listed;
  for (bool more = true; more;) {
    const HostPage page = ListHosts(fleet, query);
    for (const v1::Host& host : page.hosts) {
      listed.push_back(host.id());
      const auto known = naive.hosts.find(host.id());
      ASSERT_NE(known, naive.hosts.end()) << host.id();
      v1::Host expected = known->second.host;
      expected.set_stale(naive.Stale(known->second));
      v1::Host shown = host;
      shown.clear_counts();
      expected.mutable_clock_skew();
      ASSERT_EQ(Text(shown), Text(expected));
    }
    more = page.more;
    if (page.hosts.empty()) break;
    query.after_hostname = page.hosts.back().hostname();
    query.after_id = page.hosts.back().id();
  }
  std::vector<std::pair<std::string, std::string>> order;
  for (const auto& [id, state] : naive.hosts) order.emplace_back(state.host.hostname(), id);
  std::sort(order.begin(), order.end());
  std::vector<std::string> expected;
  for (const auto& [name, id] : order) expected.push_back(id);
  ASSERT_EQ(listed, expected);
}

class FleetPropertyTest : public ::testing::TestWithParam<int> {};

TEST_P(FleetPropertyTest, AnswersAsAPlainModelUnderRandomChanges) {
  RandomFleet random(GetParam(), TwoBaselines());
  Fleet fleet(TwoBaselines(), kStaleAfter);
  ASSERT_TRUE(fleet.AddDocument(OlderBaseline("one")));
  ASSERT_TRUE(fleet.AddDocument(OlderBaseline("two")));
  ASSERT_FALSE(fleet.AddDocument(OlderBaseline("three")));
  absl::Time now = At(100'000);
  for (int round = 0; round < 25; ++round) {
    for (int i = random.Below(80); i >= 0; --i) {
      if (random.Below(8) > 0) {
        fleet.Set(random.Next(now), now);
        continue;
      }
      const std::string gone = absl::StrCat("h-", random.Below(150));
      const auto known = random.hosts.find(gone);
      if (known != random.hosts.end() && random.Below(2) == 0) {
        store::HostState removed = known->second;
        removed.removed = true;
        fleet.Set(removed, now);
      } else {
        fleet.Remove(gone);
      }
      random.hosts.erase(gone);
    }
    now += absl::Minutes(3);
    for (const std::string& silent : fleet.Tick(now, 1000)) {
      fleet.Set(random.hosts.at(silent), now);
    }
    ASSERT_NO_FATAL_FAILURE(ExpectAlike(fleet, {random.hosts, now}, random)) << round;
  }
  // All that was taken is given back.
  for (const auto& [id, state] : random.hosts) fleet.Remove(id);
  random.hosts.clear();
  ASSERT_NO_FATAL_FAILURE(ExpectAlike(fleet, {random.hosts, now}, random));
  EXPECT_TRUE(fleet.hosts().present().Empty());
  EXPECT_EQ(fleet.hosts().labels().ValuesOf("env"), nullptr);
}
INSTANTIATE_TEST_SUITE_P(Seeds, FleetPropertyTest, ::testing::Range(0, 8));

store::HostState Simple(const std::string& id, const std::string& name, absl::Time seen,
                        const std::map<std::string, std::string>& labels = {}) {
  store::HostState state;
  state.host.set_id(id);
  state.host.set_hostname(name);
  state.host.set_connection(v1::Host::CONNECTED);
  state.host.mutable_labels()->insert(labels.begin(), labels.end());
  *state.host.mutable_last_seen_time() =
      TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(seen));
  store::HostVerdicts& verdicts = state.verdicts.emplace_back();
  verdicts.baseline_id = "one";
  verdicts.baseline_digest = TwoBaselines()[0].digest();
  verdicts.statuses = std::string("\1\2\0\3\4\1\2\0\1", 9);
  for (int i = 0; i < 9; ++i) verdicts.since.push_back(absl::ToUnixMicros(At(i / 3)));
  return state;
}

v1::Summary SummaryOf(const Fleet& fleet, absl::Time now) {
  return Summarize(fleet, *fleet.Find("one"), {}, now);
}

TEST(FleetTest, ASilentHostIsReadAgainBeforeItIsStale) {
  Fleet fleet(TwoBaselines(), kStaleAfter);
  fleet.Set(Simple("h-1", "a", At(0)), At(0));
  EXPECT_TRUE(fleet.Tick(At(600), 10).empty());
  EXPECT_THAT(fleet.Tick(At(721), 10), ElementsAre("h-1"));
  // Read, and it was heard of by another controller meanwhile.
  fleet.Set(Simple("h-1", "a", At(700)), At(722));
  EXPECT_TRUE(fleet.Tick(At(900), 10).empty());
  EXPECT_EQ(SummaryOf(fleet, At(900)).evaluated_host_count(), 1);
  // Past its time, and not read since: not yet stale.
  EXPECT_THAT(fleet.Tick(At(1601), 10), ElementsAre("h-1"));
  EXPECT_EQ(SummaryOf(fleet, At(1601)).stale_host_count(), 0);
  fleet.Set(Simple("h-1", "a", At(700)), At(1602));
  EXPECT_EQ(SummaryOf(fleet, At(1602)).stale_host_count(), 1);
  EXPECT_EQ(SummaryOf(fleet, At(1602)).evaluated_host_count(), 0);
  EXPECT_FALSE(SummaryOf(fleet, At(1602)).has_compliance_lower());
  // This controller's own session is heard of.
  const uint64_t version = fleet.version();
  fleet.Hear("h-1", At(1700));
  EXPECT_EQ(SummaryOf(fleet, At(1700)).stale_host_count(), 0);
  EXPECT_GT(fleet.version(), version);
  fleet.Hear("h-1", At(900));
  EXPECT_TRUE(fleet.Tick(At(1900), 10).empty());
  fleet.Hear("nobody", At(1700));
}

TEST(FleetTest, WithoutTheDatabaseASilentHostIsStaleAllTheSame) {
  Fleet fleet(TwoBaselines(), kStaleAfter);
  fleet.Set(Simple("h-1", "a", At(0)), At(0));
  fleet.Tick(At(15 * 60 + 179), 10);
  EXPECT_EQ(SummaryOf(fleet, At(1079)).stale_host_count(), 0);
  fleet.Tick(At(15 * 60 + 181), 10);
  EXPECT_EQ(SummaryOf(fleet, At(1081)).stale_host_count(), 1);
}

TEST(FleetTest, KeepsSinceTimesHoweverManyDiffer) {
  v1::Baseline large = RandomBaseline("one");
  for (int i = 9; i < 80; ++i) large.add_rules()->set_id(absl::StrCat("2.", i));
  const std::vector<v1::Baseline> baselines = {large};
  Fleet fleet(baselines, kStaleAfter);
  for (const int distinct : {80, 1, 31, 32, 5}) {
    store::HostState state = Simple("h-1", "a", At(0));
    state.verdicts[0].statuses = std::string(80, '\2');
    state.verdicts[0].since.clear();
    for (int i = 0; i < 80; ++i) state.verdicts[0].since.push_back(1000 + i % distinct);
    fleet.Set(state, At(0));
    for (int i = 0; i < 80; ++i) {
      EXPECT_EQ(fleet.Find("one")->since(0, i), 1000 + i % distinct) << distinct << " " << i;
      EXPECT_EQ(fleet.Find("one")->status(0, i), v1::Verdict::FAIL);
    }
  }
}

TEST(FleetTest, FiltersOfListsAllHold) {
  Fleet fleet(TwoBaselines(), kStaleAfter);
  fleet.Set(Simple("h-1", "Web-1", At(0), {{"env", "prod"}}), At(2000));
  fleet.Set(Simple("h-2", "web-2", At(1900), {{"env", "prod"}}), At(2000));
  store::HostState revoked = Simple("h-3", "db-1", At(1900));
  revoked.host.set_connection(v1::Host::REVOKED);
  fleet.Set(revoked, At(2000));
  const auto ids = [&fleet](const HostQuery& query) {
    std::vector<std::string> all;
    for (const v1::Host& host : ListHosts(fleet, query).hosts) all.push_back(host.id());
    return all;
  };
  EXPECT_THAT(ids({}), ElementsAre("h-1", "h-3", "h-2"));
  EXPECT_THAT(ids({.selector = *ParseSelector("env=prod")}), ElementsAre("h-1", "h-2"));
  EXPECT_THAT(ids({.name_contains = "WEB"}), ElementsAre("h-1", "h-2"));
  EXPECT_THAT(ids({.connections = {v1::Host::REVOKED}}), ElementsAre("h-3"));
  EXPECT_THAT(ids({.stale = true}), ElementsAre("h-1"));
  EXPECT_THAT(ids({.name_contains = "web", .stale = false}), ElementsAre("h-2"));
}

// Whoever is there throughout is listed exactly once, whatever comes, goes and is renamed.
TEST(FleetTest, PagesHoldWhileHostsComeAndGo) {
  for (int seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    Fleet fleet(TwoBaselines(), kStaleAfter);
    std::set<std::string> steady;
    for (int i = 0; i < 100; ++i) {
      const std::string id = absl::StrCat("h-", i);
      fleet.Set(Simple(id, absl::StrCat("n", random() % 30), At(0)), At(0));
      if (i % 2 == 0) steady.insert(id);
    }
    HostQuery query;
    query.limit = 1 + seed % 9;
    std::map<std::string, int> listed;
    for (bool more = true; more;) {
      const HostPage page = ListHosts(fleet, query);
      for (const v1::Host& host : page.hosts) ++listed[host.id()];
      more = page.more;
      if (page.hosts.empty()) break;
      query.after_hostname = page.hosts.back().hostname();
      query.after_id = page.hosts.back().id();
      for (int i = 0; i < 10; ++i) {
        const std::string id = absl::StrCat("h-", random() % 60 * 2 + 1);
        if (random() % 2 == 0) {
          fleet.Remove(id);
        } else {
          fleet.Set(Simple(id, absl::StrCat("n", random() % 30), At(0)), At(0));
        }
      }
    }
    for (const std::string& id : steady) EXPECT_EQ(listed[id], 1) << seed << " " << id;
  }
}

TEST(FleetTest, ResolvesWhomASelectorMeans) {
  Fleet fleet(TwoBaselines(), kStaleAfter);
  fleet.Set(Simple("h-2", "web", At(0), {{"env", "prod"}}), At(0));
  fleet.Set(Simple("h-1", "twin", At(0), {{"env", "prod"}}), At(0));
  fleet.Set(Simple("h-3", "twin", At(0), {{"env", "test"}}), At(0));
  store::HostState revoked = Simple("h-4", "web", At(0));
  revoked.host.set_connection(v1::Host::REVOKED);
  fleet.Set(revoked, At(0));
  const struct {
    const char* selector;
    absl::StatusCode code;
    std::vector<std::string> ids;
  } cases[] = {
      {"all: true", absl::StatusCode::kOk, {"h-1", "h-2", "h-3"}},
      {"hosts: 'web'", absl::StatusCode::kOk, {"h-2"}},
      {"hosts: 'h-4' hosts: 'web'", absl::StatusCode::kOk, {"h-2"}},
      {"hosts: 'twin'", absl::StatusCode::kFailedPrecondition, {}},
      {"hosts: 'none'", absl::StatusCode::kNotFound, {}},
      {"labels { key: 'env' value: 'prod' }", absl::StatusCode::kOk, {"h-1", "h-2"}},
      {"expression: 'env!=prod'", absl::StatusCode::kOk, {"h-3"}},
      {"hosts: 'h-1' hosts: 'h-3' expression: 'env=test'", absl::StatusCode::kOk, {"h-3"}},
      {"expression: 'env=none'", absl::StatusCode::kOk, {}},
      {"expression: '@live'", absl::StatusCode::kOk, {"h-1", "h-2"}},
      {"hosts: 'h-1' expression: '@live,env'", absl::StatusCode::kOk, {"h-1"}},
      {"expression: '@gone'", absl::StatusCode::kInvalidArgument, {}},
      {"expression: 'env='", absl::StatusCode::kInvalidArgument, {}},
      {"", absl::StatusCode::kInvalidArgument, {}},
      {"all: true hosts: 'web'", absl::StatusCode::kInvalidArgument, {}},
  };
  for (const auto& c : cases) {
    v1::HostSelector selector;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(c.selector, &selector));
    const auto ids = fleet.Resolve(selector, {{"live", *ParseSelector("env=prod")}});
    EXPECT_EQ(ids.status().code(), c.code) << c.selector << ids.status();
    if (ids.ok()) {
      EXPECT_EQ(*ids, c.ids) << c.selector;
    }
  }
}

}  // namespace
}  // namespace plimsoll::fleet
