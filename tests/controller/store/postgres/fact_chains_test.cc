#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

absl::Time InMonth(int month, int second) {
  return absl::FromCivil(absl::CivilSecond(2026, month, 1), absl::UTCTimeZone()) +
         absl::Seconds(second);
}

class FactChainsTest : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  }
  ReportStore& reports() { return store_->reports(); }

  // Stores sequence 1 as a full snapshot and those up to `last` as deltas on it: container "c<n>"
  // comes with sequence n. Recorded a second apart in the month.
  void PutChain(int last, int month = 3, const std::string& host = "h1", uint64_t first = 1) {
    TestEvaluation full(host, first);
    full.value.recorded = InMonth(month, static_cast<int>(first));
    ASSERT_TRUE(reports().Put(full.Done()).ok());
    newest_ = full.facts;
    for (uint64_t sequence = first + 1; sequence <= static_cast<uint64_t>(last); ++sequence) {
      PutDelta(sequence, InMonth(month, static_cast<int>(sequence)), host);
    }
  }
  void PutDelta(uint64_t sequence, absl::Time recorded, const std::string& host = "h1") {
    TestEvaluation delta(host, sequence);
    delta.value.recorded = recorded;
    const absl::Status status = reports().Put(delta.Delta(newest_, absl::StrCat("c", sequence)));
    ASSERT_TRUE(status.ok()) << status;
    newest_ = delta.facts;
  }

  v1::HostFacts newest_;
};

TEST_F(FactChainsTest, NewestFactsAreTheSnapshotAndItsDeltas) {
  PutChain(5);
  const auto facts = reports().GetFacts("h1");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(support::FactsDigest(facts->facts), support::FactsDigest(newest_));
  EXPECT_EQ(facts->facts.containers().containers_size(), 4);
  EXPECT_EQ(facts->digest, support::FactsDigest(newest_));
  EXPECT_EQ(facts->sequence, 5u);
  EXPECT_EQ(facts->observed, At(50));
  EXPECT_EQ(facts->recorded, InMonth(3, 5));
  EXPECT_EQ(facts->facts.observed_time().seconds(), absl::ToUnixSeconds(At(50)));
  EXPECT_EQ(reports().GetStreamState("h1")->chain, 4);
  EXPECT_TRUE(absl::IsNotFound(reports().GetFacts("h9").status()));
}

TEST_F(FactChainsTest, ManyHostsAreReadAtOnce) {
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  ASSERT_TRUE(AddHost(*store_, "h3", "gamma").ok());
  PutChain(3);
  PutChain(2, 4, "h2");
  const auto facts = reports().GetFactsOf({"h3", "h2", "h9", "h1"});
  ASSERT_TRUE(facts.ok()) << facts.status();
  ASSERT_EQ(facts->size(), 2u);
  EXPECT_EQ(facts->at(0).host_id, "h1");
  EXPECT_EQ(facts->at(0).facts.containers().containers_size(), 2);
  EXPECT_EQ(facts->at(1).host_id, "h2");
  EXPECT_EQ(facts->at(1).facts.containers().containers_size(), 1);
}

TEST_F(FactChainsTest, AChainIsBoundedAndStaysInItsMonth) {
  TestEvaluation early("h1", 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(reports().Put(early.Delta({}, "c"))));
  PutChain(1 + kMaximumChain);
  EXPECT_EQ(reports().GetStreamState("h1")->chain, kMaximumChain);
  TestEvaluation beyond("h1", 100);
  beyond.value.recorded = InMonth(3, 100);
  EXPECT_TRUE(absl::IsFailedPrecondition(reports().Put(beyond.Delta(newest_, "c100"))));
  EXPECT_EQ(reports().GetStreamState("h1")->sequence, uint64_t{1} + kMaximumChain);
  PutChain(101, 3, "h1", 100);
  EXPECT_EQ(reports().GetStreamState("h1")->chain, 1);
  TestEvaluation next_month("h1", 102);
  next_month.value.recorded = InMonth(4, 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(reports().Put(next_month.Delta(newest_, "c102"))));
  EXPECT_EQ(reports().GetFacts("h1")->sequence, 101u);
}

TEST_F(FactChainsTest, FactsOfThePastAreReadByTimeAndBySequence) {
  PutChain(4);
  PutChain(13, 4, "h1", 10);
  const auto count = [this](absl::Time recorded, uint64_t sequence) {
    const auto facts = reports().GetFactsAt("h1", recorded, sequence);
    if (!facts.ok()) return std::string(absl::StatusCodeToString(facts.status().code()));
    return absl::StrCat(facts->sequence, ":", facts->facts.containers().containers_size());
  };
  EXPECT_EQ(count(InMonth(3, 0), 0), "NOT_FOUND");
  EXPECT_EQ(count(InMonth(3, 1), 0), "1:0");
  EXPECT_EQ(count(InMonth(3, 3), 0), "3:2");
  EXPECT_EQ(count(InMonth(3, 3) + absl::Milliseconds(999), 0), "3:2");
  EXPECT_EQ(count(InMonth(4, 5), 0), "4:3");
  EXPECT_EQ(count(InMonth(4, 11), 0), "11:1");
  EXPECT_EQ(count(absl::InfiniteFuture(), 0), "13:3");
  EXPECT_EQ(count(absl::InfinitePast(), 2), "2:1");
  EXPECT_EQ(count(InMonth(3, 0), 12), "12:2");
  EXPECT_EQ(count(InMonth(4, 0), 5), "NOT_FOUND");
}

// Two controllers write one host's stream, and the clock of the second is behind.
TEST_F(FactChainsTest, TheStreamOrdersWhatClocksDoNot) {
  PutChain(2);
  PutDelta(3, InMonth(3, 0));
  EXPECT_EQ(reports().GetFacts("h1")->sequence, 3u);
  EXPECT_EQ(reports().GetFacts("h1")->facts.containers().containers_size(), 2);
  EXPECT_EQ(reports().GetFactsAt("h1", InMonth(3, 9))->sequence, 3u);
}

TEST_F(FactChainsTest, DamagedBytesAreDataLoss) {
  PutChain(3);
  Sql("UPDATE facts_snapshot SET content = 'x' WHERE sequence = 2");
  EXPECT_TRUE(absl::IsDataLoss(reports().GetFacts("h1").status()));
  EXPECT_TRUE(absl::IsDataLoss(reports().GetFactsAt("h1", InMonth(3, 9)).status()));
  EXPECT_TRUE(reports().GetFactsAt("h1", InMonth(3, 1)).ok());
  Sql("DELETE FROM facts_snapshot WHERE sequence = 1");
  EXPECT_TRUE(absl::IsDataLoss(reports().GetFacts("h1").status()));
}

}  // namespace
}  // namespace plimsoll::store
