#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/match.h"
#include "controller/store/activity_store.h"
#include "proto/support/activity_hash.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

class ActivityTest : public StoreTestBase {
 protected:
  v1::Activity Entry(const std::string& actor, const std::string& action, const std::string& object,
                     int second = 0) {
    v1::Activity entry;
    entry.mutable_time()->set_seconds(absl::ToUnixSeconds(At(second)));
    entry.set_actor_kind(v1::Activity::USER);
    entry.set_actor_id("id of " + actor);
    entry.set_actor_name(actor);
    entry.set_action(action);
    entry.set_object(object);
    entry.set_outcome("OK");
    return entry;
  }
  absl::Status Append(v1::Activity entry, Store* store = nullptr) {
    std::vector<v1::Activity> entries = {std::move(entry)};
    return (store == nullptr ? *store_ : *store).activity().Append(entries);
  }
  // Objects of what `query` finds, newest first.
  std::string Objects(const ActivityQuery& query) {
    const auto entries = store_->activity().List(query);
    EXPECT_TRUE(entries.ok()) << entries.status();
    std::string objects;
    for (const v1::Activity& entry : *entries) objects += entry.object() + " ";
    return objects;
  }
};

TEST_F(ActivityTest, EntriesAreChainedAsTheyAreStored) {
  v1::Activity hostile = Entry("ann", "A.B", "hosts/1");
  hostile.set_message(std::string("nul \0 and \xff bytes", 17));
  hostile.mutable_time()->set_nanos(123456789);
  ASSERT_TRUE(Append(hostile).ok());
  ASSERT_TRUE(Append(Entry("bob", "A.C", "hosts/2")).ok());
  const auto entries = store_->activity().List({});
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[1].previous_hash(), support::kNoActivityHash);
  EXPECT_EQ((*entries)[0].previous_hash(), (*entries)[1].hash());
  for (const v1::Activity& entry : *entries) {
    EXPECT_EQ(entry.hash(), support::ActivityHash(entry)) << entry.DebugString();
  }
  const auto head = store_->activity().Head();
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->sequence(), 2);
  EXPECT_EQ(head->hash(), (*entries)[0].hash());
}

TEST_F(ActivityTest, TwoControllersMakeOneChain) {
  auto other = Store::Open({.url = url_, .pool_size = 2});
  ASSERT_TRUE(other.ok());
  std::thread second([&] {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(Append(Entry("b", "A.B", "x/2"), other->get()).ok());
  });
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Append(Entry("a", "A.B", "x/1")).ok());
  second.join();
  const auto entries = store_->activity().List({.limit = 1000});
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), 100u);
  for (size_t i = 1; i < entries->size(); ++i) {
    EXPECT_EQ((*entries)[i - 1].previous_hash(), (*entries)[i].hash());
    EXPECT_EQ((*entries)[i - 1].sequence(), (*entries)[i].sequence() + 1);
  }
}

TEST_F(ActivityTest, FiltersAndPages) {
  ASSERT_TRUE(Append(Entry("ann", "UserService.CreateUser", "users/1", 10)).ok());
  ASSERT_TRUE(Append(Entry("ann", "UserServices.Other", "userss/2", 20)).ok());
  ASSERT_TRUE(Append(Entry("bob", "HostService.RemoveHost", "hosts/3", 30)).ok());
  EXPECT_EQ(Objects({}), "hosts/3 userss/2 users/1 ");
  EXPECT_EQ(Objects({.actor = "bob"}), "hosts/3 ");
  EXPECT_EQ(Objects({.actor = "id of ann"}), "userss/2 users/1 ");
  EXPECT_EQ(Objects({.action = "UserService"}), "users/1 ");
  EXPECT_EQ(Objects({.action = "UserService.CreateUser"}), "users/1 ");
  EXPECT_EQ(Objects({.object = "users"}), "users/1 ");
  EXPECT_EQ(Objects({.object = "hosts/3"}), "hosts/3 ");
  EXPECT_EQ(Objects({.start = At(20), .end = At(30)}), "userss/2 ");
  EXPECT_EQ(Objects({.before_sequence = 3, .limit = 1}), "userss/2 ");
  EXPECT_EQ(Objects({.actor = "' OR 1=1 --"}), "");
}

TEST_F(ActivityTest, RetentionLeavesAnAnchorAndSaysSo) {
  for (int i = 1; i <= 6; ++i) {
    ASSERT_TRUE(Append(Entry("ann", "A.B", absl::StrCat("x/", i), 10 * i)).ok());
  }
  const auto before = store_->activity().List({});
  ASSERT_TRUE(before.ok());
  const auto dropped =
      store_->activity().Retain(At(35), Entry("controller", "DropActivity", "", 70));
  ASSERT_TRUE(dropped.ok()) << dropped.status();
  EXPECT_EQ(*dropped, 3);
  EXPECT_EQ(Objects({}), "activity/3 x/6 x/5 x/4 ");
  const auto head = store_->activity().Head();
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->sequence(), 7);
  EXPECT_EQ(head->dropped_sequence(), 3);
  EXPECT_EQ(head->dropped_hash(), (*before)[3].hash());
  const auto after = store_->activity().List({});
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->back().previous_hash(), head->dropped_hash());
  EXPECT_TRUE(absl::StrContains(after->front().message(), head->dropped_hash()));
  // Nothing is old enough: nothing is written.
  EXPECT_EQ(store_->activity().Retain(At(35), Entry("c", "DropActivity", "", 80)).value(), 0);
  EXPECT_EQ(store_->activity().Head()->sequence(), 7);
  // Some at a time.
  EXPECT_EQ(store_->activity().Retain(At(55), Entry("c", "DropActivity", "", 80), 1).value(), 1);
  EXPECT_EQ(Objects({}), "activity/4 activity/3 x/6 x/5 ");
  EXPECT_EQ(store_->activity().Head()->dropped_sequence(), 4);
  EXPECT_EQ(store_->activity().Retain(At(55), Entry("c", "DropActivity", "", 80), 1).value(), 1);
  EXPECT_EQ(store_->activity().Retain(At(55), Entry("c", "DropActivity", "", 80), 1).value(), 0);
  EXPECT_EQ(Objects({}), "activity/5 activity/4 activity/3 x/6 ");
  // Everything is old: the newest stays, so that the chain has an end.
  EXPECT_EQ(store_->activity().Retain(At(1000), Entry("c", "DropActivity", "", 90)).value(), 3);
  EXPECT_EQ(Objects({}), "activity/8 activity/5 ");
}

}  // namespace
}  // namespace plimsoll::store
