#include "proto/support/digest.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/sample_facts.h"

namespace plimsoll::support {
namespace {

TEST(Sha256Test, IsSha256) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256("").size(), 32u);
}

TEST(FactsDigestTest, IgnoresWhatChangesWithoutTheHostChanging) {
  const v1::HostFacts facts = testing::SampleHost(3, testing::Habit::kUsual);
  ASSERT_GT(facts.containers().containers_size(), 0);
  const std::function<void(v1::HostFacts&)> changes[] = {
      [](v1::HostFacts& f) { f.mutable_observed_time()->set_seconds(1); },
      [](v1::HostFacts& f) { f.mutable_engine()->mutable_outcome()->set_duration_us(77); },
      [](v1::HostFacts& f) {
        f.mutable_containers()->mutable_outcome()->mutable_observed_time()->set_nanos(5);
      },
      [](v1::HostFacts& f) {
        f.mutable_containers()->mutable_containers(1)->mutable_outcome()->set_duration_us(9);
      },
  };
  for (const auto& change : changes) {
    v1::HostFacts other = facts;
    change(other);
    EXPECT_NE(other.SerializeAsString(), facts.SerializeAsString());
    EXPECT_EQ(FactsDigest(other), FactsDigest(facts));
  }
}

TEST(FactsDigestTest, SeesEverythingElse) {
  const v1::HostFacts facts = testing::SampleHost(3, testing::Habit::kUsual);
  EXPECT_EQ(FactsDigest(facts).size(), 32u);
  const std::function<void(v1::HostFacts&)> changes[] = {
      [](v1::HostFacts& f) { f.set_collector_version("9"); },
      [](v1::HostFacts& f) { (*f.mutable_labels())["env"] = "test"; },
      [](v1::HostFacts& f) { f.clear_users(); },
      [](v1::HostFacts& f) {
        f.mutable_engine()->mutable_outcome()->set_state(v1::SourceOutcome::TIMED_OUT);
      },
      [](v1::HostFacts& f) { f.mutable_engine()->mutable_outcome()->set_message("why"); },
      [](v1::HostFacts& f) { f.mutable_containers()->mutable_containers(2)->set_name("other"); },
      [](v1::HostFacts& f) { f.mutable_containers()->mutable_containers()->SwapElements(0, 1); },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    v1::HostFacts other = facts;
    changes[i](other);
    EXPECT_NE(FactsDigest(other), FactsDigest(facts)) << i;
  }
}

TEST(FactsDigestTest, TheOrderInWhichLabelsWereAddedIsNothing) {
  v1::HostFacts up;
  v1::HostFacts down;
  for (int i = 0; i < 100; ++i) {
    (*up.mutable_labels())[std::to_string(i)] = "x";
    (*down.mutable_labels())[std::to_string(99 - i)] = "x";
  }
  EXPECT_EQ(FactsDigest(up), FactsDigest(down));
}

TEST(FactsDigestTest, LeavesItsArgumentAlone) {
  v1::HostFacts facts;
  facts.mutable_observed_time()->set_seconds(5);
  FactsDigest(facts);
  EXPECT_EQ(facts.observed_time().seconds(), 5);
  ClearVolatile(facts);
  EXPECT_FALSE(facts.has_observed_time());
}

}  // namespace
}  // namespace plimsoll::support
