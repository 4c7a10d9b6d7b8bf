#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "controller/store/postgres/sql_values.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;

// A database as the first version left it: host h1 reported twice, h2 never.
class MigrationTest : public StoreTestBase {
 protected:
  void SetUp() override {
    url_ = plimsoll::testing::FreshDatabase();
    std::ifstream file(PLIMSOLL_SOURCE_DIR "/controller/store/migrations/0001_initial.sql");
    std::stringstream first;
    first << file.rdbuf();
    pqxx::connection connection(url_);
    pqxx::work work(connection);
    work.exec("SET timezone = 'UTC'");
    work.exec(first.str());
    work.exec(
        "CREATE TABLE schema_version (version integer PRIMARY KEY, name text NOT NULL,"
        " applied timestamptz NOT NULL DEFAULT now());"
        "INSERT INTO schema_version VALUES (1, '0001_initial');"
        "CREATE TABLE transition_2023_11 PARTITION OF transition"
        " FOR VALUES FROM ('2023-11-01') TO ('2023-12-01');"
        "CREATE TABLE facts_snapshot_2023_11 PARTITION OF facts_snapshot"
        " FOR VALUES FROM ('2023-11-01') TO ('2023-12-01')");
    old_.set_collector_version("old");
    newest_.set_collector_version("newest");
    const v1::Baseline baseline = MakeBaseline();
    work.exec_params("INSERT INTO baseline VALUES ($1, 'base', '1.0.0', $2, now())",
                     baseline.digest(), Bytes(*Compress(baseline)));
    work.exec_params(
        "INSERT INTO host (id, hostname, labels, connected, enrolled, sequence, facts_digest,"
        " observed) VALUES ('h1', 'alpha', '{\"k\": \"v\"}', true, $1, 9, $2, $3),"
        " ('h2', 'beta', '{}', false, $1, 0, NULL, NULL)",
        Time(At(0)), Bytes(support::FactsDigest(newest_)), Time(At(90)));
    for (const auto& [sequence, facts] : {std::pair(8, &old_), std::pair(9, &newest_)}) {
      work.exec_params("INSERT INTO facts_blob VALUES ('h1', $1, $2)",
                       Bytes(support::FactsDigest(*facts)), Bytes(*Compress(*facts)));
      work.exec_params("INSERT INTO facts_snapshot VALUES ('h1', $1, $2, $3, $4)",
                       Time(At(sequence * 10)), Time(At(sequence * 10 + 1)), sequence,
                       Bytes(support::FactsDigest(*facts)));
    }
    work.exec_params("INSERT INTO host_report VALUES ('h1', 'base', $1, '', 3, 1, 0, 0, 0, $2, $2)",
                     baseline.digest(), Time(At(90)));
    // r1 PASS, then FAIL; the others PASS from the start.
    for (const char* rule : {"r1", "r2", "r3", "r4"}) AddTransition(work, rule, 8, "NULL", "1");
    AddTransition(work, "r1", 9, "1", "2");
    for (const char* rule : {"r1", "r2", "r3", "r4"}) {
      work.exec_params("INSERT INTO verdict VALUES ('h1', 'base', $1, 1, now())", rule);
    }
    work.commit();
    Open();
  }
  void AddTransition(pqxx::work& work, const std::string& rule, int sequence,
                     const std::string& from, const std::string& to) {
    work.exec_params("INSERT INTO transition VALUES ('h1', 'base', $1, $2, $3, $4, $5, " + from +
                         ", " + to + ", $6, '')",
                     rule, Time(At(sequence * 10 + 1)), sequence, Time(At(sequence * 10)),
                     MakeBaseline().digest(),
                     Bytes(support::FactsDigest(sequence == 8 ? old_ : newest_)));
  }
  void Open() {
    auto store = Store::Open({.url = url_, .pool_size = 4});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  std::vector<int64_t> Since() {
    std::vector<int64_t> seconds;
    const auto states = store_->fleet().Get({"h1"});
    for (const int64_t micros : states->front().verdicts[0].since) {
      seconds.push_back(absl::ToInt64Seconds(absl::FromUnixMicros(micros) - At(0)));
    }
    return seconds;
  }

  v1::HostFacts old_, newest_;
};

TEST_F(MigrationTest, KeepsHostsFactsAndHistory) {
  const auto host = store_->hosts().Get("h1");
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->labels().at("k"), "v");
  EXPECT_EQ(host->connection(), v1::Host::NEVER_SEEN);
  EXPECT_EQ(host->counts().at("base").fail(), 1);
  const auto facts = store_->reports().GetFacts("h1");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->facts.collector_version(), "newest");
  EXPECT_EQ(facts->sequence, 9u);
  EXPECT_EQ(store_->reports().GetFactsAt("h1", At(85))->facts.collector_version(), "old");
  EXPECT_TRUE(absl::IsNotFound(store_->reports().GetFacts("h2").status()));
  const auto state = store_->reports().GetStreamState("h1");
  EXPECT_EQ(state->sequence, 9u);
  EXPECT_EQ(state->full_recorded, At(91));
  EXPECT_THAT(History(),
              ElementsAre("r1 PASS>FAIL", "r1 ->PASS", "r2 ->PASS", "r3 ->PASS", "r4 ->PASS"));
  const auto states = store_->fleet().Get({"h1"});
  EXPECT_EQ(states->front().verdicts[0].baseline_digest, "");
  EXPECT_EQ(states->front().verdicts[0].statuses, "");
}

TEST_F(MigrationTest, HostsAreJudgedAgainWithoutFalseHistory) {
  // Until then a scan is not answered with what is not known.
  EXPECT_TRUE(absl::IsUnavailable(store_->reports().Confirm("h1", {"s"}, At(100))));
  Reevaluation again;
  again.host_id = "h1";
  again.sequence = 9;
  again.judgements = {MakeJudgement(MakeBaseline())};
  SetVerdict(again.judgements[0], "r1", v1::Verdict::FAIL);
  SetVerdict(again.judgements[0], "r4", v1::Verdict::MANUAL);
  const auto done = store_->reports().PutReevaluations({again}, At(200));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(*done, ElementsAre(true));
  EXPECT_THAT(History(), ElementsAre("r4 PASS>MANUAL", "r1 PASS>FAIL", "r1 ->PASS", "r2 ->PASS",
                                     "r3 ->PASS", "r4 ->PASS"));
  EXPECT_THAT(Since(), ElementsAre(90, 80, 80, 90));
  EXPECT_TRUE(store_->reports().Confirm("h1", {"s"}, At(100)).ok());
}

TEST_F(MigrationTest, AHostThatReportsFirstHasNoFalseHistoryEither) {
  TestEvaluation evaluation("h1", 10);
  evaluation.Verdict("r2", v1::Verdict::UNKNOWN);
  evaluation.Verdict("r1", v1::Verdict::FAIL);
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  EXPECT_THAT(History(), ElementsAre("r2 PASS>UNKNOWN", "r1 PASS>FAIL", "r1 ->PASS", "r2 ->PASS",
                                     "r3 ->PASS", "r4 ->PASS"));
  EXPECT_THAT(Since(), ElementsAre(90, 100, 80, 80));
}

TEST_F(MigrationTest, TheStreamGoesOn) {
  TestEvaluation delta("h1", 10);
  ASSERT_TRUE(store_->reports().Put(delta.Delta(newest_, "c")).ok());
  EXPECT_EQ(store_->reports().GetFacts("h1")->facts.containers().containers_size(), 1);
  // Opening again changes nothing.
  Open();
  EXPECT_EQ(store_->reports().GetFacts("h1")->sequence, 10u);
}

}  // namespace
}  // namespace plimsoll::store
