#include "controller/store/facts_codec.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::store {
namespace {

TEST(FactsCodecTest, PacksAndUnpacks) {
  v1::HostFacts facts;
  for (int i = 0; i < 50; ++i) {
    facts.mutable_containers()->add_containers()->set_name(absl::StrCat("container ", i));
  }
  auto packed = Compress(facts);
  ASSERT_TRUE(packed.ok()) << packed.status();
  EXPECT_LT(packed->size(), facts.ByteSizeLong() / 2);
  v1::HostFacts copy;
  ASSERT_TRUE(Decompress(*packed, copy).ok());
  EXPECT_EQ(copy.SerializeAsString(), facts.SerializeAsString());
  for (const std::string& bad :
       {std::string(), std::string("x"), packed->substr(0, 40), *packed + "x"}) {
    EXPECT_TRUE(absl::IsDataLoss(Decompress(bad, copy))) << bad.size();
    EXPECT_EQ(copy.ByteSizeLong(), 0u);
  }
  EXPECT_EQ(*Compress(copy), *Compress(v1::HostFacts()));
}

}  // namespace
}  // namespace plimsoll::store
