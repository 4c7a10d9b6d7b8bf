#include "proto/support/activity_hash.h"

#include <gtest/gtest.h>

#include "proto/support/digest.h"

namespace plimsoll::support {
namespace {

v1::Activity Sample() {
  v1::Activity entry;
  entry.set_sequence(7);
  entry.mutable_time()->set_seconds(1800000000);
  entry.mutable_time()->set_nanos(5000);
  entry.set_actor_kind(v1::Activity::USER);
  entry.set_actor_id("u-1");
  entry.set_actor_name("ann");
  entry.set_peer("10.0.0.1");
  entry.set_action("UserService.CreateUser");
  entry.set_object("users/u-2");
  entry.set_outcome("OK");
  entry.set_after_json("{\"name\":\"bob\"}");
  entry.set_previous_hash(kNoActivityHash);
  return entry;
}

// What the proto documents, spelt out: others compute it without this program.
TEST(ActivityHashTest, IsOfTheDocumentedBytes) {
  EXPECT_EQ(ActivityHash(Sample()),
            Sha256Hex("plimsoll-activity-1\n"
                      "1:7,16:1800000000000005,4:USER,3:u-1,3:ann,8:10.0.0.1,"
                      "22:UserService.CreateUser,9:users/u-2,2:OK,0:,0:,14:{\"name\":\"bob\"},"
                      "64:0000000000000000000000000000000000000000000000000000000000000000,"));
}

TEST(ActivityHashTest, EveryMemberCountsAndItsPlaceToo) {
  const std::string hash = ActivityHash(Sample());
  const auto* descriptor = v1::Activity::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    v1::Activity other = Sample();
    other.GetReflection()->ClearField(&other, field);
    if (field->name() == "hash") {
      other.set_hash("anything");
      EXPECT_EQ(ActivityHash(other), hash);
    } else if (Sample().GetReflection()->HasField(Sample(), field)) {
      EXPECT_NE(ActivityHash(other), hash) << field->name();
    } else {
      other.GetReflection()->SetString(&other, field, "x");
      EXPECT_NE(ActivityHash(other), hash) << field->name();
    }
  }
  // The same characters, cut elsewhere.
  v1::Activity moved = Sample();
  moved.set_actor_id("u-1a");
  moved.set_actor_name("nn");
  EXPECT_NE(ActivityHash(moved), hash);
}

}  // namespace
}  // namespace plimsoll::support
