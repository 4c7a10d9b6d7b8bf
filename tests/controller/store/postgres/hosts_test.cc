#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

// Queries name only the members that a case is about.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HostsTest : public ::testing::Test {
 protected:
  HostStore& hosts() { return store_->hosts(); }

  std::vector<std::string> List(const HostQuery& query) {
    std::vector<std::string> ids;
    auto page = hosts().List(query);
    EXPECT_TRUE(page.ok()) << page.status();
    for (const v1::Host& host : *page) ids.push_back(host.id());
    return ids;
  }

  v1::Host::Connection Connection(const std::string& id) { return hosts().Get(id)->connection(); }

  std::unique_ptr<Store> store_ = plimsoll::testing::FreshStore();
};

TEST_F(HostsTest, SessionsMoveTheConnectionState) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  v1::EnrollmentToken token;
  token.set_id("t");
  token.set_max_uses(1);
  ASSERT_TRUE(store_->enrollment().CreateToken(token, "s").ok());
  ASSERT_TRUE(store_->enrollment().Enroll("s", "new", {"n", "h2", At(0), At(9)}, At(0)).ok());
  EXPECT_EQ(Connection("h1"), v1::Host::CONNECTED);
  EXPECT_EQ(Connection("h2"), v1::Host::NEVER_SEEN);
  ASSERT_TRUE(hosts().EndSession("h1", At(20)).ok());
  EXPECT_EQ(Connection("h1"), v1::Host::DISCONNECTED);
  EXPECT_EQ(hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(20)));
  SessionStart start{.host_id = "h1", .hostname = "renamed", .time = At(30)};
  ASSERT_TRUE(hosts().BeginSession(start).ok());
  ASSERT_TRUE(hosts().EndAllSessions().ok());
  EXPECT_EQ(Connection("h1"), v1::Host::DISCONNECTED);
  EXPECT_EQ(Connection("h2"), v1::Host::NEVER_SEEN);
  ASSERT_TRUE(store_->enrollment().RevokeHost("h1", "lost", At(40)).ok());
  EXPECT_EQ(Connection("h1"), v1::Host::REVOKED);
  EXPECT_TRUE(absl::IsPermissionDenied(hosts().BeginSession(start)));
  start.host_id = "h9";
  EXPECT_TRUE(absl::IsNotFound(hosts().BeginSession(start)));
  EXPECT_TRUE(absl::IsNotFound(hosts().EndSession("h9", At(1))));
}

TEST_F(HostsTest, BeginSessionTakesOverWhatTheCollectorSays) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha", {{"old", "1"}}).ok());
  ASSERT_TRUE(hosts()
                  .BeginSession({.host_id = "h1",
                                 .hostname = "beta",
                                 .collector_version = "0.2.0",
                                 .engine_id = "E",
                                 .boot_id = "B",
                                 .labels = {{"k", "v \"'\\"}, {"e", ""}},
                                 .clock_skew = absl::Milliseconds(-1500),
                                 .time = At(5)})
                  .ok());
  auto host = hosts().Get("h1");
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_EQ(host->hostname(), "beta");
  EXPECT_EQ(host->collector_version(), "0.2.0");
  EXPECT_EQ(host->labels().size(), 2u);
  EXPECT_EQ(host->labels().at("k"), "v \"'\\");
  EXPECT_EQ(host->labels().at("e"), "");
  EXPECT_EQ(host->clock_skew().seconds(), -1);
  EXPECT_EQ(host->clock_skew().nanos(), -500000000);
  EXPECT_EQ(host->enroll_time().seconds(), absl::ToUnixSeconds(At(0)));
  EXPECT_FALSE(host->has_observed_time());
}

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
}

TEST_F(HostsTest, ListsByNameAndPagesByKey) {
  ASSERT_TRUE(AddHost(*store_, "h3", "alpha", {{"env", "prod"}}).ok());
  ASSERT_TRUE(AddHost(*store_, "h1", "beta", {{"env", "prod"}, {"team", "x"}}).ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "beta", {{"env", "test"}}).ok());
  ASSERT_TRUE(AddHost(*store_, "h4", "Zeta 100%").ok());
  EXPECT_THAT(List({}), ElementsAre("h4", "h3", "h1", "h2"));
  EXPECT_THAT(List({.limit = 2}), ElementsAre("h4", "h3"));
  EXPECT_THAT(List({.after_hostname = "alpha", .after_id = "h3", .limit = 1}), ElementsAre("h1"));
  EXPECT_THAT(List({.after_hostname = "beta", .after_id = "h1"}), ElementsAre("h2"));
  EXPECT_THAT(List({.labels = {{"env", "prod"}}}), ElementsAre("h3", "h1"));
  EXPECT_THAT(List({.labels = {{"env", "prod"}, {"team", "x"}}}), ElementsAre("h1"));
  EXPECT_THAT(List({.name_contains = "ETA"}), ElementsAre("h4", "h1", "h2"));
  EXPECT_THAT(List({.name_contains = "0%"}), ElementsAre("h4"));
  EXPECT_THAT(List({.name_contains = "%"}), ElementsAre("h4"));
  EXPECT_THAT(List({.name_contains = "' OR true --"}), IsEmpty());
  EXPECT_THAT(List({.labels = {{"env", "' OR '1'='1"}}}), IsEmpty());
  EXPECT_THAT(List({.labels = {{"\"},{\"", "}"}}}), IsEmpty());
}

TEST_F(HostsTest, ListFillsInCounts) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  TestEvaluation evaluation("h2", 1, {MakeBaseline(), MakeBaseline("other")});
  evaluation.Verdict("r1", v1::Verdict::FAIL);
  evaluation.Verdict("r1", v1::Verdict::PASS, {}, 1);
  ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  auto page = hosts().List({});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ((*page)[0].counts().size(), 0u);
  EXPECT_EQ((*page)[1].counts().at("base").fail(), 1);
  EXPECT_EQ((*page)[1].counts().at("other").pass(), 1);
}

TEST_F(HostsTest, TouchOnlyMovesForward) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  ASSERT_TRUE(hosts().Touch({{"h1", At(100)}, {"h2", At(-100)}, {"h9", At(5)}}).ok());
  ASSERT_TRUE(hosts().Touch({}).ok());
  EXPECT_EQ(hosts().Get("h1")->last_seen_time().seconds(), absl::ToUnixSeconds(At(100)));
  EXPECT_EQ(hosts().Get("h2")->last_seen_time().seconds(), absl::ToUnixSeconds(At(1)));
}

}  // namespace
}  // namespace plimsoll::store
