#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/escaping.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReportsTest : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    const auto lease = AddHost(*store_, "h1", "alpha");
    ASSERT_TRUE(lease.ok()) << lease.status();
    epoch_ = lease->epoch;
  }
  ReportStore& reports() { return store_->reports(); }

  // Statuses of the host under "base" as digits, with since in seconds after At(0).
  std::string Statuses(const std::string& host = "h1") {
    const auto states = store_->fleet().Get({host});
    EXPECT_TRUE(states.ok()) << states.status();
    std::string text;
    for (const HostVerdicts& verdicts : states->front().verdicts) {
      if (verdicts.baseline_id != "base") continue;
      for (size_t i = 0; i < verdicts.statuses.size(); ++i) {
        absl::StrAppend(&text, text.empty() ? "" : " ", static_cast<int>(verdicts.statuses[i]), "@",
                        absl::ToInt64Seconds(absl::FromUnixMicros(verdicts.since.at(i)) - At(0)));
      }
    }
    return text;
  }

  int64_t epoch_ = 0;
};

TEST_F(ReportsTest, PutThenReadBack) {
  TestEvaluation first("h1", 1);
  first.value.engine_version = "29.0.1";
  first.value.operating_system = std::string("Debian\0 12", 10);
  first.value.container_count = 1;
  first.value.session_epoch = epoch_;
  v1::FailingContainers::Configuration& failing =
      *first.value.judgements[0].failing.add_configurations();
  failing.set_fingerprint(~uint64_t{0});
  failing.set_count(2);
  failing.add_rules(1);
  first.Verdict("r2", v1::Verdict::FAIL, {"web", "db"});
  ASSERT_TRUE(reports().Put(first.Done()).ok());

  const auto state = reports().GetStreamState("h1");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->sequence, 1u);
  EXPECT_EQ(state->facts_digest, first.value.facts_digest);
  EXPECT_EQ(state->chain, 0);
  EXPECT_EQ(state->full_recorded, At(11));
  const auto host = store_->hosts().Get("h1");
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->engine_version(), "29.0.1");
  EXPECT_EQ(host->operating_system(), "Debian\xEF\xBF\xBD 12");
  EXPECT_EQ(host->container_count(), 1);
  EXPECT_EQ(host->counts().at("base").fail(), 1);
  EXPECT_EQ(host->counts().at("base").pass(), 3);
  EXPECT_EQ(host->last_seen_time().seconds(), absl::ToUnixSeconds(At(11)));
  EXPECT_EQ(host->observed_time().seconds(), absl::ToUnixSeconds(At(10)));
  EXPECT_EQ(Statuses(), "1@10 2@10 1@10 1@10");
  const auto states = store_->fleet().Get({"h1"});
  ASSERT_TRUE(states.ok()) << states.status();
  EXPECT_EQ(states->front().verdicts[0].failing.SerializeAsString(),
            first.value.judgements[0].failing.SerializeAsString());
}

TEST_F(ReportsTest, SaysWhatIsNotThere) {
  TestEvaluation unknown("h9", 1);
  EXPECT_TRUE(absl::IsNotFound(reports().Put(unknown.Done())));
  EXPECT_TRUE(absl::IsNotFound(reports().Confirm("h9", {"s"}, At(5))));
  EXPECT_TRUE(absl::IsFailedPrecondition(reports().Confirm("h1", {"s"}, At(5))));
  EXPECT_TRUE(absl::IsNotFound(reports().GetStreamState("h9").status()));
  const auto state = reports().GetStreamState("h1");
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state->sequence, 0u);
  EXPECT_TRUE(state->facts_digest.empty());
  EXPECT_EQ(state->full_recorded, absl::InfinitePast());
}

TEST_F(ReportsTest, DocumentsAreKept) {
  const auto baseline = reports().GetBaseline(MakeBaseline().digest());
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->SerializeAsString(), MakeBaseline().SerializeAsString());
  EXPECT_TRUE(absl::IsNotFound(reports().GetBaseline("none").status()));
  // A program that starts anew reads what another put.
  auto second = Store::Open({.url = url_});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->reports().GetBaseline(MakeBaseline("other").digest())->id(), "other");
  Sql("UPDATE baseline SET document = 'x'");
  auto third = Store::Open({.url = url_});
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_TRUE(absl::IsDataLoss((*third)->reports().GetBaseline(MakeBaseline().digest()).status()));
}

TEST_F(ReportsTest, EachOfABatchHasAnOutcomeOfItsOwn) {
  for (const char* id : {"h2", "h3", "h4", "h5", "h6", "h7", "h8"}) {
    ASSERT_TRUE(AddHost(*store_, id, id).ok());
  }
  ASSERT_TRUE(store_->enrollment().RevokeHost("h2", "lost", At(2)).ok());
  ASSERT_TRUE(store_->hosts().Remove("h3", "gone", At(2)).ok());
  TestEvaluation good("h1", 1), revoked("h2", 1), removed("h3", 1), fenced("h4", 1),
      unknown("h9", 1), no_digest("h5", 1), far("h5", uint64_t{1} << 63), again("h1", 2),
      delta("h6", 1), no_rules("h7", 1), no_document("h8", 1, {MakeBaseline("never put")});
  good.Done();
  good.value.session_epoch = epoch_;
  revoked.Done();
  removed.Done();
  fenced.Done();
  fenced.value.session_epoch = 1;
  unknown.Done();
  no_digest.Done();
  no_digest.value.facts_digest = "short";
  far.Done();
  again.Done();
  delta.Delta(v1::HostFacts(), "c");
  no_rules.Done();
  no_rules.value.judgements[0].report.mutable_verdicts()->RemoveLast();
  no_document.Done();
  const auto done = reports().PutBatch({&good.value, &revoked.value, &removed.value, &fenced.value,
                                        &unknown.value, &no_digest.value, &far.value, &again.value,
                                        &delta.value, &no_rules.value, &no_document.value});
  ASSERT_TRUE(done.ok()) << done.status();
  std::vector<absl::StatusCode> codes;
  for (const absl::Status& status : *done) codes.push_back(status.code());
  EXPECT_THAT(codes,
              ElementsAre(absl::StatusCode::kOk, absl::StatusCode::kPermissionDenied,
                          absl::StatusCode::kPermissionDenied, absl::StatusCode::kAborted,
                          absl::StatusCode::kNotFound, absl::StatusCode::kInvalidArgument,
                          absl::StatusCode::kInvalidArgument, absl::StatusCode::kInvalidArgument,
                          absl::StatusCode::kFailedPrecondition, absl::StatusCode::kInvalidArgument,
                          absl::StatusCode::kNotFound));
  EXPECT_EQ(Count("facts_snapshot"), 1);
  EXPECT_EQ(Count("host_report"), 1);
  EXPECT_EQ(Count("transition"), 4);
  EXPECT_EQ(reports().GetStreamState("h7")->sequence, 0u);
}

TEST_F(ReportsTest, AnEarlierSessionIsFencedOff) {
  SessionStart start;
  start.host_id = "h1";
  start.time = At(2);
  const auto later = store_->hosts().BeginSession(start);
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_GT(later->epoch, epoch_);
  TestEvaluation evaluation("h1", 1);
  evaluation.Done();
  evaluation.value.session_epoch = epoch_;
  EXPECT_TRUE(absl::IsAborted(reports().Put(evaluation.value)));
  EXPECT_EQ(Count("facts_snapshot"), 0);
  evaluation.value.session_epoch = later->epoch;
  EXPECT_TRUE(reports().Put(evaluation.value).ok());
  // What it had sent again before it knew is no acknowledgement either.
  evaluation.value.session_epoch = epoch_;
  EXPECT_TRUE(absl::IsAborted(reports().Put(evaluation.value)));
}

TEST_F(ReportsTest, ARepeatedSequenceChangesNothing) {
  TestEvaluation first("h1", 5);
  ASSERT_TRUE(reports().Put(first.Done()).ok());
  for (const uint64_t sequence : {5, 4, 1}) {
    TestEvaluation again("h1", sequence);
    again.Verdict("r1", v1::Verdict::FAIL, {"x"});
    EXPECT_TRUE(reports().Put(again.Done()).ok());
  }
  EXPECT_EQ(reports().GetStreamState("h1")->facts_digest, first.value.facts_digest);
  EXPECT_EQ(Count("facts_snapshot"), 1);
  EXPECT_THAT(History("r1"), ElementsAre("r1 ->PASS"));
}

TEST_F(ReportsTest, TransitionsAreWrittenForChangedStatusOnly) {
  TestEvaluation first("h1", 1);
  first.Verdict("r2", v1::Verdict::FAIL, {"web"});
  TestEvaluation second("h1", 2);
  second.Verdict("r1", v1::Verdict::FAIL, {"a"});
  second.Verdict("r2", v1::Verdict::FAIL, {"db"});
  second.value.gap.emplace().set_dropped_count(3);
  *second.value.gap->mutable_begin_time() = google::protobuf::Timestamp();
  second.value.gap->mutable_begin_time()->set_seconds(absl::ToUnixSeconds(At(12)));
  TestEvaluation third("h1", 3);
  third.Verdict("r1", v1::Verdict::UNKNOWN);
  third.Verdict("r2", v1::Verdict::FAIL, {"db"});
  third.Verdict("r3", v1::Verdict::MANUAL);
  for (TestEvaluation* evaluation : {&first, &second, &third}) {
    ASSERT_TRUE(reports().Put(evaluation->Done()).ok());
  }
  EXPECT_THAT(History(), ElementsAre("r1 FAIL>UNKNOWN", "r3 PASS>MANUAL", "r1 PASS>FAIL",
                                     "r1 ->PASS", "r2 ->FAIL", "r3 ->PASS", "r4 ->PASS"));
  EXPECT_EQ(Statuses(), "0@30 2@10 4@30 1@10");
  TransitionQuery query;
  query.host_id = "h1";
  query.rule_id = "r1";
  query.limit = 2;
  const auto page = reports().ListTransitions(query);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->transitions.size(), 2u);
  const v1::Transition& newest = page->transitions[0];
  EXPECT_EQ(newest.observed_time().seconds(), absl::ToUnixSeconds(At(30)));
  EXPECT_EQ(newest.recorded_time().seconds(), absl::ToUnixSeconds(At(31)));
  EXPECT_EQ(newest.facts_digest(), absl::BytesToHexString(third.value.facts_digest));
  EXPECT_EQ(newest.baseline_digest(), MakeBaseline().digest());
  EXPECT_EQ(newest.cause(), v1::Transition::FACTS);
  EXPECT_FALSE(newest.has_gap_begin_time());
  EXPECT_EQ(newest.verdict().rule_id(), "r1");
  const v1::Transition& after_gap = page->transitions[1];
  EXPECT_EQ(after_gap.gap_begin_time().seconds(), absl::ToUnixSeconds(At(12)));
  EXPECT_EQ(after_gap.verdict().findings(0).object(), "a");
  EXPECT_EQ(Sql("SELECT gap_count FROM facts_snapshot WHERE sequence = 2")[0][0].as<int>(), 3);
}

TEST_F(ReportsTest, TransitionsPageByKey) {
  for (int sequence = 1; sequence <= 7; ++sequence) {
    TestEvaluation evaluation("h1", sequence, {MakeBaseline(), MakeBaseline("other")});
    evaluation.Verdict("r2", sequence % 2 == 0 ? v1::Verdict::FAIL : v1::Verdict::PASS);
    ASSERT_TRUE(reports().Put(evaluation.Done()).ok());
  }
  TransitionQuery query;
  query.host_id = "h1";
  const auto all = reports().ListTransitions(query);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->transitions.size(), 14u);
  EXPECT_TRUE(all->next.empty());
  query.limit = 3;
  std::vector<std::string> paged, whole;
  do {
    const auto page = reports().ListTransitions(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Transition& t : page->transitions) paged.push_back(t.SerializeAsString());
    query.after = page->next;
    // What is new comes before the page and is not met.
    TestEvaluation evaluation("h1", 100 + paged.size(), {MakeBaseline(), MakeBaseline("other")});
    evaluation.Verdict("r4", paged.size() % 2 == 0 ? v1::Verdict::FAIL : v1::Verdict::PASS);
    ASSERT_TRUE(reports().Put(evaluation.Done()).ok());
  } while (!query.after.empty());
  for (const v1::Transition& t : all->transitions) whole.push_back(t.SerializeAsString());
  EXPECT_EQ(paged, whole);
  for (const char* bad : {"x", "AAAA", "' OR true --"}) {
    query.after = bad;
    EXPECT_TRUE(absl::IsInvalidArgument(reports().ListTransitions(query).status())) << bad;
  }
}

TEST_F(ReportsTest, HistoryCrossesMonths) {
  TestEvaluation first("h1", 1), second("h1", 2);
  first.value.recorded =
      absl::FromCivil(absl::CivilSecond(2026, 12, 31, 23, 59, 59), absl::UTCTimeZone());
  second.value.recorded = first.value.recorded + absl::Seconds(1);
  second.Verdict("r1", v1::Verdict::FAIL);
  ASSERT_TRUE(reports().Put(first.Done()).ok());
  ASSERT_TRUE(reports().Put(second.Done()).ok());
  EXPECT_THAT(History("r1"), ElementsAre("r1 PASS>FAIL", "r1 ->PASS"));
  EXPECT_EQ(Count("transition_2026_12"), 4);
  EXPECT_EQ(Count("transition_2027_01"), 1);
}

TEST_F(ReportsTest, ABaselineThatIsGoneLeavesNoVerdict) {
  TestEvaluation first("h1", 1, {MakeBaseline(), MakeBaseline("other")});
  TestEvaluation second("h1", 2);
  ASSERT_TRUE(reports().Put(first.Done()).ok());
  EXPECT_EQ(Count("host_report"), 2);
  EXPECT_EQ(Count("transition"), 8);
  ASSERT_TRUE(reports().Put(second.Done()).ok());
  EXPECT_EQ(Count("host_report"), 1);
  EXPECT_EQ(Count("transition"), 8);
}

TEST_F(ReportsTest, ANewDocumentKeepsWhatItsRulesHave) {
  v1::Baseline next = MakeBaseline();
  // r1 goes, the others move up, r5 comes last.
  next.mutable_rules()->DeleteSubrange(0, 1);
  next.add_rules()->set_id("r5");
  next.set_digest("next");
  ASSERT_TRUE(reports().PutBaselines({next}).ok());
  TestEvaluation first("h1", 1);
  first.Verdict("r2", v1::Verdict::FAIL);
  ASSERT_TRUE(reports().Put(first.Done()).ok());
  TestEvaluation second("h1", 2, {next});
  second.Verdict("r2", v1::Verdict::FAIL);
  second.Verdict("r4", v1::Verdict::MANUAL);
  ASSERT_TRUE(reports().Put(second.Done()).ok());
  EXPECT_EQ(Statuses(), "2@10 1@10 4@20 1@20");
  EXPECT_THAT(History(), ElementsAre("r4 PASS>MANUAL", "r5 ->PASS", "r1 ->PASS", "r2 ->FAIL",
                                     "r3 ->PASS", "r4 ->PASS"));
}

TEST_F(ReportsTest, UnchangedStatusesAreNotRewritten) {
  TestEvaluation first("h1", 1), second("h1", 2), third("h1", 3);
  ASSERT_TRUE(reports().Put(first.Done()).ok());
  const auto version = [this] {
    return Sql("SELECT xmin::text FROM host_report WHERE host_id = 'h1'")[0][0].as<std::string>();
  };
  const std::string before = version();
  ASSERT_TRUE(reports().Put(second.Done()).ok());
  EXPECT_EQ(version(), before);
  EXPECT_EQ(store_->hosts().Get("h1")->observed_time().seconds(), absl::ToUnixSeconds(At(20)));
  third.value.judgements[0].failing.add_configurations()->set_count(1);
  ASSERT_TRUE(reports().Put(third.Done()).ok());
  EXPECT_NE(version(), before);
  EXPECT_EQ(Statuses(), "1@10 1@10 1@10 1@10");
}

TEST_F(ReportsTest, AFailureInTheMiddleStoresNothing) {
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  TestEvaluation first("h1", 1), second("h2", 1);
  second.Verdict("r1", v1::Verdict::FAIL, {"a"});
  first.Done();
  second.Done();
  Sql("ALTER TABLE transition ADD CHECK (to_status <> 2)");
  EXPECT_TRUE(absl::IsInternal(reports().PutBatch({&first.value, &second.value}).status()));
  for (const char* table : {"facts_snapshot", "host_report", "transition"}) {
    EXPECT_EQ(Count(table), 0) << table;
  }
  EXPECT_EQ(reports().GetStreamState("h1")->sequence, 0u);
  // One by one, the good one is stored.
  EXPECT_TRUE(reports().Put(first.value).ok());
  EXPECT_TRUE(absl::IsInternal(reports().Put(second.value)));
}

TEST_F(ReportsTest, ConcurrentBatchesOfTheSameHostsAreOrdered) {
  for (const char* id : {"h2", "h3", "h4"}) ASSERT_TRUE(AddHost(*store_, id, id).ok());
  std::vector<std::thread> threads;
  std::vector<absl::Status> statuses(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      std::vector<std::string> hosts = {"h1", "h2", "h3", "h4"};
      if (i % 2 == 0) std::reverse(hosts.begin(), hosts.end());
      std::vector<std::unique_ptr<TestEvaluation>> batch;
      std::vector<const Evaluation*> pointers;
      for (const std::string& host : hosts) {
        TestEvaluation& evaluation = *batch.emplace_back(new TestEvaluation(host, i + 1));
        evaluation.Verdict("r1", i % 2 == 0 ? v1::Verdict::PASS : v1::Verdict::FAIL, {"x"});
        pointers.push_back(&evaluation.Done());
      }
      statuses[i] = reports().PutBatch(pointers).status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
  for (const char* host : {"h1", "h2", "h3", "h4"}) {
    EXPECT_EQ(reports().GetStreamState(host)->sequence, 8u);
    EXPECT_EQ(reports().GetFacts(host)->facts.collector_version(), "facts 8");
  }
}

}  // namespace
}  // namespace plimsoll::store
