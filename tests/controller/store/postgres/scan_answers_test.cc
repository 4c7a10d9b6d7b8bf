#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ScanAnswersTest : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    for (const char* id : {"h1", "h2"}) ASSERT_TRUE(AddHost(*store_, id, id).ok());
    for (const char* id : {"s1", "s2"}) {
      NewScan scan;
      scan.id = id;
      scan.create_time = At(0);
      scan.deadline = At(1000);
      scan.host_ids = {"h1", "h2"};
      ASSERT_TRUE(store_->scans().Create(scan).ok());
    }
  }
  // Answers as "host scan baseline pass/fail/unknown/manual critical/high/medium/low".
  std::vector<std::string> Answers() {
    std::vector<std::string> lines;
    for (const pqxx::row& row :
         Sql("SELECT format('%s %s %s %s/%s/%s/%s %s/%s/%s/%s', host_id, scan_id, baseline_id,"
             " pass_count, fail_count, unknown_count, manual_count, fail_critical, fail_high,"
             " fail_medium, fail_low) FROM scan_answer ORDER BY 1")) {
      lines.push_back(row[0].as<std::string>());
    }
    return lines;
  }
  std::vector<std::string> Open() {
    std::vector<std::string> lines;
    for (const pqxx::row& row :
         Sql("SELECT host_id || ' ' || scan_id FROM scan_host WHERE state IN (1, 2) ORDER BY 1")) {
      lines.push_back(row[0].as<std::string>());
    }
    return lines;
  }
};

TEST_F(ScanAnswersTest, FactsAnswerExactlyAsJudged) {
  TestEvaluation first("h1", 4, {MakeBaseline(), MakeBaseline("other")});
  first.Verdict("r1", v1::Verdict::FAIL);
  first.Verdict("r3", v1::Verdict::FAIL);
  first.Verdict("r4", v1::Verdict::UNKNOWN);
  first.Verdict("r2", v1::Verdict::FAIL, {}, 1);
  first.value.scan_ids = {"s1", "s1", "no such scan"};
  ASSERT_TRUE(store_->reports().Put(first.Done()).ok());
  EXPECT_THAT(Answers(), ElementsAre("h1 s1 base 1/2/1/0 1/0/0/1", "h1 s1 other 3/1/0/0 0/1/0/0"));
  const auto row =
      Sql("SELECT sequence, encode(facts_digest, 'hex'), observed = '2023-11-14 22:14:00Z', state"
          " FROM scan_host WHERE host_id = 'h1' AND scan_id = 's1'")[0];
  EXPECT_EQ(row[0].as<int>(), 4);
  EXPECT_EQ(row[1].as<std::string>(), absl::BytesToHexString(first.value.facts_digest));
  EXPECT_TRUE(row[2].as<bool>());
  EXPECT_EQ(row[3].as<int>(), v1::ScanHost::EVALUATED);
  EXPECT_THAT(Open(), ElementsAre("h1 s2", "h2 s1", "h2 s2"));
  // Later facts leave the answer as it was; facts that are sent again answer what is open.
  TestEvaluation second("h1", 5);
  second.value.scan_ids = {"s1"};
  ASSERT_TRUE(store_->reports().Put(second.Done()).ok());
  EXPECT_EQ(Answers().size(), 2u);
  TestEvaluation repeated("h1", 4);
  repeated.value.scan_ids = {"s2"};
  ASSERT_TRUE(store_->reports().Put(repeated.Done()).ok());
  EXPECT_THAT(Answers(), ::testing::Contains("h1 s2 base 4/0/0/0 0/0/0/0"));
  EXPECT_EQ(
      Sql("SELECT sequence FROM scan_host WHERE host_id = 'h1' AND scan_id = 's2'")[0][0].as<int>(),
      5);
}

TEST_F(ScanAnswersTest, StoredFactsAnswerWithWhatHolds) {
  TestEvaluation first("h1", 4);
  first.Verdict("r2", v1::Verdict::FAIL);
  ASSERT_TRUE(store_->reports().Put(first.Done()).ok());
  EXPECT_THAT(Answers(), IsEmpty());
  ASSERT_TRUE(store_->reports().Confirm("h1", {"s1", "s2"}, At(90)).ok());
  EXPECT_THAT(Answers(), ElementsAre("h1 s1 base 3/1/0/0 0/1/0/0", "h1 s2 base 3/1/0/0 0/1/0/0"));
  EXPECT_EQ(store_->hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(90)));
  // One that is not believed any more answers nothing.
  ASSERT_TRUE(store_->enrollment().RevokeHost("h1", "", At(94)).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(store_->reports().Confirm("h1", {"s1"}, At(95))));
  EXPECT_EQ(store_->hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(90)));
}

TEST_F(ScanAnswersTest, OnlyTheSessionWithTheLeaseConfirmsAndOnlyWhatIsStored) {
  TestEvaluation first("h1", 4);
  ASSERT_TRUE(store_->reports().Put(first.Done()).ok());
  const auto epoch = Sql("SELECT session_epoch FROM host WHERE id = 'h1'")[0][0].as<int64_t>();
  const std::string stored = first.value.facts_digest;
  const std::string other(32, 'x');
  struct Case {
    const char* name;
    int64_t epoch;
    std::string digest;
    absl::StatusCode code;
  };
  const std::vector<Case> cases = {
      {"an earlier session", epoch - 1, stored, absl::StatusCode::kAborted},
      {"an earlier session with its facts", epoch - 1, other, absl::StatusCode::kAborted},
      {"other facts", epoch, other, absl::StatusCode::kFailedPrecondition},
      {"other facts, any session", 0, other, absl::StatusCode::kFailedPrecondition}};
  for (const Case& c : cases) {
    EXPECT_EQ(store_->reports().Confirm("h1", {"s1"}, At(90), c.epoch, c.digest).code(), c.code)
        << c.name;
  }
  EXPECT_THAT(Answers(), IsEmpty());
  EXPECT_LT(store_->hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(90)));
  ASSERT_TRUE(store_->reports().Confirm("h1", {"s1"}, At(90), epoch, stored).ok());
  EXPECT_THAT(Answers(), ElementsAre("h1 s1 base 4/0/0/0 0/0/0/0"));
}

TEST_F(ScanAnswersTest, AliasesAndInventoryAreNotScored) {
  v1::Baseline baseline = MakeBaseline("other");
  baseline.mutable_rules(0)->set_alias_of("r2");
  baseline.mutable_rules(1)->set_scored(false);
  baseline.set_digest("scored");
  ASSERT_TRUE(store_->reports().PutBaselines({baseline}).ok());
  TestEvaluation first("h1", 1, {baseline});
  for (const char* rule : {"r1", "r2", "r3"}) first.Verdict(rule, v1::Verdict::FAIL);
  first.value.judgements[0].report.mutable_counts()->set_fail(1);
  first.value.scan_ids = {"s1"};
  ASSERT_TRUE(store_->reports().Put(first.Done()).ok());
  EXPECT_THAT(Answers(), ElementsAre("h1 s1 other 1/1/0/0 1/0/0/0"));
}

TEST_F(ScanAnswersTest, WhatIsClosedStaysClosed) {
  ASSERT_TRUE(store_->scans().MarkFailed("s1", "h1", "engine gone").ok());
  TestEvaluation first("h1", 1);
  first.value.scan_ids = {"s1"};
  ASSERT_TRUE(store_->reports().Put(first.Done()).ok());
  EXPECT_THAT(Answers(), IsEmpty());
}

}  // namespace
}  // namespace plimsoll::store
