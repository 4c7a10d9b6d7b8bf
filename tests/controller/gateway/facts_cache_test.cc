#include "controller/gateway/facts_cache.h"

#include <gtest/gtest.h>

namespace plimsoll::gateway {
namespace {

class FactsCacheTest : public ::testing::Test {
 protected:
  void Put(const std::string& host, int64_t epoch, const std::string& digest, int64_t bytes = 10) {
    auto facts = std::make_unique<CachedFacts>();
    facts->epoch = epoch;
    facts->digest = digest;
    facts->bytes = bytes;
    cache_.Put(host, std::move(facts));
  }
  bool Has(const std::string& host, int64_t epoch, const std::string& digest) {
    auto facts = cache_.Take(host, epoch, digest);
    const bool has = facts != nullptr;
    if (has) cache_.Put(host, std::move(facts));
    return has;
  }
  GatewayStats stats_;
  FactsCache cache_{100, stats_};
};

TEST_F(FactsCacheTest, TakingIsExclusive) {
  Put("h", 1, "d");
  EXPECT_NE(cache_.Take("h", 1, "d"), nullptr);
  EXPECT_EQ(cache_.Take("h", 1, "d"), nullptr);
  EXPECT_EQ(stats_.cache_hits, 1);
  EXPECT_EQ(stats_.cache_misses, 1);
  EXPECT_EQ(stats_.cache_bytes, 0);
}

TEST_F(FactsCacheTest, HoldsOnlyForItsLeaseAndDigest) {
  Put("h", 1, "d");
  EXPECT_EQ(cache_.Take("h", 2, "d"), nullptr) << "of an earlier lease";
  EXPECT_EQ(stats_.cache_hosts, 0);
  Put("h", 2, "d");
  EXPECT_EQ(cache_.Take("h", 2, "other"), nullptr);
  Put("h", 3, "d");
  EXPECT_EQ(cache_.Take("h", 2, "d"), nullptr) << "a displaced session";
  EXPECT_TRUE(Has("h", 3, "d")) << "its successor's stay";
  Put("h", 2, "late");
  EXPECT_TRUE(Has("h", 3, "d"));
  cache_.Drop("h", 2);
  EXPECT_TRUE(Has("h", 3, "d"));
  cache_.Drop("h", 3);
  EXPECT_FALSE(Has("h", 3, "d"));
}

TEST_F(FactsCacheTest, TheLeastRecentlyUsedGoes) {
  Put("a", 1, "d", 40);
  Put("b", 1, "d", 40);
  EXPECT_TRUE(Has("a", 1, "d"));
  Put("c", 1, "d", 40);
  EXPECT_FALSE(Has("b", 1, "d"));
  EXPECT_TRUE(Has("a", 1, "d"));
  EXPECT_TRUE(Has("c", 1, "d"));
  EXPECT_EQ(stats_.cache_bytes, 80);
  Put("huge", 1, "d", 1000);
  EXPECT_FALSE(Has("huge", 1, "d"));
  EXPECT_EQ(stats_.cache_bytes, 0);
}

TEST_F(FactsCacheTest, MeasuresWhatIsThere) {
  CachedFacts facts;
  facts.Measure();
  const int64_t empty = facts.bytes;
  for (int i = 0; i < 50; ++i) facts.facts.mutable_containers()->add_containers()->set_id("c");
  facts.Measure();
  EXPECT_GT(facts.bytes, empty + 50 * static_cast<int64_t>(sizeof(v1::Container)));
}

}  // namespace
}  // namespace plimsoll::gateway
