#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/escaping.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;

class ReevaluationsTest : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    for (const char* id : {"h1", "h2", "h3"}) ASSERT_TRUE(AddHost(*store_, id, id).ok());
    next_.set_version("2.0.0");
    next_.set_digest("next");
    ASSERT_TRUE(reports().PutBaselines({next_}).ok());
  }
  ReportStore& reports() { return store_->reports(); }
  void Put(const std::string& host, uint64_t sequence) {
    TestEvaluation evaluation(host, sequence);
    ASSERT_TRUE(reports().Put(evaluation.Done()).ok());
  }
  Reevaluation Again(const std::string& host, uint64_t sequence, v1::Verdict::Status r1) {
    Reevaluation again;
    again.host_id = host;
    again.sequence = sequence;
    again.judgements = {MakeJudgement(next_)};
    SetVerdict(again.judgements[0], "r1", r1);
    return again;
  }

  v1::Baseline next_ = MakeBaseline();
};

TEST_F(ReevaluationsTest, TheBaselineIsTheCause) {
  Put("h1", 1);
  const auto done = reports().PutReevaluations({Again("h1", 1, v1::Verdict::FAIL)}, At(500));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(*done, ElementsAre(true));
  TransitionQuery query;
  query.host_id = "h1";
  query.limit = 1;
  const auto page = reports().ListTransitions(query);
  const v1::Transition& transition = page->transitions[0];
  EXPECT_EQ(transition.cause(), v1::Transition::BASELINE);
  EXPECT_EQ(transition.from(), v1::Verdict::PASS);
  EXPECT_EQ(transition.baseline_digest(), "next");
  // The facts were seen long ago.
  EXPECT_EQ(transition.observed_time().seconds(), absl::ToUnixSeconds(At(10)));
  EXPECT_EQ(transition.recorded_time().seconds(), absl::ToUnixSeconds(At(500)));
  EXPECT_EQ(transition.facts_digest(),
            absl::BytesToHexString(reports().GetStreamState("h1")->facts_digest));
  EXPECT_EQ(Count("facts_snapshot"), 1);
}

TEST_F(ReevaluationsTest, TheSameFactsUnderAnotherDocumentAreNoChangeOfFacts) {
  Put("h1", 1);
  TestEvaluation again("h1", 2, {next_});
  again.facts.set_collector_version("facts 1");
  again.Verdict("r1", v1::Verdict::FAIL);
  ASSERT_TRUE(reports().Put(again.Done()).ok());
  TransitionQuery query;
  query.host_id = "h1";
  query.limit = 1;
  EXPECT_EQ(reports().ListTransitions(query)->transitions[0].cause(), v1::Transition::BASELINE);
}

TEST_F(ReevaluationsTest, AHostThatMovedOnIsPassedOver) {
  Put("h1", 1);
  Put("h2", 2);
  Put("h3", 1);
  ASSERT_TRUE(store_->hosts().Remove("h3", "", At(5)).ok());
  const auto done = reports().PutReevaluations(
      {Again("h2", 1, v1::Verdict::FAIL), Again("h9", 1, v1::Verdict::FAIL),
       Again("h1", 1, v1::Verdict::FAIL), Again("h3", 1, v1::Verdict::FAIL)},
      At(500));
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(*done, ElementsAre(false, false, true, false));
  EXPECT_THAT(History("r1", "h2"), ElementsAre("r1 ->PASS"));
  EXPECT_THAT(History("r1", "h1"), ElementsAre("r1 PASS>FAIL", "r1 ->PASS"));
}

TEST_F(ReevaluationsTest, OneBadJudgementStoresNothing) {
  Put("h1", 1);
  Put("h2", 1);
  std::vector<Reevaluation> batch = {Again("h1", 1, v1::Verdict::FAIL),
                                     Again("h2", 1, v1::Verdict::FAIL)};
  batch[1].judgements[0].report.mutable_verdicts()->RemoveLast();
  EXPECT_TRUE(absl::IsInvalidArgument(reports().PutReevaluations(batch, At(500)).status()));
  EXPECT_THAT(History("r1", "h1"), ElementsAre("r1 ->PASS"));
}

// Whoever comes first, the newest facts' verdict stands in the end, and history alternates.
TEST_F(ReevaluationsTest, ReevaluationRacesIngestion) {
  Put("h1", 1);
  std::thread ingestion([this] {
    for (uint64_t sequence = 2; sequence <= 60; ++sequence) {
      TestEvaluation evaluation("h1", sequence, {next_});
      evaluation.Verdict("r1", v1::Verdict::PASS);
      EXPECT_TRUE(reports().Put(evaluation.Done()).ok());
    }
  });
  int stored = 0;
  for (int i = 0; i < 60; ++i) {
    const uint64_t sequence = reports().GetStreamState("h1")->sequence;
    const auto done =
        reports().PutReevaluations({Again("h1", sequence, v1::Verdict::FAIL)}, At(1000 + i));
    ASSERT_TRUE(done.ok()) << done.status();
    stored += done->front() ? 1 : 0;
  }
  ingestion.join();
  EXPECT_GT(stored, 0);
  Put("h1", 61);
  EXPECT_EQ(reports().GetStreamState("h1")->sequence, 61u);
  const auto states = store_->fleet().Get({"h1"});
  EXPECT_EQ(states->front().verdicts[0].statuses, "\1\1\1\1");
  // Every change follows from the one before it.
  const auto rows =
      Sql("SELECT coalesce(from_status, -1), to_status FROM transition WHERE rule_id = 'r1'"
          " ORDER BY sequence, cause");
  int status = -1;
  for (const pqxx::row& row : rows) {
    EXPECT_EQ(row[0].as<int>(), status);
    status = row[1].as<int>();
  }
  EXPECT_EQ(status, v1::Verdict::PASS);
}

}  // namespace
}  // namespace plimsoll::store
