#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class FleetTest : public StoreTestBase {
 protected:
  FleetStore& fleet() { return store_->fleet(); }
  std::vector<std::string> Changed(Moment& since) {
    const auto ids = fleet().ChangedSince(since);
    EXPECT_TRUE(ids.ok()) << ids.status();
    return ids.ok() ? *ids : std::vector<std::string>();
  }
  Moment LoadNothing() {
    const auto moment = fleet().Load([](HostState) {});
    EXPECT_TRUE(moment.ok()) << moment.status();
    return *moment;
  }
};

TEST_F(FleetTest, LoadsEveryHostWithItsVerdicts) {
  ASSERT_TRUE(AddHost(*store_, "h2", "beta", {{"env", "prod"}}).ok());
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h3", "gone").ok());
  ASSERT_TRUE(store_->hosts().Remove("h3", "", At(1)).ok());
  TestEvaluation evaluation("h2", 3, {MakeBaseline("other"), MakeBaseline()});
  evaluation.value.judgements[0].failing.add_configurations()->set_count(4);
  evaluation.Verdict("r2", v1::Verdict::FAIL, {"x"}, 1);
  evaluation.value.container_count = 9;
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  std::vector<HostState> states;
  ASSERT_TRUE(fleet().Load([&](HostState state) { states.push_back(std::move(state)); }).ok());
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].host.id(), "h1");
  EXPECT_THAT(states[0].verdicts, IsEmpty());
  const HostState& state = states[1];
  EXPECT_EQ(state.host.hostname(), "beta");
  EXPECT_EQ(state.host.labels().at("env"), "prod");
  EXPECT_EQ(state.host.container_count(), 9);
  EXPECT_EQ(state.host.counts().at("base").fail(), 1);
  EXPECT_EQ(state.host.counts().at("other").pass(), 4);
  EXPECT_NE(state.ordinal, states[0].ordinal);
  EXPECT_FALSE(state.removed);
  ASSERT_EQ(state.verdicts.size(), 2u);
  EXPECT_EQ(state.verdicts[0].baseline_id, "base");
  EXPECT_EQ(state.verdicts[0].baseline_digest, MakeBaseline().digest());
  EXPECT_EQ(state.verdicts[0].statuses, "\1\2\1\1");
  EXPECT_THAT(state.verdicts[0].since, ::testing::Each(absl::ToUnixMicros(At(30))));
  EXPECT_EQ(state.verdicts[1].failing.configurations(0).count(), 4);
}

// More hosts than the cursor brings at once.
TEST_F(FleetTest, LoadStreams) {
  Sql("INSERT INTO host (id, hostname, enrolled) SELECT 'host ' || n, 'name', now()"
      " FROM generate_series(1, 5000) n");
  Sql("INSERT INTO host_report (host_id, baseline_id, baseline_digest, pass_count, fail_count,"
      " unknown_count, not_applicable_count, manual_count) SELECT id, b, 'd', 1, 0, 0, 0, 0"
      " FROM host, unnest(ARRAY['base', 'other']) b");
  std::set<std::string> ids;
  int verdicts = 0;
  ASSERT_TRUE(fleet()
                  .Load([&](HostState state) {
                    ids.insert(state.host.id());
                    verdicts += static_cast<int>(state.verdicts.size());
                  })
                  .ok());
  EXPECT_EQ(ids.size(), 5000u);
  EXPECT_EQ(verdicts, 10000);
}

TEST_F(FleetTest, ChangesSinceAMomentAreFound) {
  for (const char* id : {"h1", "h2", "h3", "h4"}) ASSERT_TRUE(AddHost(*store_, id, id).ok());
  const auto lease = AddHost(*store_, "h5", "h5");
  ASSERT_TRUE(lease.ok()) << lease.status();
  Moment since = LoadNothing();
  EXPECT_THAT(Changed(since), IsEmpty());
  // Seen is no change.
  ASSERT_TRUE(store_->hosts().Touch({{"h5", {lease->epoch, At(500)}}}).ok());
  EXPECT_THAT(Changed(since), IsEmpty());
  TestEvaluation evaluation("h1", 1);
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  ASSERT_TRUE(store_->hosts().Remove("h2", "", At(2)).ok());
  ASSERT_TRUE(store_->enrollment().RevokeHost("h3", "", At(2)).ok());
  ASSERT_TRUE(AddHost(*store_, "h6", "new").ok());
  EXPECT_THAT(Changed(since), UnorderedElementsAre("h1", "h2", "h3", "h6"));
  EXPECT_THAT(Changed(since), IsEmpty());
}

// What was written before the moment and committed after it.
TEST_F(FleetTest, ATransactionThatWasOpenAtTheMomentIsNotMissed) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  pqxx::connection connection(url_);
  pqxx::work open(connection);
  open.exec("UPDATE host SET changed = pg_current_xact_id() WHERE id = 'h1'");
  Moment since = LoadNothing();
  TestEvaluation evaluation("h2", 1);
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  EXPECT_THAT(Changed(since), ElementsAre("h2"));
  open.commit();
  EXPECT_THAT(Changed(since), ::testing::Contains("h1"));
  EXPECT_THAT(Changed(since), IsEmpty());
}

TEST_F(FleetTest, GetLeavesOutWhatDoesNotExist) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  const auto states = fleet().Get({"h9", "h1", "' OR true --"});
  ASSERT_TRUE(states.ok()) << states.status();
  ASSERT_EQ(states->size(), 1u);
  EXPECT_EQ(states->front().host.id(), "h1");
  EXPECT_THAT(*fleet().Get({}), IsEmpty());
}

TEST_F(FleetTest, DaysAreReplacedAndListedInOrder) {
  StoredDay day;
  day.baseline_digest = "d";
  for (const int date : {3, 1, 2, 1}) {
    day.day = absl::CivilDay(2026, 5, date);
    day.content.add_pass(day.content.pass_size() + date);
    ASSERT_TRUE(fleet().PutDay("base", day, At(1)).ok());
  }
  ASSERT_TRUE(fleet().PutDay("other", day, At(1)).ok());
  const auto days = fleet().ListDays("base", absl::CivilDay(2026, 5, 1), 9);
  ASSERT_TRUE(days.ok()) << days.status();
  ASSERT_EQ(days->size(), 3u);
  EXPECT_EQ(days->at(0).day, absl::CivilDay(2026, 5, 1));
  EXPECT_EQ(days->at(0).content.pass_size(), 4);
  EXPECT_EQ(days->at(2).day, absl::CivilDay(2026, 5, 3));
  EXPECT_EQ(days->at(2).content.pass_size(), 1);
  EXPECT_EQ(days->at(2).baseline_digest, "d");
  EXPECT_EQ(fleet().ListDays("base", absl::CivilDay(2026, 5, 3), 9)->size(), 1u);
  EXPECT_EQ(fleet().ListDays("base", absl::CivilDay(2026, 5, 2), 1)->size(), 1u);
  EXPECT_THAT(*fleet().ListDays("none", absl::CivilDay(2026, 5, 1), 9), IsEmpty());
}

}  // namespace
}  // namespace plimsoll::store
