#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

using ::testing::ElementsAre;

class NotificationsTest : public StoreTestBase {
 protected:
  void AddChannel(const std::string& id, bool paused = false) {
    StoredChannel channel;
    channel.channel.set_id(id);
    channel.channel.set_name(id);
    channel.channel.set_paused(paused);
    const auto made = store_->notifications().Create(channel);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  void AddDelivery(const std::string& channel, const std::string& id, absl::Time due) {
    v1::Notification notification;
    notification.set_id(id);
    Attempt attempt;
    attempt.delivery_id = id;
    attempt.time = due;
    const auto made = store_->notifications().Add(channel, notification, attempt);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  std::vector<std::string> Take(absl::Time now, int limit) {
    std::vector<std::string> ids;
    const auto due = store_->notifications().Take(now, absl::Minutes(1), limit);
    EXPECT_TRUE(due.ok()) << due.status();
    if (!due.ok()) return ids;
    for (const DueDelivery& delivery : *due) ids.push_back(delivery.id);
    return ids;
  }
};

TEST_F(NotificationsTest, APausedChannelIsInNobodysWay) {
  AddChannel("paused", true);
  AddChannel("live");
  for (const char* id : {"p1", "p2", "p3"}) AddDelivery("paused", id, At(1));
  AddDelivery("live", "l1", At(2));
  EXPECT_THAT(Take(At(10), 2), ElementsAre("l1"));
  // Taken.
  EXPECT_THAT(Take(At(11), 2), ElementsAre());
  // What waited for the pause to end is due as it was.
  const auto live = store_->notifications().Update("paused", [](StoredChannel& channel) {
    channel.channel.set_paused(false);
    return absl::OkStatus();
  });
  ASSERT_TRUE(live.ok()) << live.status();
  EXPECT_EQ(Take(At(12), 9).size(), 3u);
}

TEST_F(NotificationsTest, AHostThatIsBeingWrittenIsNotedNextTime) {
  AddChannel("c");
  for (const char* id : {"h1", "h2"}) ASSERT_TRUE(AddHost(*store_, id, id).ok());
  {
    pqxx::connection connection(url_);
    pqxx::work writer(connection);
    writer.exec("SELECT FROM host WHERE id = 'h1' FOR NO KEY UPDATE");
    ASSERT_TRUE(store_->notifications().NoteWhatTimeBrings(At(100), At(200)).ok());
  }
  EXPECT_EQ(Count("host WHERE stale_noted IS NOT NULL"), 1);
  ASSERT_TRUE(store_->notifications().NoteWhatTimeBrings(At(100), At(200)).ok());
  EXPECT_EQ(Count("host WHERE stale_noted IS NOT NULL"), 2);
  EXPECT_EQ(Count("notification_event"), 2);
}

TEST_F(NotificationsTest, AWindowOfVeryManyEventsIsSeveralDeliveries) {
  AddChannel("c");
  Sql("INSERT INTO notification_pending SELECT 'c', n, ''::bytea, to_timestamp(0)"
      " FROM generate_series(1, 20001) n");
  std::vector<size_t> sizes;
  const auto compose = [&sizes](const v1::NotificationChannel&,
                                const std::vector<v1::NotificationEvent>& events) {
    sizes.push_back(events.size());
    return v1::Notification();
  };
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(store_->notifications().PutTogether(At(100), compose).ok());
  }
  EXPECT_THAT(sizes, ElementsAre(20000u, 1u));
}

}  // namespace
}  // namespace plimsoll::store
