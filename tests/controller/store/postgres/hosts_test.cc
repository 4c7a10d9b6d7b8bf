#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HostsTest : public StoreTestBase {
 protected:
  HostStore& hosts() { return store_->hosts(); }
  v1::Host::Connection Connection(const std::string& id) { return hosts().Get(id)->connection(); }
  std::vector<std::string> Listed() {
    std::vector<std::string> ids;
    EXPECT_TRUE(
        store_->fleet().Load([&ids](HostState state) { ids.push_back(state.host.id()); }).ok());
    return ids;
  }
};

TEST_F(HostsTest, GetByIdOrUniqueName) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "twin").ok());
  ASSERT_TRUE(AddHost(*store_, "h3", "twin").ok());
  // A host may name itself after another's id; the id wins.
  ASSERT_TRUE(AddHost(*store_, "h4", "h1").ok());
  EXPECT_EQ(hosts().Get("alpha")->id(), "h1");
  EXPECT_EQ(hosts().Get("h1")->id(), "h1");
  EXPECT_TRUE(absl::IsNotFound(hosts().Get("none").status()));
  EXPECT_TRUE(absl::IsNotFound(hosts().Get("' OR true --").status()));
  const absl::Status twins = hosts().Get("twin").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(twins)) << twins;
  EXPECT_TRUE(absl::StrContains(twins.message(), "h2, h3")) << twins;
  // A revoked host leaves its name to its successor.
  ASSERT_TRUE(store_->enrollment().RevokeHost("h2", "", At(1)).ok());
  EXPECT_EQ(hosts().Get("twin")->id(), "h3");
  EXPECT_EQ(Connection("h2"), v1::Host::REVOKED);
}

TEST_F(HostsTest, GetFillsInCounts) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  EXPECT_EQ(hosts().Get("h1")->counts().size(), 0u);
  TestEvaluation evaluation("h1", 1, {MakeBaseline(), MakeBaseline("other")});
  evaluation.Verdict("r1", v1::Verdict::FAIL);
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  EXPECT_EQ(hosts().Get("h1")->counts().at("base").fail(), 1);
  EXPECT_EQ(hosts().Get("h1")->counts().at("other").pass(), 4);
}

TEST_F(HostsTest, ARemovedHostKeepsItsHistoryAndNothingElse) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  TestEvaluation evaluation("h1", 1);
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(hosts().Remove("h1", "scrapped", At(20)).ok());
  EXPECT_TRUE(absl::IsNotFound(hosts().Remove("h9", "", At(20))));
  EXPECT_THAT(Listed(), ElementsAre("h2"));
  EXPECT_TRUE(absl::IsNotFound(hosts().Get("alpha").status()));
  EXPECT_EQ(hosts().Get("h1")->hostname(), "alpha");
  EXPECT_EQ(Connection("h1"), v1::Host::DISCONNECTED);
  EXPECT_EQ(History().size(), 4u);
  EXPECT_TRUE(store_->reports().GetFacts("h1").ok());
  const auto states = store_->fleet().Get({"h1", "h2", "h9"});
  ASSERT_EQ(states->size(), 2u);
  EXPECT_TRUE(states->at(0).removed);
  EXPECT_FALSE(states->at(1).removed);
  SessionStart start;
  start.host_id = "h1";
  EXPECT_TRUE(absl::IsPermissionDenied(hosts().BeginSession(start).status()));
}

TEST_F(HostsTest, HostsNobodyHasSeenAreRemoved) {
  const std::map<std::string, int> seen = {{"h1", 100}, {"h2", 49}, {"h3", 50}};
  for (const auto& [id, seconds] : seen) {
    const auto lease = AddHost(*store_, id, id);
    ASSERT_TRUE(lease.ok()) << lease.status();
    ASSERT_TRUE(hosts().EndSession(id, lease->epoch, At(seconds)).ok());
  }
  // Is back, and has said nothing yet.
  ASSERT_TRUE(AddHost(*store_, "h6", "h6").ok());
  v1::EnrollmentToken token;
  token.set_id("t");
  token.set_max_uses(2);
  ASSERT_TRUE(store_->enrollment().CreateToken(token, "s").ok());
  ASSERT_TRUE(store_->enrollment().Enroll("s", "old", {"o", "h4", At(0), At(9)}, At(0)).ok());
  ASSERT_TRUE(store_->enrollment().Enroll("s", "new", {"n", "h5", At(0), At(9)}, At(60)).ok());
  const auto removed = hosts().RemoveUnseen(At(50), "not seen", At(200));
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(*removed, ::testing::UnorderedElementsAre("h2", "h4"));
  EXPECT_THAT(Listed(), ElementsAre("h1", "h3", "h5", "h6"));
  EXPECT_THAT(*hosts().RemoveUnseen(At(50), "not seen", At(201)), IsEmpty());
}

TEST_F(HostsTest, TouchOnlyMovesForward) {
  const auto h1 = AddHost(*store_, "h1", "alpha");
  const auto h2 = AddHost(*store_, "h2", "beta");
  ASSERT_TRUE(h1.ok() && h2.ok()) << h1.status() << h2.status();
  const auto lost = hosts().Touch(
      {{"h1", {h1->epoch, At(100)}}, {"h2", {h2->epoch, At(-100)}}, {"h9", {1, At(5)}}});
  ASSERT_TRUE(lost.ok()) << lost.status();
  EXPECT_THAT(*lost, IsEmpty());
  ASSERT_TRUE(hosts().Touch({}).ok());
  EXPECT_EQ(hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(100)));
  EXPECT_EQ(hosts().Get("h2")->last_seen_time().seconds(), absl::ToUnixSeconds(At(1)));
}

}  // namespace
}  // namespace plimsoll::store
