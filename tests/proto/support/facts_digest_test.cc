#include "proto/support/facts_digest.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "proto/support/facts_delta.h"

namespace plimsoll::support {
namespace {

v1::HostFacts Facts() {
  v1::HostFacts facts;
  facts.set_collector_version("1");
  (*facts.mutable_labels())["env"] = "prod";
  facts.mutable_machine()->set_hostname("web-1");
  facts.mutable_containers()->mutable_outcome()->set_state(v1::SourceOutcome::OK);
  for (const char* id : {"a", "b", "c"}) {
    facts.mutable_containers()->add_containers()->set_id(id);
    facts.mutable_files()->add_files()->set_path(absl::StrCat("/", id));
  }
  return facts;
}

std::string DigestOf(const v1::HostFacts& facts) { return FactsDigestTree(facts).Digest(); }

TEST(FactsDigestTree, SeesEveryPart) {
  std::set<std::string> digests = {DigestOf({}), DigestOf(Facts())};
  const auto changed = [&](auto change) {
    v1::HostFacts facts = Facts();
    change(facts);
    EXPECT_TRUE(digests.insert(DigestOf(facts)).second) << facts.ShortDebugString();
  };
  changed([](v1::HostFacts& f) { f.set_collector_version("2"); });
  changed([](v1::HostFacts& f) { (*f.mutable_labels())["env"] = "test"; });
  changed([](v1::HostFacts& f) { f.mutable_machine()->set_hostname("web-2"); });
  changed([](v1::HostFacts& f) { f.mutable_users(); });
  changed([](v1::HostFacts& f) { f.clear_machine(); });
  changed([](v1::HostFacts& f) { f.mutable_containers()->clear_outcome(); });
  changed([](v1::HostFacts& f) {
    f.mutable_containers()->mutable_containers(1)->set_privileged(true);
  });
  changed([](v1::HostFacts& f) { f.mutable_containers()->mutable_containers()->RemoveLast(); });
  changed([](v1::HostFacts& f) { f.mutable_files()->mutable_files(0)->set_mode(0600); });
}

TEST(FactsDigestTree, PassesOverWhatIsVolatile) {
  v1::HostFacts facts = Facts();
  facts.mutable_observed_time()->set_seconds(7);
  v1::SourceOutcome* outcome = facts.mutable_containers()->mutable_outcome();
  outcome->set_duration_us(1);
  outcome->mutable_observed_time()->set_seconds(9);
  facts.mutable_containers()->mutable_containers(0)->mutable_outcome()->set_duration_us(5);
  v1::HostFacts same = Facts();
  same.mutable_containers()->mutable_containers(0)->mutable_outcome();
  EXPECT_EQ(DigestOf(facts), DigestOf(same));
}

v1::FactsDelta RandomDelta(std::mt19937& random) {
  const auto key = [&] { return std::string(1, static_cast<char>('a' + random() % 8)); };
  v1::FactsDelta delta;
  delta.set_base_digest("base");
  v1::HostFacts& changed = *delta.mutable_changed();
  changed.set_collector_version(absl::StrCat(random() % 2));
  if (random() % 4 == 0) (*changed.mutable_labels())["k"] = key();
  if (random() % 3 == 0) changed.mutable_engine()->set_version(key());
  for (uint32_t i = random() % 3; i > 0; --i) {
    v1::Container& container = *changed.mutable_containers()->add_containers();
    container.set_id(key());
    container.set_name(key());
  }
  for (uint32_t i = random() % 3; i > 0; --i) {
    changed.mutable_files()->add_files()->set_path("/" + key());
  }
  for (uint32_t i = random() % 3; i > 0; --i) {
    v1::Removal& removal = *delta.add_removals();
    removal.set_section(random() % 2 ? v1::HostFacts::kContainersFieldNumber
                                     : v1::HostFacts::kNetworksFieldNumber);
    removal.set_key(key());
  }
  return delta;
}

// What is kept up to date is what is counted afresh.
TEST(FactsDigestTree, FollowsDeltas) {
  std::mt19937 random(7);
  v1::HostFacts facts = Facts();
  FactsDigestTree tree(facts);
  for (int i = 0; i < 2000; ++i) {
    const v1::FactsDelta delta = RandomDelta(random);
    ASSERT_TRUE(ApplyDelta(delta, facts).ok());
    tree.Apply(delta, facts);
    ASSERT_EQ(tree.Digest(), DigestOf(facts)) << i << " " << delta.ShortDebugString();
  }
  v1::FactsDelta full;
  *full.mutable_changed() = Facts();
  ASSERT_TRUE(ApplyDelta(full, facts).ok());
  tree.Apply(full, facts);
  EXPECT_EQ(tree.Digest(), DigestOf(Facts()));
}

}  // namespace
}  // namespace plimsoll::support
