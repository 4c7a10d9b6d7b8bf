#include <gtest/gtest.h>

#include <string>

#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::Has;

v1::VolumesFacts Collect(const std::string& reply) {
  FakeEngineHost host;
  host.docker.Serve("/v1.41/volumes", reply);
  return CollectVolumes(host.env, "/v1.41");
}

TEST(CollectVolumes, ReadsTheRecordedOnes) {
  FakeEngineHost host;
  host.docker.ServeFile("/v1.41/volumes", "docker-20.10/volumes.json");
  const v1::VolumesFacts facts = CollectVolumes(host.env, "/v1.41");
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK);
  ASSERT_EQ(facts.volumes_size(), 4);
  EXPECT_TRUE(Has(facts.volumes(3), R"pb(name: "vol1"
                                         driver: "local"
                                         mountpoint: "/var/lib/docker/volumes/vol1/_data")pb"));
  EXPECT_LT(facts.volumes(0).name(), facts.volumes(1).name());
}

TEST(CollectVolumes, TakesOfOptionsOnlyWhatBindsALocalDirectory) {
  const struct {
    const char* volume;
    const char* expected;
    bool has_device;
  } kCases[] = {
      {R"("Driver":"local","Options":{"type":"none","o":"bind","device":"/etc"})",
       "bind_device: '/etc' local_options: 'bind'", true},
      {R"("Driver":"local","Options":{"type":"none","o":"rbind,ro,rshared","device":"/"})",
       "bind_device: '/' local_options: ['rbind', 'ro', 'rshared']", true},
      {R"("Driver":"local","Options":{"type":"cifs","o":"username=MARKER,password=MARKER","device":"//h/s"})",
       "name: 'v'", false},
      {R"("Driver":"local","Options":{"o":"bind,password=MARKER","device":"//MARKER:x@h/s"})",
       "local_options: 'bind'", false},
      {R"("Driver":"local","Options":{"o":"bind","device":"MARKER:/export"})",
       "local_options: 'bind'", false},
      {R"("Driver":"local","Options":{"type":"ext4","device":"/dev/MARKER"})", "name: 'v'", false},
      {R"("Driver":"local","Options":null)", "driver: 'local'", false},
      {R"("Driver":"rexray","Options":{"o":"bind","device":"/MARKER"})", "driver: 'rexray'", false},
      {R"("Driver":"local","Labels":{"k":"MARKER"},"Status":{"k":"MARKER"})", "name: 'v'", false},
  };
  for (const auto& c : kCases) {
    const v1::VolumesFacts facts =
        Collect(absl::StrCat(R"({"Volumes":[{"Name":"v",)", c.volume, "}]}"));
    ASSERT_EQ(facts.volumes_size(), 1) << c.volume;
    EXPECT_TRUE(Has(facts.volumes(0), c.expected)) << c.volume;
    EXPECT_EQ(facts.volumes(0).has_bind_device(), c.has_device) << c.volume;
    EXPECT_EQ(facts.SerializeAsString().find("MARKER"), std::string::npos) << c.volume;
    EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK) << c.volume;
  }
}

TEST(CollectVolumes, NoVolumesIsAnAnswerAndNonsenseIsNone) {
  EXPECT_EQ(Collect(R"({"Volumes":null,"Warnings":null})").outcome().state(),
            v1::SourceOutcome::OK);
  for (const char* reply :
       {"[]", R"({"Volumes":{}})", R"({"Volumes":[{"Name":1}]})", R"({"Volumes":[{}]})",
        R"({"Volumes":[{"Name":"v","Driver":"local",)"
        R"("Options":{"o":1}}]})",
        "x"}) {
    EXPECT_EQ(Collect(reply).outcome().state(), v1::SourceOutcome::MALFORMED) << reply;
  }
}

TEST(CollectVolumes, TooManyAreCut) {
  std::string reply = R"({"Volumes":[)";
  for (int i = 0; i < 10001; ++i) {
    absl::StrAppend(&reply, i > 0 ? "," : "", R"({"Name":"v)", i, R"("})");
  }
  const v1::VolumesFacts facts = Collect(reply + "]}");
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::TRUNCATED);
  EXPECT_EQ(facts.volumes_size(), 10000);
}

TEST(CollectVolumes, WithoutAnEngineNothingIsAsked) {
  FakeEngineHost host;
  EXPECT_EQ(CollectVolumes(host.env, "").outcome().state(), v1::SourceOutcome::UNAVAILABLE);
  EXPECT_TRUE(host.docker.all_calls().empty());
}

}  // namespace
}  // namespace plimsoll::sources
