#include "controller/gateway/session_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// Records how sessions are ended: "name CODE".
class SessionRegistryTest : public ::testing::Test {
 protected:
  struct Fake : OpenSession {
    Fake(SessionRegistryTest& t, std::string n) : test(t), name(std::move(n)) {}
    bool End(const absl::Status& why) override {
      if (std::exchange(is_over, true)) return false;
      test.ended_.push_back(name + " " + absl::StatusCodeToString(why.code()));
      if (then) then();
      return true;
    }
    void Tick(absl::Time now) override { test.ticked_.push_back(name); }
    absl::Time LastHeard() const override { return heard; }
    int64_t Epoch() const override { return epoch; }
    SessionRegistryTest& test;
    const std::string name;
    std::function<void()> then;
    absl::Time heard = absl::UnixEpoch();
    int64_t epoch = 0;
    bool is_over = false;
  };
  uint64_t Open(const std::string& host, const std::string& name) {
    made_.push_back(std::make_shared<Fake>(*this, name));
    return registry_.Open(host, made_.back());
  }
  uint64_t Session(const std::string& host, const std::string& name) {
    const uint64_t id = Open(host, name);
    EXPECT_TRUE(registry_.Claim(host, id));
    return id;
  }
  SessionRegistry registry_;
  std::vector<std::shared_ptr<Fake>> made_;
  std::vector<std::string> ended_;
  std::vector<std::string> ticked_;
};

TEST_F(SessionRegistryTest, TheNewerSessionOfAHostStays) {
  const uint64_t first = Session("h1", "first");
  Session("h2", "other");
  const uint64_t second = Open("h1", "second");
  EXPECT_THAT(ended_, ElementsAre()) << "it may yet be refused";
  EXPECT_TRUE(registry_.Claim("h1", second));
  EXPECT_THAT(ended_, ElementsAre("first ABORTED"));
  EXPECT_NE(first, second);
  EXPECT_EQ(registry_.Count(), 2u);
  EXPECT_FALSE(registry_.Close("h1", first)) << "displaced";
  EXPECT_TRUE(registry_.Close("h1", second));
  EXPECT_FALSE(registry_.Close("h1", second)) << "twice";
  EXPECT_EQ(registry_.Count(), 1u);
}

TEST_F(SessionRegistryTest, AHostHasOneStreamThatMayBecomeItsSession) {
  Session("h1", "session");
  const uint64_t a = Open("h1", "a");
  const uint64_t b = Open("h1", "b");
  EXPECT_THAT(ended_, ElementsAre("a ABORTED"));
  EXPECT_FALSE(registry_.Claim("h1", a));
  EXPECT_FALSE(registry_.Close("h1", a));
  EXPECT_EQ(registry_.OpenCount(), 2u);
  EXPECT_FALSE(registry_.Close("h1", b)) << "never was the session";
  EXPECT_FALSE(registry_.Claim("h1", b));
  EXPECT_EQ(registry_.OpenCount(), 1u);
}

TEST_F(SessionRegistryTest, EndsOneHost) {
  Session("h1", "one");
  Session("h2", "two");
  Open("h2", "greeting");
  registry_.EndHost("h2", absl::PermissionDeniedError("revoked"));
  registry_.EndHost("h3", absl::PermissionDeniedError("revoked"));
  EXPECT_THAT(ended_, ElementsAre("two PERMISSION_DENIED", "greeting PERMISSION_DENIED"));
}

TEST_F(SessionRegistryTest, AfterDrainNobodyStays) {
  Session("h1", "one");
  const uint64_t greeting = Open("h3", "greeting");
  EXPECT_FALSE(registry_.IsDraining());
  registry_.Drain();
  EXPECT_TRUE(registry_.IsDraining());
  EXPECT_THAT(ended_, UnorderedElementsAre("one UNAVAILABLE", "greeting UNAVAILABLE"));
  EXPECT_FALSE(registry_.Claim("h3", greeting));
  ended_.clear();
  const uint64_t late = Open("h2", "late");
  EXPECT_THAT(ended_, ElementsAre("late UNAVAILABLE"));
  EXPECT_FALSE(registry_.Close("h2", late));
}

TEST_F(SessionRegistryTest, AnEndMayCallBack) {
  const uint64_t id = Session("h1", "one");
  bool removed = false;
  made_.back()->then = [&] { removed = registry_.Close("h1", id); };
  registry_.EndHost("h1", absl::AbortedError("go"));
  EXPECT_TRUE(removed);
}

TEST_F(SessionRegistryTest, TicksAllAndTellsWhoWasHeard) {
  Session("h1", "one");
  made_.back()->heard = absl::FromUnixSeconds(10);
  Session("h2", "two");
  made_.back()->heard = absl::FromUnixSeconds(20);
  Open("h3", "greeting");
  made_.back()->heard = absl::FromUnixSeconds(30);
  registry_.Tick(absl::FromUnixSeconds(40));
  EXPECT_THAT(ticked_, UnorderedElementsAre("one", "two", "greeting"));
  EXPECT_THAT(registry_.Heard(absl::FromUnixSeconds(10)),
              ElementsAre(Pair("h2", absl::FromUnixSeconds(20))));
}

TEST_F(SessionRegistryTest, EndsWhoLostTheLeaseAndNobodyElse) {
  struct Given {
    const char* host;
    const char* name;
    int64_t epoch;
    int heard;
  };
  for (const Given& given : std::vector<Given>{
           {"h1", "one", 7, 20}, {"h2", "silent", 8, 10}, {"h3", "not welcomed", 0, 20}}) {
    Session(given.host, given.name);
    made_.back()->epoch = given.epoch;
    made_.back()->heard = absl::FromUnixSeconds(given.heard);
  }
  const auto heard = registry_.HeardByLease(absl::FromUnixSeconds(10));
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard.at("h1").epoch, 7);
  EXPECT_EQ(heard.at("h1").time, absl::FromUnixSeconds(20));

  const absl::Status lost = absl::AbortedError("lost");
  EXPECT_FALSE(registry_.EndLease("h1", 6, lost)) << "its successor";
  EXPECT_FALSE(registry_.EndLease("h9", 7, lost));
  EXPECT_THAT(ended_, ElementsAre());
  Open("h1", "greeting");
  EXPECT_TRUE(registry_.EndLease("h1", 7, lost));
  EXPECT_FALSE(registry_.EndLease("h1", 7, lost)) << "once";
  EXPECT_THAT(ended_, ElementsAre("one ABORTED"));
}

TEST_F(SessionRegistryTest, AHostHasAlwaysTheSameLock) {
  EXPECT_EQ(&registry_.LeaseLock("h1"), &registry_.LeaseLock("h1"));
}

}  // namespace
}  // namespace plimsoll::gateway
