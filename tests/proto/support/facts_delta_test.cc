#include "proto/support/facts_delta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/match.h"

namespace plimsoll::support {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::HostFacts Base() {
  v1::HostFacts facts;
  facts.set_collector_version("1");
  (*facts.mutable_labels())["env"] = "prod";
  facts.mutable_machine()->set_hostname("web-1");
  facts.mutable_engine()->mutable_outcome()->set_state(v1::SourceOutcome::OK);
  for (const char* id : {"b", "d"}) {
    facts.mutable_files()->add_files()->set_path(id);
    facts.mutable_images()->add_images()->set_id(id);
    facts.mutable_containers()->add_containers()->set_id(id);
    facts.mutable_volumes()->add_volumes()->set_name(id);
    facts.mutable_networks()->add_networks()->set_id(id);
  }
  facts.mutable_containers()->mutable_outcome()->set_state(v1::SourceOutcome::OK);
  return facts;
}

v1::FactsDelta Delta() {
  v1::FactsDelta delta;
  delta.set_base_digest("something");
  delta.mutable_changed()->set_collector_version("1");
  return delta;
}

void Remove(v1::FactsDelta& delta, int section, const char* key) {
  v1::Removal& removal = *delta.add_removals();
  removal.set_section(section);
  removal.set_key(key);
}

template <class T>
std::vector<std::string> Keys(const google::protobuf::RepeatedPtrField<T>& list) {
  std::vector<std::string> keys;
  for (const T& object : list) keys.push_back(KeyOf(object));
  return keys;
}

TEST(ApplyDeltaTest, AnEmptyBaseMeansEverything) {
  v1::HostFacts facts = Base();
  v1::FactsDelta delta;
  delta.mutable_changed()->mutable_containers()->add_containers()->set_id("x");
  ASSERT_TRUE(ApplyDelta(delta, facts).ok());
  EXPECT_EQ(facts.SerializeAsString(), delta.changed().SerializeAsString());
}

TEST(ApplyDeltaTest, SectionsThatArePresentReplace) {
  v1::HostFacts facts = Base();
  v1::FactsDelta delta = Delta();
  delta.mutable_observed_time()->set_seconds(9);
  delta.mutable_changed()->set_collector_version("2");
  (*delta.mutable_changed()->mutable_labels())["env"] = "test";
  delta.mutable_changed()->mutable_engine()->mutable_outcome()->set_message("gone");
  ASSERT_TRUE(ApplyDelta(delta, facts).ok());
  EXPECT_EQ(facts.collector_version(), "2");
  EXPECT_EQ(facts.labels().at("env"), "test");
  EXPECT_EQ(facts.observed_time().seconds(), 9);
  EXPECT_EQ(facts.engine().outcome().message(), "gone");
  EXPECT_EQ(facts.engine().outcome().state(), v1::SourceOutcome::NOT_COLLECTED);
  EXPECT_EQ(facts.machine().hostname(), "web-1");
  EXPECT_THAT(Keys(facts.containers().containers()), ElementsAre("b", "d"));
}

TEST(ApplyDeltaTest, ObjectsAreUpsertedInTheOrderOfTheirKeys) {
  v1::HostFacts facts = Base();
  v1::FactsDelta delta = Delta();
  v1::HostFacts& changed = *delta.mutable_changed();
  for (const char* id : {"e", "a", "c"}) {
    changed.mutable_files()->add_files()->set_path(id);
    changed.mutable_images()->add_images()->set_id(id);
    changed.mutable_containers()->add_containers()->set_id(id);
    changed.mutable_volumes()->add_volumes()->set_name(id);
    changed.mutable_networks()->add_networks()->set_id(id);
  }
  v1::Container& replaced = *changed.mutable_containers()->add_containers();
  replaced.set_id("b");
  replaced.set_name("new");
  changed.mutable_containers()->mutable_outcome()->set_state(v1::SourceOutcome::TRUNCATED);
  ASSERT_TRUE(ApplyDelta(delta, facts).ok());
  const auto all = ElementsAre("a", "b", "c", "d", "e");
  EXPECT_THAT(Keys(facts.files().files()), all);
  EXPECT_THAT(Keys(facts.images().images()), all);
  EXPECT_THAT(Keys(facts.containers().containers()), all);
  EXPECT_THAT(Keys(facts.volumes().volumes()), all);
  EXPECT_THAT(Keys(facts.networks().networks()), all);
  EXPECT_EQ(facts.containers().containers(1).name(), "new");
  EXPECT_EQ(facts.containers().outcome().state(), v1::SourceOutcome::TRUNCATED);
}

TEST(ApplyDeltaTest, RemovalsTakeOutWhatTheyName) {
  const struct {
    int section;
    std::vector<std::string> (*keys)(const v1::HostFacts&);
  } cases[] = {
      {v1::HostFacts::kFilesFieldNumber,
       [](const v1::HostFacts& f) { return Keys(f.files().files()); }},
      {v1::HostFacts::kImagesFieldNumber,
       [](const v1::HostFacts& f) { return Keys(f.images().images()); }},
      {v1::HostFacts::kContainersFieldNumber,
       [](const v1::HostFacts& f) { return Keys(f.containers().containers()); }},
      {v1::HostFacts::kVolumesFieldNumber,
       [](const v1::HostFacts& f) { return Keys(f.volumes().volumes()); }},
      {v1::HostFacts::kNetworksFieldNumber,
       [](const v1::HostFacts& f) { return Keys(f.networks().networks()); }},
  };
  for (const auto& removed : cases) {
    v1::HostFacts facts = Base();
    v1::FactsDelta delta = Delta();
    Remove(delta, removed.section, "b");
    Remove(delta, removed.section, "never there");
    ASSERT_TRUE(ApplyDelta(delta, facts).ok());
    for (const auto& c : cases) {
      if (c.section == removed.section) {
        EXPECT_THAT(c.keys(facts), ElementsAre("d")) << c.section;
      } else {
        EXPECT_THAT(c.keys(facts), ElementsAre("b", "d")) << c.section;
      }
    }
    EXPECT_EQ(facts.containers().outcome().state(), v1::SourceOutcome::OK);
  }
}

TEST(ApplyDeltaTest, WhatIsRemovedAndSentStays) {
  v1::HostFacts facts = Base();
  v1::FactsDelta delta = Delta();
  Remove(delta, v1::HostFacts::kContainersFieldNumber, "b");
  Remove(delta, v1::HostFacts::kContainersFieldNumber, "d");
  delta.mutable_changed()->mutable_containers()->add_containers()->set_id("b");
  ASSERT_TRUE(ApplyDelta(delta, facts).ok());
  EXPECT_THAT(Keys(facts.containers().containers()), ElementsAre("b"));
}

TEST(ApplyDeltaTest, ARemovalWithoutKeysChangesNothing) {
  for (const int section : {0, int{v1::HostFacts::kMachineFieldNumber}, -1, 1000}) {
    v1::HostFacts facts = Base();
    v1::FactsDelta delta = Delta();
    delta.mutable_changed()->set_collector_version("2");
    Remove(delta, v1::HostFacts::kContainersFieldNumber, "b");
    Remove(delta, section, "b");
    const absl::Status status = ApplyDelta(delta, facts);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), std::to_string(section))) << status;
    EXPECT_EQ(facts.SerializeAsString(), Base().SerializeAsString());
  }
}

TEST(ApplyDeltaTest, TheLastObjectCanGo) {
  v1::HostFacts facts = Base();
  v1::FactsDelta delta = Delta();
  Remove(delta, v1::HostFacts::kVolumesFieldNumber, "b");
  Remove(delta, v1::HostFacts::kVolumesFieldNumber, "d");
  ASSERT_TRUE(ApplyDelta(delta, facts).ok());
  EXPECT_TRUE(facts.has_volumes());
  EXPECT_THAT(Keys(facts.volumes().volumes()), IsEmpty());
}

}  // namespace
}  // namespace plimsoll::support
