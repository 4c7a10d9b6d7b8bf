#include "collector/tracker/tracker.h"

#include <gtest/gtest.h>

#include "collector/tracker/flat_digests.h"
#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"
#include "tests/collector/tracker/random_facts.h"
#include "tests/support/sample_facts.h"

namespace plimsoll::tracker {
namespace {

std::string TreeDigest(const v1::HostFacts& facts) {
  return support::FactsDigestTree(facts).Digest();
}

std::string Stable(v1::HostFacts facts) {
  support::ClearVolatile(facts);
  return support::SerializeStable(facts);
}

v1::HostFacts Sample(int containers = 5) {
  v1::HostFacts facts = testing::SampleHost(containers, testing::Habit::kUsual);
  SortKeyedLists(facts);
  return facts;
}

TEST(Tracker, TheFirstUpdateIsAFullSnapshot) {
  Tracker tracker;
  EXPECT_TRUE(tracker.empty());
  v1::HostFacts facts = Sample();
  const auto delta = tracker.Update(facts);
  ASSERT_TRUE(delta.has_value());
  EXPECT_TRUE(delta->base_digest().empty());
  EXPECT_EQ(delta->new_digest(), TreeDigest(facts));
  EXPECT_EQ(tracker.digest(), TreeDigest(facts));
  EXPECT_EQ(Stable(delta->changed()), Stable(facts));
  EXPECT_EQ(delta->observed_time().seconds(), facts.observed_time().seconds());
  EXPECT_FALSE(tracker.Update(facts).has_value());
}

TEST(Tracker, AChangedContainerCostsThatContainer) {
  v1::HostFacts facts = Sample();
  Tracker tracker(facts);
  v1::HostFacts now = facts;
  now.mutable_containers()->mutable_containers(2)->set_privileged(true);
  now.mutable_observed_time()->set_seconds(77);
  const auto delta = tracker.Update(now);
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->base_digest(), TreeDigest(facts));
  EXPECT_EQ(delta->new_digest(), TreeDigest(now));
  EXPECT_EQ(delta->observed_time().seconds(), 77);
  EXPECT_EQ(delta->removals_size(), 0);
  v1::HostFacts expected;
  expected.set_collector_version(facts.collector_version());
  *expected.mutable_labels() = facts.labels();
  *expected.mutable_containers()->mutable_outcome() = facts.containers().outcome();
  *expected.mutable_containers()->add_containers() = now.containers().containers(2);
  EXPECT_EQ(Stable(delta->changed()), Stable(expected));
}

TEST(Tracker, WhatIsGoneIsNamedAndNothingElse) {
  v1::HostFacts facts = Sample();
  Tracker tracker(facts);
  v1::HostFacts now = facts;
  const std::string id = now.containers().containers(1).id();
  const std::string path = now.files().files(0).path();
  now.mutable_containers()->mutable_containers()->DeleteSubrange(1, 1);
  now.mutable_files()->mutable_files()->DeleteSubrange(0, 1);
  const auto delta = tracker.Update(now);
  ASSERT_TRUE(delta.has_value());
  ASSERT_EQ(delta->removals_size(), 2);
  EXPECT_EQ(delta->removals(0).section(), v1::HostFacts::kFilesFieldNumber);
  EXPECT_EQ(delta->removals(0).key(), path);
  EXPECT_EQ(delta->removals(1).section(), v1::HostFacts::kContainersFieldNumber);
  EXPECT_EQ(delta->removals(1).key(), id);
  EXPECT_FALSE(delta->changed().has_containers());
  EXPECT_FALSE(delta->changed().has_files());
}

TEST(Tracker, AnEngineThatCannotBeReachedIsAChange) {
  v1::HostFacts facts = Sample(1);
  Tracker tracker(facts);
  v1::HostFacts now = facts;
  now.mutable_containers()->Clear();
  now.mutable_containers()->mutable_outcome()->set_state(v1::SourceOutcome::UNAVAILABLE);
  now.mutable_containers()->mutable_outcome()->set_message("no such socket");
  const auto delta = tracker.Update(now);
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->removals_size(), 1);
  EXPECT_EQ(delta->changed().containers().outcome().state(), v1::SourceOutcome::UNAVAILABLE);
  EXPECT_EQ(delta->changed().containers().outcome().message(), "no such socket");
}

TEST(Tracker, TimesAndDurationsAreNoChange) {
  test::RandomFacts random(7);
  for (int i = 0; i < 50; ++i) {
    v1::HostFacts facts = random.Facts();
    SortKeyedLists(facts);
    Tracker tracker(facts);
    random.ChangeVolatile(facts);
    facts.mutable_observed_time()->set_seconds(12345);
    EXPECT_FALSE(tracker.Update(facts).has_value());
  }
}

TEST(Tracker, ASectionThatIsThereNoMoreMakesAFullSnapshot) {
  v1::HostFacts facts = Sample();
  Tracker tracker(facts);
  facts.clear_volumes();
  const auto delta = tracker.Update(facts);
  ASSERT_TRUE(delta.has_value());
  EXPECT_TRUE(delta->base_digest().empty());
  EXPECT_EQ(delta->new_digest(), TreeDigest(facts));
}

TEST(Tracker, LabelsAloneAreAChange) {
  v1::HostFacts facts = Sample();
  Tracker tracker(facts);
  (*facts.mutable_labels())["env"] = "other";
  const auto delta = tracker.Update(facts);
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->changed().labels().at("env"), "other");
  EXPECT_EQ(delta->new_digest(), TreeDigest(facts));
}

TEST(Tracker, OfObjectsWithOneKeyTheLastHolds) {
  v1::HostFacts facts = Sample(3);
  const int size = facts.containers().containers_size();
  v1::Container twin = facts.containers().containers(0);
  twin.set_name("twin");
  *facts.mutable_containers()->add_containers() = twin;
  Tracker tracker;
  const auto delta = tracker.Update(facts);
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(facts.containers().containers_size(), size);
  EXPECT_EQ(facts.containers().containers(0).name(), "twin");
  EXPECT_EQ(delta->new_digest(), TreeDigest(facts));
}

// Whatever the old and the new facts are: the delta makes one of the other, in both digests, and
// both sides' trees agree at every step.
TEST(Tracker, DeltasLeadFromTheOldFactsToTheNew) {
  int deltas = 0;
  int smaller = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    test::RandomFacts random(seed);
    v1::HostFacts now = random.Facts();
    Tracker tracker;
    v1::HostFacts far;
    support::FactsDigestTree far_tree;
    FlatDigests flat((v1::HostFacts()));
    for (int step = 0; step < 25; ++step) {
      const std::string before = tracker.digest();
      auto delta = tracker.Update(now);
      ASSERT_EQ(Stable(tracker.facts()), Stable(now)) << seed << " " << step;
      if (!delta.has_value()) {
        EXPECT_EQ(tracker.digest(), before);
      } else {
        ++deltas;
        if (delta->ByteSizeLong() * 2 < now.ByteSizeLong()) ++smaller;
        EXPECT_NE(delta->new_digest(), before);
        if (!delta->base_digest().empty()) {
          EXPECT_EQ(delta->base_digest(), before);
        }
        ASSERT_TRUE(support::ApplyDelta(*delta, far).ok());
        far_tree.Apply(*delta, far);
        ASSERT_EQ(Stable(far), Stable(now)) << seed << " " << step;
        ASSERT_EQ(far_tree.Digest(), delta->new_digest());
        ASSERT_EQ(TreeDigest(now), delta->new_digest());
        delta->mutable_gap()->set_dropped_count(1);
        ASSERT_TRUE(flat.Rewrite(*delta));
        EXPECT_EQ(delta->new_digest(), support::FactsDigest(now));
        EXPECT_FALSE(delta->has_gap());
      }
      random.Change(now);
    }
  }
  EXPECT_GT(deltas, 400);
  EXPECT_GT(smaller, 100);
}

}  // namespace
}  // namespace plimsoll::tracker
