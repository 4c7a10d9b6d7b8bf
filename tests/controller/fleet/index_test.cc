#include "controller/fleet/index.h"

#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <set>

#include "absl/synchronization/mutex.h"
#include "controller/fleet/host_pages.h"
#include "controller/fleet/summaries.h"
#include "controller/store/change_feed.h"
#include "tests/controller/fleet/live_fleet.h"

namespace plimsoll::fleet {
namespace {

// A controller: an index that follows the feed, and what the feed said.
struct Controller {
  explicit Controller(const std::string& url)
      : fleet(url, {.unwelcome = [this](const std::string& id) {
                absl::MutexLock lock(&mutex);
                unwelcome.insert(id);
              }}) {
    EXPECT_TRUE(fleet.index.Load().ok());
    feed = std::make_unique<store::ChangeFeed>(url, store::ChangeFeed::Callbacks{
                                                        .hosts =
                                                            [this](std::vector<std::string> ids) {
                                                              fleet.index.Changed(ids);
                                                              absl::MutexLock lock(&mutex);
                                                              told.insert(ids.begin(), ids.end());
                                                            },
                                                        .scan = [](const std::string&) {},
                                                        .connected =
                                                            [this] {
                                                              fleet.index.CatchUp();
                                                              absl::MutexLock lock(&mutex);
                                                              ++connections;
                                                            },
                                                    });
    AwaitConnections(1);
  }

  void AwaitConnections(int wanted) {
    {
      absl::MutexLock lock(&mutex);
      const auto connected = [&] { return connections >= wanted; };
      ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&connected), absl::Seconds(30)));
    }
    ASSERT_TRUE(fleet.index.Await(absl::Seconds(30)));
  }
  // The index shows a change of this host that the feed told of.
  void AwaitTold(const std::string& id) {
    {
      absl::MutexLock lock(&mutex);
      const auto heard = [&] { return told.count(id) > 0; };
      ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&heard), absl::Seconds(30))) << id;
      told.erase(id);
    }
    ASSERT_TRUE(fleet.index.Await(absl::Seconds(30)));
  }
  // A host is told of when it enrols, when it connects and when it reports.
  void AwaitReports(int wanted) {
    const auto reports = [this] {
      return fleet.index.Read([](const Fleet& f) {
        return Summarize(f, *f.Find("azure-docker"), {}, store::At(0)).evaluated_host_count();
      });
    };
    for (int i = 0; i < 300 && reports() < wanted; ++i) absl::SleepFor(absl::Milliseconds(100));
    ASSERT_EQ(reports(), wanted);
  }
  void Forget() {
    absl::MutexLock lock(&mutex);
    told.clear();
  }
  bool Unwelcome(const std::string& id) {
    absl::MutexLock lock(&mutex);
    return unwelcome.count(id) > 0;
  }

  std::vector<std::string> Names() const {
    return fleet.index.Read([](const Fleet& f) {
      std::vector<std::string> names;
      for (const v1::Host& host : ListHosts(f, {}).hosts) names.push_back(host.hostname());
      return names;
    });
  }
  std::string Summary() const {
    return fleet.index.Read([](const Fleet& f) {
      return Summarize(f, *f.Find("azure-docker"), {}, store::At(0)).SerializeAsString();
    });
  }

  absl::Mutex mutex;
  std::set<std::string> told, unwelcome;
  int connections = 0;
  LiveFleet fleet;
  std::unique_ptr<store::ChangeFeed> feed;
};

v1::HostFacts Usual(int containers) {
  return testing::SampleHost(containers, testing::Habit::kUsual);
}

// What the index holds is what was judged.
void ExpectShowsReports(LiveFleet& fleet) {
  fleet.index.Read([&fleet](const Fleet& f) {
    for (const auto& [id, reports] : fleet.reports) {
      Slot slot = 0;
      ASSERT_TRUE(f.hosts().Find(id, slot)) << id;
      for (const v1::Baseline& baseline : fleet.baselines) {
        const BaselineColumns& columns = *f.Find(baseline.id());
        for (int i = 0; i < baseline.rules_size(); ++i) {
          EXPECT_EQ(columns.status(slot, i), reports.at(baseline.id()).verdicts(i).status())
              << id << " " << baseline.rules(i).id();
        }
        EXPECT_EQ(f.Describe(slot).counts().at(baseline.id()).SerializeAsString(),
                  reports.at(baseline.id()).counts().SerializeAsString());
      }
    }
  });
}

TEST(FleetIndexTest, LoadsWhatIsStoredAndFollowsChanges) {
  LiveFleet fleet;
  fleet.Put("h-1", "web-1", Usual(3), {{"env", "prod"}});
  fleet.Put("h-2", "web-2", testing::SampleHost(2, testing::Habit::kHardened));
  ASSERT_TRUE(fleet.index.Load().ok());
  ExpectShowsReports(fleet);
  fleet.Put("h-2", "web-2", Usual(1));
  fleet.Put("h-3", "web-3", v1::HostFacts());
  fleet.Show();
  ExpectShowsReports(fleet);
  EXPECT_TRUE(fleet.index.Await(absl::ZeroDuration()));
}

TEST(FleetIndexTest, AHostJudgedUnderAnEarlierDocumentIsShownByItsRules) {
  const std::string url = testing::FreshDatabase();
  LiveFleet later(url);
  {
    LiveFleet earlier(url);
    // The same id with other rules, as an upgrade would leave it behind.
    auto& baseline = const_cast<v1::Baseline&>(earlier.baselines[0]);
    baseline.mutable_rules()->SwapElements(0, 5);
    baseline.mutable_rules()->DeleteSubrange(7, 1);
    baseline.set_digest(support::Sha256Hex("another document"));
    ASSERT_TRUE(earlier.store->reports().PutBaselines(earlier.baselines).ok());
    earlier.Put("h-1", "web-1", Usual(2));
    later.reports = earlier.reports;
  }
  ASSERT_TRUE(later.index.Load().ok());
  later.index.Read([&](const Fleet& f) {
    Slot slot = 0;
    ASSERT_TRUE(f.hosts().Find("h-1", slot));
    std::map<std::string, int> judged;
    for (const v1::Verdict& verdict : later.reports["h-1"]["azure-docker"].verdicts()) {
      judged[verdict.rule_id()] = verdict.status();
    }
    const v1::Baseline& document = later.baselines[0];
    ASSERT_EQ(static_cast<int>(judged.size()), document.rules_size() - 1);
    for (int i = 0; i < document.rules_size(); ++i) {
      // A rule that was not judged is not known.
      EXPECT_EQ(f.Find("azure-docker")->status(slot, i), judged[document.rules(i).id()]);
    }
  });
}

TEST(FleetIndexTest, TwoControllersShowTheSame) {
  const std::string url = testing::FreshDatabase();
  Controller a(url), b(url);
  a.fleet.Put("h-1", "web-1", Usual(3), {{"env", "prod"}});
  a.AwaitTold("h-1");
  b.AwaitTold("h-1");
  a.Forget(), b.Forget();
  b.fleet.Put("h-2", "web-2", Usual(1));
  for (Controller* each : {&a, &b}) each->AwaitReports(2);
  EXPECT_EQ(a.Names(), (std::vector<std::string>{"web-1", "web-2"}));
  EXPECT_EQ(a.Names(), b.Names());
  EXPECT_EQ(a.Summary(), b.Summary());
  EXPECT_FALSE(a.Unwelcome("h-1"));
  a.Forget(), b.Forget();
  // What one removes the other no longer shows, and its session there must end.
  ASSERT_TRUE(b.fleet.store->hosts().Remove("h-1", "gone", store::At(50)).ok());
  a.AwaitTold("h-1");
  b.AwaitTold("h-1");
  EXPECT_EQ(a.Names(), std::vector<std::string>{"web-2"});
  EXPECT_EQ(a.Names(), b.Names());
  EXPECT_TRUE(a.Unwelcome("h-1"));
}

TEST(FleetIndexTest, WhatHappenedWhileTheListenerWasCutOffIsCaughtUpWith) {
  const std::string url = testing::FreshDatabase();
  Controller a(url), b(url);
  for (int round = 1; round <= 3; ++round) {
    pqxx::connection connection(url);
    pqxx::nontransaction sql(connection);
    // Gone for certain before the change: nobody hears its notification.
    const auto listeners = sql.exec(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ILIKE 'LISTEN%'");
    ASSERT_GE(listeners.size(), 2u);
    a.fleet.Put(absl::StrCat("h-", round), "web", Usual(round));
    if (round == 3) {
      ASSERT_TRUE(a.fleet.store->hosts().Remove("h-1", "gone", store::At(50)).ok());
    }
    a.AwaitConnections(round + 1);
    b.AwaitConnections(round + 1);
    // When they were back before the change, they heard of it.
    const size_t expected = round == 3 ? 2u : static_cast<size_t>(round);
    for (int i = 0; i < 300 && (a.Names().size() != expected || a.Summary() != b.Summary()); ++i) {
      absl::SleepFor(absl::Milliseconds(100));
    }
    EXPECT_EQ(a.Names().size(), expected);
    EXPECT_EQ(a.Summary(), b.Summary());
  }
}

TEST(FleetIndexTest, AForeignHostThatFallsSilentIsReadAgain) {
  LiveFleet fleet;
  fleet.Put("h-1", "web-1", Usual(1));
  fleet.clock.Advance(absl::Seconds(0));
  ASSERT_TRUE(fleet.index.Load().ok());
  const auto stale = [&fleet] {
    return fleet.index.Read([](const Fleet& f) { return f.stale().Count(); });
  };
  // Another controller hears of it, and says so to the database only.
  ASSERT_TRUE(fleet.store->hosts().Touch({{"h-1", {fleet.epochs["h-1"], store::At(800)}}}).ok());
  fleet.clock.Advance(absl::Seconds(899));
  for (int i = 0; i < 100; ++i) {
    fleet.index.Tick();
    fleet.index.Changed({"nobody"});
    ASSERT_TRUE(fleet.index.Await(absl::Seconds(30)));
  }
  EXPECT_EQ(stale(), 0);
  fleet.clock.Advance(absl::Seconds(800));
  EXPECT_EQ(stale(), 0);
  // Nobody has: two ticks later at most it is stale.
  fleet.index.Tick();
  fleet.index.Changed({"h-1"});
  ASSERT_TRUE(fleet.index.Await(absl::Seconds(30)));
  EXPECT_EQ(stale(), 1);
  fleet.index.Seen({{"h-1", fleet.clock.Now()}});
  EXPECT_EQ(stale(), 0);
}

TEST(FleetIndexTest, AsksPoliciesWithoutItsLock) {
  LiveFleet fleet;
  fleet.Put("h-1", "web-1", Usual(1));
  fleet.Put("h-2", "web-2", Usual(1));
  ASSERT_TRUE(fleet.index.Load().ok());
  v1::Tailoring tailoring;
  tailoring.set_name("low");
  tailoring.set_baseline("azure-docker");
  tailoring.mutable_selector()->set_all(true);
  tailoring.add_rules()->set_rule("5.04");
  tailoring.mutable_rules(0)->set_severity(v1::LOW);
  int kept = 0;
  const auto policy =
      policy::Policy::Make({.documents = {std::make_shared<const v1::Baseline>(fleet.baselines[0])},
                            .tailorings = {tailoring},
                            .keep =
                                [&](const v1::Baseline&) {
                                  ++kept;
                                  // Writes to the index: would wait for ever under its lock.
                                  fleet.index.Seen({{"h-1", store::At(50)}});
                                  return absl::UnavailableError("not now");
                                }},
                           store::At(100));
  EXPECT_EQ(fleet.index.CountOutdated(*policy), 2);
  EXPECT_EQ(fleet.index.ListOutdated(*policy, "", 1), std::vector<std::string>{"h-1"});
  EXPECT_EQ(fleet.index.ListOutdated(*policy, "h-1", 9), std::vector<std::string>{"h-2"});
  EXPECT_EQ(kept, 4) << "tried for each host";
}

}  // namespace
}  // namespace plimsoll::fleet
