#include "collector/agent/recorder.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>

#include "collector/agent/offline_plan.h"
#include "tests/collector/agent/fake_sight.h"

namespace plimsoll::agent {
namespace {

using ::testing::ElementsAreArray;

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    char dir[] = "/tmp/plimsoll-recorder-XXXXXX";
    dir_ = mkdtemp(dir);
    spool::Spool::Options options;
    options.dir = dir_ + "/spool";
    spool_ = *spool::Spool::Open(options, support::Clock::Real());
    options_.first_plan_wait = absl::ZeroDuration();
  }
  ~RecorderTest() override {
    recorder_.reset();
    spool_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Start() {
    recorder_ = std::make_unique<Recorder>(std::make_unique<FakeSight>(host_), *spool_,
                                           support::Clock::Real(), options_);
    recorder_->Listen([this] {
      absl::MutexLock lock(&mutex_);
      ++news_;
    });
  }

  // Waits until the last delta queued has that number.
  bool AwaitSequence(uint64_t sequence) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&] { return spool_->state().last_sequence >= sequence; };
    const absl::Time deadline = support::Clock::Real().Now() + absl::Seconds(20);
    while (!reached()) {
      const int news = news_;
      const auto more = [&] { return news_ != news; };
      // News may have come before they were listened to.
      mutex_.AwaitWithTimeout(absl::Condition(&more), absl::Milliseconds(50));
      if (support::Clock::Real().Now() > deadline) return false;
    }
    return true;
  }

  std::string dir_;
  std::shared_ptr<FakeHost> host_ = std::make_shared<FakeHost>();
  std::unique_ptr<spool::Spool> spool_;
  Recorder::Options options_;
  std::unique_ptr<Recorder> recorder_;
  absl::Mutex mutex_;
  int news_ = 0;
};

TEST_F(RecorderTest, ObservesWithoutAController) {
  int full = 0;
  options_.after_full = [&full] { ++full; };
  Start();
  ASSERT_TRUE(AwaitSequence(1));
  const v1::CollectionPlan offline = OfflinePlan();
  EXPECT_THAT(host_->plan_paths(),
              ElementsAreArray(offline.paths().begin(), offline.paths().end()));
  host_->Run("a");
  ASSERT_TRUE(AwaitSequence(2));
  EXPECT_EQ(recorder_->engine_id(), "engine-1");
  recorder_->Stop();
  EXPECT_EQ(full, 1);
  const auto delta = spool_->Next(1);
  ASSERT_TRUE(delta.ok());
  EXPECT_EQ(delta->changed().containers().containers(0).id(), "a");
}

TEST_F(RecorderTest, WaitsForItsFirstPlanButNotForEver) {
  options_.first_plan_wait = absl::Hours(1);
  Start();
  EXPECT_EQ(host_->collections(), 0);
  v1::CollectionPlan plan;
  plan.add_paths("/x");
  plan.set_digest("p");
  recorder_->SetPlan(plan);
  ASSERT_TRUE(AwaitSequence(1));
  EXPECT_EQ(host_->collections(), 1);
  recorder_->SetPlan(plan);
  host_->Run("a");
  ASSERT_TRUE(AwaitSequence(2));
  EXPECT_EQ(host_->full_collections(), 1) << "the same plan again changes nothing";
}

TEST_F(RecorderTest, AnEngineThatIsGoneIsRecordedAsSuch) {
  host_->Run("a");
  Start();
  ASSERT_TRUE(AwaitSequence(1));
  host_->Change([](v1::HostFacts& facts) {
    facts.mutable_containers()->Clear();
    facts.mutable_containers()->mutable_outcome()->set_state(v1::SourceOutcome::UNAVAILABLE);
    facts.mutable_containers()->mutable_outcome()->set_message("connection refused");
  });
  ASSERT_TRUE(AwaitSequence(2));
  const auto facts = spool_->FactsAt(2);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->containers().containers_size(), 0);
  EXPECT_EQ(facts->containers().outcome().message(), "connection refused");
}

TEST_F(RecorderTest, ManyChangesBecomeFewWhenTheControllerLimitsThem) {
  Start();
  ASSERT_TRUE(AwaitSequence(1));
  // Thirty, then one every two seconds.
  recorder_->LimitRate(30);
  for (int i = 0; i < 200; ++i) {
    host_->Run(absl::StrCat("c", i));
    if (i < 29) {
      ASSERT_TRUE(host_->AwaitCollections(i + 2)) << i;
    }
  }
  const uint64_t queued = spool_->state().last_sequence;
  EXPECT_GE(queued, 29u);
  EXPECT_LE(queued, 40u);
  // One more may have been on its way before the last container ran.
  int containers = 0;
  for (uint64_t next = queued; containers < 200 && next <= queued + 2; ++next) {
    ASSERT_TRUE(AwaitSequence(next));
    const auto facts = spool_->FactsAt(spool_->state().last_sequence);
    ASSERT_TRUE(facts.ok()) << facts.status();
    containers = facts->containers().containers_size();
  }
  EXPECT_EQ(containers, 200) << "the last state is not hidden";
}

TEST_F(RecorderTest, NothingHappensWhenNothingHappens) {
  Start();
  ASSERT_TRUE(AwaitSequence(1));
  host_->Run("a");
  ASSERT_TRUE(AwaitSequence(2));
  host_->Change([](v1::HostFacts&) {});
  ASSERT_TRUE(host_->AwaitCollections(3));
  recorder_->Stop();
  EXPECT_EQ(spool_->state().last_sequence, 2u);
  EXPECT_EQ(host_->collections(), 3);
}

}  // namespace
}  // namespace plimsoll::agent
