#include "controller/gateway/session_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Records how sessions are ended: "name CODE".
class SessionRegistryTest : public ::testing::Test {
 protected:
  uint64_t Add(const std::string& host, const std::string& name) {
    return registry_.Add(host, [this, name](const absl::Status& why) {
      ended_.push_back(name + " " + absl::StatusCodeToString(why.code()));
    });
  }
  SessionRegistry registry_;
  std::vector<std::string> ended_;
};

TEST_F(SessionRegistryTest, TheNewerSessionOfAHostStays) {
  const uint64_t first = Add("h1", "first");
  Add("h2", "other");
  const uint64_t second = Add("h1", "second");
  EXPECT_THAT(ended_, ElementsAre("first ABORTED"));
  EXPECT_NE(first, second);
  EXPECT_EQ(registry_.Count(), 2u);
  EXPECT_FALSE(registry_.Remove("h1", first)) << "displaced";
  EXPECT_TRUE(registry_.Has("h1"));
  EXPECT_TRUE(registry_.Remove("h1", second));
  EXPECT_FALSE(registry_.Has("h1"));
  EXPECT_FALSE(registry_.Remove("h1", second)) << "twice";
}

TEST_F(SessionRegistryTest, EndsOneHost) {
  Add("h1", "one");
  Add("h2", "two");
  registry_.EndHost("h2", absl::PermissionDeniedError("revoked"));
  registry_.EndHost("h3", absl::PermissionDeniedError("revoked"));
  EXPECT_THAT(ended_, ElementsAre("two PERMISSION_DENIED"));
}

TEST_F(SessionRegistryTest, AfterDrainNobodyStays) {
  Add("h1", "one");
  registry_.Drain();
  EXPECT_THAT(ended_, ElementsAre("one UNAVAILABLE"));
  ended_.clear();
  const uint64_t late = Add("h2", "late");
  EXPECT_THAT(ended_, ElementsAre("late UNAVAILABLE"));
  EXPECT_FALSE(registry_.Has("h2"));
  EXPECT_FALSE(registry_.Remove("h2", late));
}

TEST_F(SessionRegistryTest, AnEndMayCallBack) {
  uint64_t id = 0;
  bool removed = false;
  id = registry_.Add("h1", [&](const absl::Status&) { removed = registry_.Remove("h1", id); });
  registry_.EndHost("h1", absl::AbortedError("go"));
  EXPECT_TRUE(removed);
  EXPECT_THAT(ended_, IsEmpty());
}

TEST_F(SessionRegistryTest, AHostHasAlwaysTheSameLock) {
  EXPECT_EQ(&registry_.StateLock("h1"), &registry_.StateLock("h1"));
}

}  // namespace
}  // namespace plimsoll::gateway
