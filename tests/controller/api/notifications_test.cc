#include "controller/api/notifications.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/api/parts.h"
#include "tests/controller/notify/events.h"

namespace plimsoll::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kSecret[] = "a secret of sixteen bytes";

class NotificationsTest : public ::testing::Test {
 protected:
  absl::StatusOr<v1::NotificationChannel> Create(const std::string& text) {
    v1::CreateNotificationChannelRequest request;
    *request.mutable_channel() = notify::ChannelOf(text);
    return parts_.notifications.Create(who_, request);
  }
  absl::StatusOr<v1::NotificationChannel> Update(const v1::NotificationChannel& channel) {
    v1::UpdateNotificationChannelRequest request;
    *request.mutable_channel() = channel;
    return parts_.notifications.Update(who_, request);
  }
  v1::NotificationChannel Hook() {
    auto made = Create(absl::StrCat(
        "name: 'oncall' webhook {url: 'https://example.com/', secret: '", kSecret, "'}"));
    EXPECT_TRUE(made.ok()) << made.status();
    return *made;
  }

  Parts parts_;
  const Principal who_ = {"1", "anna", store::Role::kAdmin};
};

TEST_F(NotificationsTest, MakesAChannelAndNeverShowsItsSecret) {
  const v1::NotificationChannel made = Hook();
  EXPECT_THAT(made.id(), StartsWith("nc-"));
  EXPECT_EQ(made.created_by(), "anna");
  EXPECT_TRUE(made.webhook().has_secret());
  EXPECT_EQ(made.webhook().secret(), "");
  const auto stored = parts_.store->notifications().Get("oncall");
  ASSERT_TRUE(stored.ok());
  EXPECT_THAT(stored->sealed_secret, Not(HasSubstr(kSecret)));
  EXPECT_EQ(*parts_.notifier.box().Open(stored->sealed_secret), kSecret);
  EXPECT_TRUE(
      absl::IsAlreadyExists(Create("name: 'oncall' syslog {server: 'siem:6514'}").status()));
}

TEST_F(NotificationsTest, WhatIsOnlyValidatedIsNotMade) {
  v1::CreateNotificationChannelRequest create;
  *create.mutable_channel() = notify::ChannelOf(absl::StrCat(
      "name: 'oncall' webhook {url: 'https://example.com/', secret: '", kSecret, "'}"));
  create.set_validate_only(true);
  const auto checked = parts_.notifications.Create(who_, create);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->webhook().secret(), "");
  EXPECT_TRUE(absl::IsNotFound(parts_.store->notifications().Get("oncall").status()));
  create.mutable_channel()->set_selector("@gone");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.notifications.Create(who_, create).status()));

  const v1::NotificationChannel made = Hook();
  v1::UpdateNotificationChannelRequest update;
  *update.mutable_channel() = made;
  update.mutable_channel()->set_description("changed");
  update.set_validate_only(true);
  EXPECT_EQ(parts_.notifications.Update(who_, update)->etag(), made.etag());
  update.mutable_channel()->mutable_webhook()->set_secret(kSecret);
  EXPECT_EQ(parts_.notifications.Update(who_, update)->etag(), made.etag());
  // Another secret shows.
  update.mutable_channel()->mutable_webhook()->set_secret("another secret of many bytes");
  const auto other = parts_.notifications.Update(who_, update);
  EXPECT_EQ(other->etag(), "");
  EXPECT_EQ(other->webhook().secret(), "");
  const auto stored = parts_.store->notifications().Get("oncall");
  EXPECT_EQ(stored->channel.description(), "");
  EXPECT_EQ(*parts_.notifier.box().Open(stored->sealed_secret), kSecret);
  // The secret that is kept goes to no other receiver, not even to see.
  update.mutable_channel()->mutable_webhook()->clear_secret();
  update.mutable_channel()->mutable_webhook()->set_url("https://other.example/");
  EXPECT_TRUE(absl::IsInvalidArgument(parts_.notifications.Update(who_, update).status()));
}

TEST_F(NotificationsTest, SaysWhichFieldIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"name: 'On Call' webhook {url: 'https://example.com/'}", "name: "},
      {"name: 'a'", "channel: "},
      {"name: 'a' webhook {url: 'http://example.com/'}", "webhook.url: "},
      {"name: 'a' webhook {url: 'https://example.com/'} kinds: TEST", "kinds: "},
      {"name: 'a' webhook {url: 'https://example.com/'} selector: 'env in ('", "selector: "},
      {"name: 'a' webhook {url: 'https://example.com/'} window {seconds: 3601}", "window: "},
      {"name: 'a' webhook {url: 'https://example.com/'} window {seconds: -1}", "window: "},
  };
  for (const auto& [text, field] : cases) {
    const absl::Status status = Create(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), StartsWith(field)) << text;
  }
}

TEST_F(NotificationsTest, ASecretStaysWithItsReceiver) {
  v1::NotificationChannel channel = Hook();
  channel.set_description("on call");
  ASSERT_TRUE(Update(channel).ok());
  EXPECT_FALSE(parts_.store->notifications().Get("oncall")->sealed_secret.empty());
  // Whoever may change a channel must not have the secret sent elsewhere.
  channel.clear_etag();
  channel.mutable_webhook()->set_url("https://elsewhere.example/");
  EXPECT_THAT(std::string(Update(channel).status().message()), HasSubstr("give its secret, too"));
  channel.mutable_webhook()->set_secret("another secret, as long");
  EXPECT_TRUE(Update(channel).ok());
  // Where no secret can go, none is asked for, and the old one goes.
  channel.mutable_syslog()->set_server("siem:6514");
  ASSERT_TRUE(Update(channel).ok()) << Update(channel).status();
  EXPECT_TRUE(parts_.store->notifications().Get("oncall")->sealed_secret.empty());
}

TEST_F(NotificationsTest, AChangeOverAnothersIsRefused) {
  v1::NotificationChannel channel = Hook();
  ASSERT_TRUE(Update(channel).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Update(channel).status()));
}

TEST_F(NotificationsTest, WhoSeesAPartOfTheFleetHasNothingToDoWithThem) {
  const v1::NotificationChannel channel = Hook();
  Principal limited = who_;
  limited.scope = "team=a";
  for (const auto& [name, method] : parts_.methods.all()) {
    if (!absl::StartsWith(name, "plimsoll.v1.NotificationService.")) continue;
    const auto answer = parts_.methods.Call(limited, method, *method.make_request());
    EXPECT_TRUE(absl::IsPermissionDenied(answer.status())) << name << ": " << answer.status();
  }
  EXPECT_EQ(parts_.store->notifications().Get("oncall")->channel.etag(), channel.etag());
}

TEST_F(NotificationsTest, TestsListsAndDeletes) {
  Hook();
  v1::TestNotificationChannelRequest test;
  test.set_channel("oncall");
  for (int i = 0; i < 3; ++i) {
    const auto delivery = parts_.notifications.Test(who_, test);
    ASSERT_TRUE(delivery.ok()) << delivery.status();
    EXPECT_EQ(delivery->state(), v1::NotificationDelivery::SENT);
  }
  v1::ListNotificationDeliveriesRequest list;
  list.set_channel("oncall");
  list.set_page_size(2);
  auto page = parts_.notifications.ListDeliveries(who_, list);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->deliveries_size(), 2);
  list.set_page_token(page->next_page_token());
  page = parts_.notifications.ListDeliveries(who_, list);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->deliveries_size(), 1);
  EXPECT_EQ(page->next_page_token(), "");
  v1::DeleteNotificationChannelRequest gone;
  gone.set_channel("oncall");
  EXPECT_TRUE(parts_.notifications.Delete(who_, gone).ok());
  EXPECT_TRUE(absl::IsNotFound(parts_.notifications.Test(who_, test).status()));
  list.clear_channel();
  list.clear_page_token();
  EXPECT_EQ(parts_.notifications.ListDeliveries(who_, list)->deliveries_size(), 0);
}

}  // namespace
}  // namespace plimsoll::api
