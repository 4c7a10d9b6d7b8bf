#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ControllersTest : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    for (const char* id : {"h1", "h2", "h3"}) ASSERT_TRUE(AddHost(*store_, id, id).ok());
    ASSERT_TRUE(controllers().Beat("c1", "one", At(10)).ok());
    ASSERT_TRUE(controllers().Beat("c2", "two", At(20)).ok());
    leases_["h1"] = Begin("h1", "c1");
    leases_["h2"] = Begin("h2", "c2");
    leases_["h3"] = Begin("h3", "c1");
  }
  ControllerStore& controllers() { return store_->controllers(); }
  int64_t Begin(const std::string& host, const std::string& controller) {
    SessionStart start;
    start.host_id = host;
    start.hostname = host;
    start.controller_id = controller;
    start.time = At(20);
    const auto lease = store_->hosts().BeginSession(start);
    EXPECT_TRUE(lease.ok()) << lease.status();
    return lease->epoch;
  }
  // The controller has said nothing for this long.
  void Silence(const std::string& controller, int seconds) {
    Sql(absl::StrCat("UPDATE controller SET seen = now() - interval '", seconds,
                     " seconds' WHERE id = '", controller, "'"));
  }
  std::vector<std::string> Connected() {
    std::vector<std::string> ids;
    for (const pqxx::row& row : Sql("SELECT id FROM host WHERE connected ORDER BY id")) {
      ids.push_back(row[0].as<std::string>());
    }
    return ids;
  }
  absl::Status Put(const std::string& host) {
    TestEvaluation evaluation(host, 1);
    evaluation.Done();
    evaluation.value.session_epoch = leases_[host];
    return store_->reports().Put(evaluation.value);
  }

  std::map<std::string, int64_t> leases_;
};

TEST_F(ControllersTest, SessionsOfADeadControllerEnd) {
  EXPECT_EQ(store_->hosts().Get("h1")->controller(), "one");
  Silence("c1", 7200);
  Silence("c2", 600);
  // However wrong its own clock is.
  ASSERT_TRUE(controllers().Beat("c1", "one", At(15)).ok());
  EXPECT_THAT(*controllers().ExpireDead(absl::Hours(1)), IsEmpty());
  Silence("c1", 7200);
  EXPECT_THAT(*controllers().ExpireDead(absl::Hours(1)),
              ::testing::UnorderedElementsAre("h1", "h3"));
  EXPECT_THAT(Connected(), ElementsAre("h2"));
  EXPECT_THAT(*controllers().ExpireDead(absl::Hours(1)), IsEmpty());
  // It was only slow: what it writes now is refused, and it learns of it.
  EXPECT_TRUE(absl::IsAborted(Put("h1")));
  EXPECT_TRUE(Put("h2").ok());
  ASSERT_TRUE(controllers().Beat("c1", "one", At(30)).ok());
  leases_["h1"] = Begin("h1", "c1");
  EXPECT_TRUE(Put("h1").ok());
}

TEST_F(ControllersTest, ASessionOfAForgottenControllerIsAnOrphan) {
  Silence("c1", 7200);
  ASSERT_TRUE(controllers().ExpireDead(absl::Hours(1)).ok());
  leases_["h1"] = Begin("h1", "c1");
  EXPECT_THAT(*controllers().ExpireDead(absl::Hours(1)), ElementsAre("h1"));
}

TEST_F(ControllersTest, WhoLeavesEndsItsOwnSessions) {
  const int64_t seen = store_->hosts().Get("h1")->last_seen_time().seconds();
  ASSERT_TRUE(controllers().Leave("c1").ok());
  EXPECT_THAT(Connected(), ElementsAre("h2"));
  EXPECT_EQ(Count("controller"), 1);
  EXPECT_EQ(store_->hosts().Get("h1")->last_seen_time().seconds(), seen);
  ASSERT_TRUE(controllers().Leave("c1").ok());
}

TEST_F(ControllersTest, AnEmbeddedDatabaseHasOneController) {
  ASSERT_TRUE(controllers().LeaveOthers("c2").ok());
  EXPECT_THAT(Connected(), ElementsAre("h2"));
  EXPECT_EQ(Count("controller"), 1);
  ASSERT_TRUE(controllers().LeaveOthers("another").ok());
  EXPECT_THAT(Connected(), IsEmpty());
}

}  // namespace
}  // namespace plimsoll::store
