// Ingest alone: no stream, the same store.
#include "controller/gateway/ingest.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "controller/evaluate/evaluate.h"
#include "proto/support/digest.h"
#include "tests/controller/gateway/gateway_fixture.h"

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;
using Result = Ingest::Result;

class IngestTest : public GatewayTest {
 protected:
  void SetUp() override {
    stream_.host_id = Enrolled().host_id;
    stream_.protocol = 2;
  }
  absl::StatusOr<Result> Accept(v1::FactsDelta delta) {
    absl::Notification done;
    absl::StatusOr<Result> result = absl::UnknownError("not called");
    ingest_->Accept(stream_, delta, [&](absl::StatusOr<Result> r) {
      result = std::move(r);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }
  bool Acknowledged(v1::FactsDelta delta) {
    const auto result = Accept(std::move(delta));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() && *result == Result::kAcknowledge;
  }
  absl::StatusOr<Result> Confirm(const std::string& scan_id) {
    google::protobuf::RepeatedPtrField<std::string> ids;
    *ids.Add() = scan_id;
    return ingest_->Confirm(stream_, ids);
  }
  HostStream stream_;
};

TEST_F(IngestTest, ThePlanIsAllThatTheBaselinesName) {
  const v1::CollectionPlan plan = *ingest_->plan();
  std::set<std::string> paths;
  std::set<std::string> units;
  for (const v1::Baseline& baseline : baselines_) {
    const v1::CollectionPlan part = evaluate::PlanFor(baseline);
    paths.insert(part.paths().begin(), part.paths().end());
    units.insert(part.units().begin(), part.units().end());
  }
  EXPECT_THAT(plan.paths(), ::testing::ElementsAreArray(paths));
  EXPECT_THAT(plan.units(), ::testing::ElementsAreArray(units));
  EXPECT_EQ(plan.interval().seconds(), 300);
  EXPECT_EQ(plan.digest().size(), 64u);
  const Ingest other({*store_, *board_, clock_, *controller_->workers, stats_, {}, {}}, baselines_,
                     absl::Minutes(6), options_);
  EXPECT_NE(other.plan()->digest(), plan.digest());
}

TEST_F(IngestTest, AClockThatIsFarOffIsBroughtBack) {
  v1::FactsDelta ahead = Snapshot(1, Facts({"c1"}));
  ahead.mutable_observed_time()->set_seconds(absl::ToUnixSeconds(clock_.Now() + absl::Hours(900)));
  EXPECT_TRUE(Acknowledged(ahead));
  EXPECT_LE(store_->hosts().Get(stream_.host_id)->observed_time().seconds(),
            absl::ToUnixSeconds(clock_.Now() + absl::Minutes(10)));
  v1::FactsDelta never = Snapshot(2, Facts({"c1", "c2"}));
  never.mutable_observed_time()->set_seconds(INT64_MIN);
  EXPECT_TRUE(Acknowledged(never));
}

TEST_F(IngestTest, RefusesWhatCannotBe) {
  v1::FactsDelta unkeyed = Snapshot(1, Facts({"c1"}));
  unkeyed.add_removals()->set_section(v1::HostFacts::kMachineFieldNumber);
  EXPECT_TRUE(absl::IsInvalidArgument(Accept(unkeyed).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Accept(v1::FactsDelta()).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Accept(Snapshot(UINT64_MAX, Facts({}))).status()));
  v1::FactsDelta scan = Snapshot(1, Facts({}));
  scan.add_scan_ids(std::string("a\0b", 3));
  EXPECT_TRUE(absl::IsInvalidArgument(Accept(scan).status()));
  EXPECT_TRUE(store_->reports().GetStreamState(stream_.host_id)->facts_digest.empty());

  Revoke(stream_.host_id);
  const auto revoked = Accept(Snapshot(1, Facts({"c1"})));
  EXPECT_TRUE(absl::IsPermissionDenied(revoked.status())) << revoked.status();
  stream_.host_id = "nobody";
  EXPECT_TRUE(absl::IsNotFound(Accept(Snapshot(1, Facts({}))).status()));
}

TEST_F(IngestTest, ADeltaCostsNoReadingOfTheHost) {
  v1::HostFacts facts = Facts({"c1"});
  ASSERT_TRUE(Acknowledged(Snapshot(1, facts)));
  for (int i = 2; i <= 10; ++i) {
    ASSERT_TRUE(Acknowledged(Change(i, facts, {absl::StrCat("c", i)}, {})));
  }
  EXPECT_EQ(stats_.cache_hits, 9);
  EXPECT_EQ(stats_.cache_misses, 0);
  EXPECT_EQ(stream_.state.sequence, 10u);
  EXPECT_EQ(stream_.state.facts_digest, Digest(facts));
  EXPECT_EQ(stream_.state.chain, 9);
}

TEST_F(IngestTest, WhatTheSessionKnowsIsWhatTheStoreKnows) {
  v1::HostFacts facts = Facts({"c1"});
  ASSERT_TRUE(Acknowledged(Snapshot(1, facts)));
  bool full_again = false;
  for (int i = 2; i <= store::kMaximumChain + 5; ++i) {
    ASSERT_TRUE(Acknowledged(Change(i, facts, {absl::StrCat("c", i)}, {})));
    const auto stored = store_->reports().GetStreamState(stream_.host_id);
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(stored->sequence, stream_.state.sequence);
    EXPECT_EQ(stored->facts_digest, stream_.state.facts_digest);
    EXPECT_EQ(stored->chain, stream_.state.chain) << i;
    EXPECT_EQ(stored->full_recorded, stream_.state.full_recorded) << i;
    full_again |= stream_.state.chain == 0;
  }
  EXPECT_TRUE(full_again) << "chains are bounded";
  EXPECT_EQ(Digest(store_->reports().GetFacts(stream_.host_id)->facts), Digest(facts));
}

TEST_F(IngestTest, AnotherLeaseReadsTheFactsAnew) {
  v1::HostFacts facts = Facts({"c1"});
  ASSERT_TRUE(Acknowledged(Snapshot(1, facts)));
  ASSERT_TRUE(Acknowledged(Change(2, facts, {"c2"}, {})));
  ingest_->Forget(stream_);
  EXPECT_TRUE(Acknowledged(Change(3, facts, {"c3"}, {"c1"})));
  EXPECT_EQ(stats_.cache_misses, 1);
  EXPECT_THAT(StoredContainers(stream_.host_id), ElementsAre("c2", "c3"));
}

TEST_F(IngestTest, WhatFailsIsForgotten) {
  v1::HostFacts facts = Facts({"c1"});
  ASSERT_TRUE(Acknowledged(Snapshot(1, facts)));
  v1::HostFacts copy = facts;
  v1::FactsDelta lie = Change(2, copy, {"c2"}, {});
  lie.set_new_digest(std::string(32, 'x'));
  EXPECT_EQ(*Accept(lie), Result::kResync);
  EXPECT_TRUE(Acknowledged(Change(2, facts, {"c3"}, {})));
  EXPECT_THAT(StoredContainers(stream_.host_id), ElementsAre("c1", "c3"));
}

TEST_F(IngestTest, ASnapshotThatIsOutOfOrderIsPutInOrder) {
  v1::HostFacts facts = Facts({"c2", "c1"});
  ASSERT_TRUE(Acknowledged(Snapshot(1, facts)));
  EXPECT_THAT(StoredContainers(stream_.host_id), ElementsAre("c1", "c2"));
  EXPECT_TRUE(Acknowledged(Change(2, facts, {"c0"}, {})));
  EXPECT_THAT(StoredContainers(stream_.host_id), ElementsAre("c0", "c1", "c2"));
}

TEST_F(IngestTest, VersionOneDigestsTheWhole) {
  stream_.protocol = 1;
  v1::HostFacts facts = Facts({"c1"});
  v1::FactsDelta first = Snapshot(1, facts);
  EXPECT_TRUE(absl::IsInvalidArgument(Accept(first).status())) << "a tree";
  first = Snapshot(1, facts);
  first.set_new_digest(support::FactsDigest(facts));
  ASSERT_TRUE(Acknowledged(first));
  const std::string base = support::FactsDigest(facts);
  v1::FactsDelta second = Change(2, facts, {"c2"}, {});
  second.set_base_digest(base);
  second.set_new_digest(support::FactsDigest(facts));
  EXPECT_TRUE(Acknowledged(second));
  EXPECT_THAT(StoredContainers(stream_.host_id), ElementsAre("c1", "c2"));
}

TEST_F(IngestTest, ARepeatedDeltaStillAnswersItsScans) {
  ASSERT_TRUE(Acknowledged(Snapshot(1, Facts({"c1"}))));
  ASSERT_TRUE(board_->Create(Scan("s1", {stream_.host_id})).ok());
  v1::FactsDelta repeated = Snapshot(1, Facts({"c1"}));
  repeated.add_scan_ids("s1");
  ASSERT_TRUE(Acknowledged(repeated));
  EXPECT_EQ(ScanState("s1"), "DONE: EVALUATED ");
  EXPECT_EQ(stats_.repeated, 1);
  ASSERT_TRUE(board_->Create(Scan("s2", {stream_.host_id})).ok());
  EXPECT_EQ(*Confirm("s2"), Result::kAcknowledge);
  EXPECT_EQ(ScanState("s2"), "DONE: EVALUATED ");
}

TEST_F(IngestTest, AScanIsNotAnsweredWithAnothersFacts) {
  ASSERT_TRUE(Acknowledged(Snapshot(1, Facts({"c1"}))));
  ASSERT_TRUE(board_->Create(Scan("s1", {stream_.host_id})).ok());
  v1::FactsDelta repeated = Snapshot(1, Facts({"c1"}));
  repeated.add_scan_ids("s1");
  const std::string waiting = ScanState("s1");
  const std::string stored = std::exchange(stream_.state.facts_digest, std::string(32, 'x'));
  EXPECT_EQ(*Confirm("s1"), Result::kResync);
  EXPECT_EQ(*Accept(repeated), Result::kResync);
  stream_.state.facts_digest = stored;
  // Nobody has this lease.
  stream_.epoch = 5;
  EXPECT_TRUE(absl::IsAborted(Confirm("s1").status()));
  EXPECT_TRUE(absl::IsAborted(Accept(repeated).status()));
  EXPECT_EQ(ScanState("s1"), waiting);
}

TEST_F(IngestTest, AGapIsKept) {
  v1::HostFacts facts = Facts({"c1"});
  ASSERT_TRUE(Acknowledged(Snapshot(1, facts)));
  v1::FactsDelta delta = Change(2, facts, {"c2"}, {});
  delta.mutable_gap()->set_dropped_count(7);
  delta.mutable_gap()->mutable_begin_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) - 60);
  delta.mutable_gap()->mutable_end_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) - 1);
  EXPECT_TRUE(Acknowledged(delta));
}

TEST_F(IngestTest, AfterStopNothingIsCommitted) {
  ASSERT_TRUE(Acknowledged(Snapshot(1, Facts({"c1"}))));
  ingest_->Stop(absl::Seconds(10));
  EXPECT_TRUE(absl::IsUnavailable(Accept(Snapshot(2, Facts({"c2"}))).status()));
  EXPECT_EQ(store_->reports().GetStreamState(stream_.host_id)->sequence, 1u);
}

}  // namespace
}  // namespace plimsoll::gateway
