#include <gtest/gtest.h>

#include <string>

#include "collector/sources/sources.h"
#include "tests/support/fake_engine_host.h"

namespace plimsoll::sources {
namespace {

using test::FakeEngineHost;
using test::Fixture;
using test::Has;

const v1::Network* Find(const v1::NetworksFacts& facts, const std::string& name) {
  for (const v1::Network& network : facts.networks()) {
    if (network.name() == name) return &network;
  }
  return nullptr;
}

// A listing made of the recorded inspects, as the engine would give it.
std::string Listing() {
  std::string listing = "[";
  for (const char* name : {"bridge", "app", "closed", "host", "none"}) {
    absl::StrAppend(&listing, listing.size() > 1 ? "," : "",
                    Fixture(absl::StrCat("docker-20.10/networks/", name, ".json")));
  }
  return listing + "]";
}

TEST(CollectNetworks, ReadsTheRecordedOnes) {
  FakeEngineHost host;
  host.docker.Serve("/v1.41/networks", Listing());
  const std::string bridge = "9f355d73d0570536975bdd288f5ddaebbd72b9dca852b546c4faae28484d5161";
  host.docker.ServeFile("/v1.41/networks/" + bridge, "docker-20.10/networks/bridge.json");
  const v1::NetworksFacts facts = CollectNetworks(host.env, "/v1.41");
  EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK) << facts.outcome().message();
  ASSERT_EQ(facts.networks_size(), 5);
  for (int i = 1; i < facts.networks_size(); ++i) {
    EXPECT_LT(facts.networks(i - 1).id(), facts.networks(i).id());
  }
  const v1::Network* network = Find(facts, "bridge");
  ASSERT_NE(network, nullptr);
  EXPECT_TRUE(Has(*network, R"pb(driver: "bridge"
                                 scope: "local"
                                 default_bridge: true
                                 enable_icc: true
                                 bridge_name: "docker0"
                                 host_binding_ipv4: "0.0.0.0"
                                 inspect_outcome { state: OK })pb"));
  EXPECT_EQ(network->id(), bridge);
  EXPECT_GT(network->container_ids_size(), 50);
  EXPECT_TRUE(std::is_sorted(network->container_ids().begin(), network->container_ids().end()));
  EXPECT_TRUE(Has(*Find(facts, "closed"), "internal: true enable_icc: false"));
  EXPECT_FALSE(Find(facts, "app")->has_enable_icc());
  EXPECT_FALSE(Find(facts, "app")->default_bridge());
  EXPECT_EQ(Find(facts, "app")->inspect_outcome().state(), v1::SourceOutcome::NOT_COLLECTED);
  EXPECT_TRUE(Find(facts, "app")->container_ids().empty());
  // The listing and one inspect.
  EXPECT_EQ(host.docker.all_calls().size(), 2u);
}

TEST(CollectNetworks, ReadsEveryRecordedListing) {
  for (const char* name : {"stock", "hardened-flags", "bad-flags", "swarm-default", "userns-remap",
                           "swarm-locked", "busy"}) {
    FakeEngineHost host;
    host.docker.ServeFile("/v1.41/networks",
                          absl::StrCat("docker-20.10/daemon/", name, "/networks.json"));
    const v1::NetworksFacts facts = CollectNetworks(host.env, "/v1.41");
    EXPECT_EQ(facts.outcome().state(), v1::SourceOutcome::OK) << name;
    ASSERT_NE(Find(facts, "bridge"), nullptr) << name;
    EXPECT_EQ(Find(facts, "bridge")->enable_icc(), std::string(name) != "hardened-flags") << name;
    // The inspect was not recorded: that network's own outcome.
    EXPECT_EQ(Find(facts, "bridge")->inspect_outcome().state(), v1::SourceOutcome::NOT_PRESENT);
    if (std::string(name) == "swarm-default") {
      EXPECT_TRUE(Has(*Find(facts, "ingress"), "driver: 'overlay' scope: 'swarm' ingress: true"));
    }
  }
}

TEST(CollectNetworks, EncryptedCountsWhateverItsValue) {
  FakeEngineHost host;
  host.docker.Serve("/v1.41/networks", R"([{"Id":"a","Options":{"encrypted":""}},
      {"Id":"b","Options":{"encrypted":"false"}}, {"Id":"c","Options":{"encrypted":null}},
      {"Id":"d","Options":null}, {"Id":"e"}])");
  const v1::NetworksFacts facts = CollectNetworks(host.env, "/v1.41");
  ASSERT_EQ(facts.networks_size(), 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(facts.networks(i).encrypted(), i < 3) << i;
}

TEST(CollectNetworks, ErrorsAreOutcomes) {
  FakeEngineHost host;
  host.docker.FailOthers(absl::DeadlineExceededError("hung"));
  EXPECT_EQ(CollectNetworks(host.env, "/v1.41").outcome().state(), v1::SourceOutcome::TIMED_OUT);
  for (const char* reply :
       {"{}", "[1]", R"([{"Id":1}])", R"([{"Id":"../x"}])", "[", R"([{"Id":"a","Options":[]}])"}) {
    host.docker.Serve("/v1.41/networks", reply);
    EXPECT_EQ(CollectNetworks(host.env, "/v1.41").outcome().state(), v1::SourceOutcome::MALFORMED)
        << reply;
  }
  host.docker.SetPeer(absl::PermissionDeniedError("EACCES"));
  const int calls = host.docker.calls("/v1.41/networks");
  EXPECT_EQ(CollectNetworks(host.env, "").outcome().state(), v1::SourceOutcome::PERMISSION_DENIED);
  EXPECT_EQ(host.docker.calls("/v1.41/networks"), calls);
}

}  // namespace
}  // namespace plimsoll::sources
