#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

absl::Time InMonth(int month, int day = 1) {
  return absl::FromCivil(absl::CivilDay(2026, month, day), absl::UTCTimeZone());
}

class RetentionTest : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    for (const char* id : {"h1", "h2", "h3"}) ASSERT_TRUE(AddHost(*store_, id, id).ok());
    // h1 has not changed since March, h2 did in May, h3 is gone.
    Put("h1", 1, InMonth(3, 30));
    PutDelta("h1", 2, InMonth(3, 31) + absl::Hours(23));
    Put("h2", 1, InMonth(3, 2));
    Put("h2", 2, InMonth(5, 2));
    Put("h3", 1, InMonth(3, 3));
    ASSERT_TRUE(store_->hosts().Remove("h3", "", InMonth(4, 1)).ok());
  }
  void Put(const std::string& host, uint64_t sequence, absl::Time recorded) {
    TestEvaluation evaluation(host, sequence);
    evaluation.value.recorded = recorded;
    evaluation.Verdict("r1", sequence % 2 == 0 ? v1::Verdict::FAIL : v1::Verdict::PASS);
    ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
    newest_[host] = evaluation.facts;
  }
  void PutDelta(const std::string& host, uint64_t sequence, absl::Time recorded) {
    TestEvaluation evaluation(host, sequence);
    evaluation.value.recorded = recorded;
    ASSERT_TRUE(
        store_->reports().Put(evaluation.Delta(newest_[host], absl::StrCat("c", sequence))).ok());
    newest_[host] = evaluation.facts;
  }
  Retained Retain(absl::Time keep_from) {
    const auto retained = store_->controllers().Retain(keep_from, InMonth(6));
    EXPECT_TRUE(retained.ok()) << retained.status();
    return retained.ok() ? *retained : Retained();
  }

  std::map<std::string, v1::HostFacts> newest_;
};

TEST_F(RetentionTest, DropsMonthsAndCarriesOnWhatHolds) {
  EXPECT_THAT(Retain(InMonth(3, 20)).dropped, IsEmpty());
  const Retained retained = Retain(InMonth(4, 20));
  EXPECT_THAT(retained.dropped, ElementsAre("facts_snapshot_2026_03", "transition_2026_03"));
  EXPECT_EQ(retained.carried, 1);
  const auto facts = store_->reports().GetFacts("h1");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(support::FactsDigest(facts->facts), support::FactsDigest(newest_["h1"]));
  EXPECT_EQ(facts->sequence, 2u);
  EXPECT_EQ(facts->observed, At(20));
  EXPECT_EQ(facts->recorded, InMonth(4));
  // They hold from the beginning of what is kept, and are named by their sequence.
  EXPECT_EQ(store_->reports().GetFactsAt("h1", InMonth(4))->sequence, 2u);
  EXPECT_EQ(store_->reports().GetFactsAt("h1", InMonth(3), 2)->sequence, 2u);
  EXPECT_TRUE(absl::IsNotFound(store_->reports().GetFactsAt("h1", InMonth(3, 31)).status()));
  EXPECT_EQ(store_->reports().GetStreamState("h1")->chain, 0);
  EXPECT_EQ(store_->reports().GetStreamState("h1")->full_recorded, InMonth(4));
  EXPECT_EQ(store_->reports().GetFacts("h2")->sequence, 2u);
  EXPECT_TRUE(absl::IsNotFound(store_->reports().GetFactsAt("h2", InMonth(4)).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->reports().GetFacts("h3").status()));
  // Verdicts that hold are there, their beginnings are not.
  EXPECT_EQ(store_->hosts().Get("h1")->counts().at("base").pass(), 4);
  EXPECT_THAT(History("", "h1"), IsEmpty());
  EXPECT_THAT(History("", "h2"), ElementsAre("r1 PASS>FAIL"));
  // And the stream goes on.
  PutDelta("h1", 3, InMonth(4, 3));
  EXPECT_EQ(store_->reports().GetFacts("h1")->facts.containers().containers_size(), 2);
  // A program whose clock is behind, and which thinks the month is there, makes it again.
  TestEvaluation late("h1", 4);
  late.value.recorded = InMonth(3, 5);
  EXPECT_TRUE(absl::IsInternal(store_->reports().Put(late.Done())));
  EXPECT_TRUE(store_->reports().Put(late.value).ok());
  EXPECT_EQ(store_->reports().GetFacts("h1")->sequence, 4u);
}

TEST_F(RetentionTest, FactsAreReadableBetweenCarryingAndDropping) {
  // Somebody reads old history for long: nothing can be dropped.
  pqxx::connection connection(url_);
  pqxx::work reader(connection);
  reader.exec("SELECT count(*) FROM facts_snapshot");
  EXPECT_TRUE(
      absl::IsUnavailable(store_->controllers().Retain(InMonth(4, 1), InMonth(6)).status()));
  EXPECT_EQ(store_->reports().GetFacts("h1")->sequence, 2u);
  EXPECT_EQ(store_->reports().GetFactsAt("h1", InMonth(3, 30))->sequence, 1u);
  EXPECT_EQ(store_->reports().GetFactsAt("h1", InMonth(4))->sequence, 2u);
  reader.commit();
  EXPECT_THAT(Retain(InMonth(4, 1)).dropped,
              ElementsAre("facts_snapshot_2026_03", "transition_2026_03"));
  EXPECT_EQ(store_->reports().GetFacts("h1")->sequence, 2u);
}

TEST_F(RetentionTest, OneControllerAtATime) {
  pqxx::connection connection(url_);
  pqxx::work other(connection);
  other.exec("SELECT pg_advisory_xact_lock(7245107783)");
  EXPECT_THAT(Retain(InMonth(4)).dropped, IsEmpty());
  other.commit();
  EXPECT_EQ(Retain(InMonth(4)).dropped.size(), 2u);
}

TEST_F(RetentionTest, ThisMonthIsAlwaysKept) {
  Put("h2", 3, InMonth(6, 1));
  const Retained retained = Retain(InMonth(12));
  EXPECT_THAT(retained.dropped, ElementsAre("facts_snapshot_2026_03", "transition_2026_03",
                                            "facts_snapshot_2026_05", "transition_2026_05"));
  EXPECT_EQ(store_->reports().GetFactsAt("h2", InMonth(6, 2))->sequence, 3u);
}

TEST_F(RetentionTest, OneDamagedHostHoldsUpNobody) {
  ASSERT_TRUE(AddHost(*store_, "h4", "h4").ok());
  Put("h4", 1, InMonth(3, 5));
  Sql("UPDATE facts_snapshot SET content = 'x' WHERE host_id = 'h1' AND sequence = 1");
  const Retained retained = Retain(InMonth(4, 20));
  EXPECT_THAT(retained.dropped, ElementsAre("facts_snapshot_2026_03", "transition_2026_03"));
  EXPECT_EQ(retained.carried, 1);
  EXPECT_EQ(store_->reports().GetFacts("h4")->sequence, 1u);
  EXPECT_TRUE(absl::IsNotFound(store_->reports().GetFacts("h1").status()));
  EXPECT_TRUE(store_->reports().GetStreamState("h1")->facts_digest.empty());
  // It is whole again with the next complete facts.
  Put("h1", 3, InMonth(4, 21));
  EXPECT_EQ(store_->reports().GetFacts("h1")->sequence, 3u);
}

TEST_F(RetentionTest, OldDaysGo) {
  for (const int month : {3, 5}) {
    StoredDay day;
    day.day = absl::CivilDay(2026, month, 1);
    ASSERT_TRUE(store_->fleet().PutDay("base", day, InMonth(month, 2)).ok());
  }
  Retain(InMonth(4));
  EXPECT_EQ(Count("fleet_day"), 1);
}

}  // namespace
}  // namespace plimsoll::store
