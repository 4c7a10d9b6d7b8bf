#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;
using Labels = std::map<std::string, std::string>;

class HostLabelsTest : public StoreTestBase {
 protected:
  void SetUp() override {
    StoreTestBase::SetUp();
    ASSERT_TRUE(AddHost(*store_, "h1", "alpha", {{"env", "prod"}, {"tier", "web"}}).ok());
    ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  }
  static absl::Status Anything(const LabeledHost&) { return absl::OkStatus(); }
  // Ids of the hosts that changed.
  std::vector<std::string> Set(const std::vector<std::string>& ids, const LabelChange& change) {
    std::vector<std::string> changed;
    const auto hosts = store_->hosts().SetLabels(ids, change, Anything);
    EXPECT_TRUE(hosts.ok()) << hosts.status();
    if (!hosts.ok()) return changed;
    for (const LabeledHost& host : *hosts) changed.push_back(host.after.id());
    return changed;
  }
  static Labels Of(const google::protobuf::Map<std::string, std::string>& labels) {
    return {labels.begin(), labels.end()};
  }
  v1::Host Get(const std::string& id) { return *store_->hosts().Get(id); }
};

TEST_F(HostLabelsTest, LieOverTheCollectorsAndSurviveItsSessions) {
  EXPECT_THAT(Set({"h1", "h2", "h9"}, {{{"tier", "db"}, {"site", "a\"b"}}, {}, "platform"}),
              ElementsAre("h1", "h2"));
  const v1::Host host = Get("h1");
  EXPECT_EQ(Of(host.labels()), (Labels{{"env", "prod"}, {"tier", "db"}, {"site", "a\"b"}}));
  EXPECT_EQ(Of(host.central_labels()), (Labels{{"tier", "db"}, {"site", "a\"b"}}));
  EXPECT_EQ(Of(host.label_managers()), (Labels{{"tier", "platform"}, {"site", "platform"}}));
  // Everything that loads hosts sees the same.
  std::map<std::string, Labels> loaded;
  ASSERT_TRUE(store_->fleet()
                  .Load([&](HostState state) { loaded[state.host.id()] = Of(state.host.labels()); })
                  .ok());
  EXPECT_EQ(loaded["h1"], Of(host.labels()));
  EXPECT_EQ(Of(store_->fleet().Get({"h1"})->at(0).host.labels()), Of(host.labels()));
  SessionStart start;
  start.host_id = "h1";
  start.labels = {{"env", "stage"}, {"tier", "web"}};
  ASSERT_TRUE(store_->hosts().BeginSession(start).ok());
  EXPECT_EQ(Of(Get("h1").labels()), (Labels{{"env", "stage"}, {"tier", "db"}, {"site", "a\"b"}}));
  // What is taken away leaves the collector's own.
  EXPECT_THAT(Set({"h1", "h2"}, {{}, {"tier", "none"}, ""}), ElementsAre("h1", "h2"));
  EXPECT_EQ(Of(Get("h1").labels()), (Labels{{"env", "stage"}, {"tier", "web"}, {"site", "a\"b"}}));
  EXPECT_EQ(Of(Get("h2").label_managers()), (Labels{{"site", "platform"}}));
}

TEST_F(HostLabelsTest, OnlyWhatChangesIsWritten) {
  EXPECT_THAT(Set({"h1"}, {{{"tier", "db"}}, {}, ""}), ElementsAre("h1"));
  EXPECT_THAT(Set({"h1"}, {{{"tier", "db"}}, {"none"}, ""}), ElementsAre());
  // Another manager is a change.
  EXPECT_THAT(Set({"h1", "h2"}, {{{"tier", "db"}}, {}, "files"}), ElementsAre("h1", "h2"));
  EXPECT_THAT(Set({"h1", "h2"}, {{{"tier", "db"}}, {}, "files"}), ElementsAre());
  // Given by hand again: nobody's.
  EXPECT_THAT(Set({"h1"}, {{{"tier", "db"}}, {}, ""}), ElementsAre("h1"));
  EXPECT_TRUE(Get("h1").label_managers().empty());
}

TEST_F(HostLabelsTest, ARefusedHostLeavesAllAsTheyWere) {
  const auto refused = store_->hosts().SetLabels(
      {"h1", "h2"}, {{{"tier", "db"}}, {}, ""}, [](const LabeledHost& host) {
        EXPECT_EQ(host.after.labels().at("tier"), "db");
        return host.before.id() == "h2" ? absl::PermissionDeniedError("not h2") : absl::OkStatus();
      });
  EXPECT_TRUE(absl::IsPermissionDenied(refused.status())) << refused.status();
  EXPECT_TRUE(Get("h1").central_labels().empty());
  const auto validated =
      store_->hosts().SetLabels({"h1"}, {{{"tier", "db"}}, {}, "", true}, Anything);
  ASSERT_TRUE(validated.ok()) << validated.status();
  EXPECT_EQ(validated->size(), 1u);
  EXPECT_TRUE(Get("h1").central_labels().empty());
}

}  // namespace
}  // namespace plimsoll::store
