// Ingest alone: no stream, the same store.
#include "controller/gateway/ingest.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "controller/evaluate/evaluate.h"
#include "proto/support/digest.h"
#include "tests/controller/gateway/gateway_fixture.h"

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;

class IngestTest : public GatewayTest {
 protected:
  void SetUp() override { host_ = Enrolled().host_id; }
  std::string host_;
};

TEST_F(IngestTest, ThePlanIsAllThatTheBaselinesName) {
  const v1::CollectionPlan& plan = ingest_->plan();
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
  const Ingest other(*store_, *board_, clock_, baselines_, absl::Minutes(6));
  EXPECT_NE(other.plan().digest(), plan.digest());
}

TEST_F(IngestTest, AClockFarAheadIsBroughtBack) {
  v1::FactsDelta delta = Snapshot(1, Facts({"c1"}));
  delta.mutable_observed_time()->set_seconds(absl::ToUnixSeconds(clock_.Now() + absl::Hours(900)));
  auto result = ingest_->Accept(host_, delta);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, Ingest::Result::kAcknowledge);
  const auto host = store_->hosts().Get(host_);
  EXPECT_LE(host->observed_time().seconds(), absl::ToUnixSeconds(clock_.Now() + absl::Minutes(10)));
}

TEST_F(IngestTest, RefusesWhatCannotBe) {
  v1::FactsDelta unkeyed = Snapshot(1, Facts({"c1"}));
  unkeyed.add_removals()->set_section(v1::HostFacts::kMachineFieldNumber);
  EXPECT_TRUE(absl::IsInvalidArgument(ingest_->Accept(host_, unkeyed).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ingest_->Accept(host_, v1::FactsDelta()).status()));
  EXPECT_TRUE(absl::IsNotFound(ingest_->Accept("nobody", Snapshot(1, Facts({}))).status()));
  EXPECT_TRUE(store_->reports().GetStreamState(host_)->facts_digest.empty());

  Revoke(host_);
  const auto revoked = ingest_->Accept(host_, Snapshot(1, Facts({"c1"})));
  EXPECT_TRUE(absl::IsPermissionDenied(revoked.status())) << revoked.status();
}

TEST_F(IngestTest, HeartbeatsAreHeldAgainstTheStore) {
  const v1::HostFacts facts = Facts({"c1"});
  ASSERT_TRUE(ingest_->Accept(host_, Snapshot(1, facts)).ok());
  ASSERT_TRUE(board_->Create(Scan("s1", {host_})).ok());
  v1::Heartbeat heartbeat;
  EXPECT_EQ(*ingest_->Confirm(host_, heartbeat), Ingest::Result::kAcknowledge);
  heartbeat.add_scan_ids("s1");
  EXPECT_EQ(*ingest_->Confirm(host_, heartbeat), Ingest::Result::kResync);
  EXPECT_EQ(ScanState("s1"), "RUNNING: OFFLINE ");
  heartbeat.set_facts_digest(support::FactsDigest(facts));
  EXPECT_EQ(*ingest_->Confirm(host_, heartbeat), Ingest::Result::kAcknowledge);
  EXPECT_EQ(ScanState("s1"), "DONE: EVALUATED ");
}

TEST_F(IngestTest, ARepeatedDeltaStillAnswersItsScans) {
  ASSERT_TRUE(ingest_->Accept(host_, Snapshot(1, Facts({"c1"}))).ok());
  ASSERT_TRUE(board_->Create(Scan("s1", {host_})).ok());
  v1::FactsDelta repeated = Snapshot(1, Facts({"c1"}));
  repeated.add_scan_ids("s1");
  ASSERT_TRUE(ingest_->Accept(host_, repeated).ok());
  EXPECT_EQ(ScanState("s1"), "DONE: EVALUATED ");
}

TEST_F(IngestTest, LastSeenIsWrittenByFlush) {
  EXPECT_FALSE(store_->hosts().Get(host_)->has_last_seen_time());
  ingest_->Seen(host_);
  EXPECT_FALSE(store_->hosts().Get(host_)->has_last_seen_time());
  ingest_->Flush();
  const int64_t seen = store_->hosts().Get(host_)->last_seen_time().seconds();
  EXPECT_EQ(seen, absl::ToUnixSeconds(clock_.Now()));
  clock_.Advance(absl::Minutes(1));
  ingest_->Flush();
  EXPECT_EQ(store_->hosts().Get(host_)->last_seen_time().seconds(), seen);
}

}  // namespace
}  // namespace plimsoll::gateway
