#include "controller/api/events.h"

#include <gtest/gtest.h>

#include <atomic>

#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

class EventsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Stream> Open(const v1::WatchEventsRequest& request = {}) {
    auto stream = parts_.events.Open(request, [this] { ++told_; });
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }
  // The next event; empty when there is none.
  static v1::Event Next(Stream& stream, const Principal& who = Viewer()) {
    const auto step = stream.Next(who);
    EXPECT_TRUE(step.ok()) << step.status();
    return step->message == nullptr ? v1::Event() : static_cast<const v1::Event&>(*step->message);
  }
  static v1::WatchEventsRequest After(const std::string& id) {
    v1::WatchEventsRequest request;
    request.set_after(id);
    return request;
  }
  Parts parts_;
  std::atomic<int> told_{0};
};

TEST_F(EventsTest, BeginsWithCountsAndTellsWhatChanges) {
  ASSERT_TRUE(parts_.AddJudgedHost("h-1", "web-1").ok());
  auto stream = Open();
  const v1::Event first = Next(*stream);
  EXPECT_EQ(first.host_count(), 1);
  EXPECT_EQ(first.counts().at("base").fail(), 2);
  EXPECT_EQ(first.hosts_size(), 0);
  EXPECT_EQ(Next(*stream).id(), "");
  ASSERT_TRUE(parts_.AddHost("h-2", "web-2").ok());
  parts_.changes.Tick();
  EXPECT_EQ(told_, 1);
  const v1::Event second = Next(*stream);
  ASSERT_EQ(second.hosts_size(), 1);
  EXPECT_EQ(second.hosts(0).id(), "h-2");
  EXPECT_EQ(second.host_count(), 2);
  ASSERT_TRUE(parts_.store->hosts().Remove("h-2", "", parts_.clock.Now()).ok());
  ASSERT_TRUE(parts_.Show("h-2").ok());
  const v1::Event third = Next(*stream);
  EXPECT_EQ(third.gone_host_ids_size(), 1);
  // Nothing new is not told.
  parts_.changes.Tick();
  parts_.changes.Tick();
  EXPECT_EQ(told_, 2);
}

TEST_F(EventsTest, GoesOnWhereAClientWas) {
  auto stream = Open();
  const std::string id = Next(*stream).id();
  ASSERT_TRUE(parts_.AddHost("h-1", "web-1").ok());
  auto again = Open(After(id));
  const v1::Event event = Next(*again);
  EXPECT_FALSE(event.resync());
  ASSERT_EQ(event.hosts_size(), 1);
  EXPECT_TRUE(Next(*Open(After("other/1"))).resync());
  EXPECT_TRUE(Next(*Open(After("epoch/999999"))).resync());
  EXPECT_TRUE(Next(*Open(After("nonsense"))).resync());
  EXPECT_FALSE(Next(*Open()).resync());
}

TEST_F(EventsTest, ShowsThePartOfTheFleetThatTheCallerSees) {
  auto stream = Open();
  Principal who = Viewer();
  who.scope = "env=prod";
  EXPECT_EQ(Next(*stream, who).host_count(), 0);
  ASSERT_TRUE(parts_.AddHost("h-1", "web-1", {{"env", "prod"}}).ok());
  ASSERT_TRUE(parts_.AddHost("h-2", "web-2", {{"env", "test"}}).ok());
  const v1::Event event = Next(*stream, who);
  EXPECT_EQ(event.host_count(), 1);
  ASSERT_EQ(event.hosts_size(), 1);
  EXPECT_EQ(event.hosts(0).id(), "h-1");
  EXPECT_EQ(event.gone_host_ids_size(), 0);
  v1::WatchEventsRequest bad;
  bad.set_selector("===");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.events.Open(bad, [] {}).status()));
}

TEST(ChangeLogTest, IsBoundedAndKnowsWhatItForgot) {
  fleet::ChangeLog log("e", 3);
  log.Add({"a", "b", "a"});
  EXPECT_EQ(log.After(0).host_ids, (std::vector<std::string>{"a", "b"}));
  log.Add({"c"});
  EXPECT_TRUE(log.After(0).missed);
  EXPECT_EQ(log.After(1).host_ids, (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_TRUE(log.After(4).host_ids.empty());
  EXPECT_TRUE(log.After(5).missed);
  EXPECT_EQ(log.Watch([] {}, 1), 1u);
  EXPECT_EQ(log.Watch([] {}, 1), 0u);
}

}  // namespace
}  // namespace plimsoll::api
