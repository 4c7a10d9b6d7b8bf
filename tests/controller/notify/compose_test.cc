#include "controller/notify/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/controller/notify/events.h"

namespace plimsoll::notify {
namespace {

using Event = v1::NotificationEvent;

struct WantsCase {
  const char* name;
  const char* channel;
  Event event;
  bool wanted;
};

TEST(WantsTest, ByKindSeverityBaselineAndLabels) {
  Event stale = Failure("h1", "");
  stale.set_kind(Event::HOST_STALE);
  Event scan;
  scan.set_kind(Event::SCAN_ENDED);
  Event low = Failure("h1", "2.01", v1::LOW);
  const WantsCase cases[] = {
      {"high by default", "", Failure("h1", "5.04", v1::HIGH), true},
      {"medium is not", "", Failure("h1", "5.04", v1::MEDIUM), false},
      {"stale hosts by default", "", stale, true},
      {"scans only when asked", "", scan, false},
      {"scans when asked", "kinds: SCAN_ENDED", scan, true},
      {"kinds replace the default", "kinds: SCAN_ENDED", stale, false},
      {"severity", "minimum_severity: LOW", low, true},
      {"other baseline", "baselines: 'edge-docker'", Failure("h1", "5.04"), false},
      {"this baseline", "baselines: 'edge-docker' baselines: 'azure-docker'", Failure("h1", "5.04"),
       true},
      {"labels", "selector: 'env=prod,tier!=db'", Failure("h1", "5.04"), true},
      {"other labels", "selector: 'env=test'", Failure("h1", "5.04"), false},
      {"no host, no labels", "selector: 'env=test' kinds: SCAN_ENDED", scan, true},
      {"a selector that cannot be read", "selector: 'env in ('", Failure("h1", "5.04"), false},
      {"a saved selector", "selector: '@live,tier!=db'", Failure("h1", "5.04"), true},
      {"a saved selector of others", "selector: '@test'", Failure("h1", "5.04"), false},
      {"a saved selector that is gone", "selector: '@gone'", Failure("h1", "5.04"), false},
  };
  const fleet::SavedSelectors saved = {{"live", *fleet::ParseSelector("env=prod")},
                                       {"test", *fleet::ParseSelector("env=test")}};
  for (const WantsCase& one : cases) {
    EXPECT_EQ(Wants(one.event, ChannelOf(one.channel), saved), one.wanted) << one.name;
  }
}

TEST(ComposeTest, OneCauseOnManyHostsIsOneGroup) {
  std::vector<Event> events;
  for (int i = 0; i < 150; ++i) events.push_back(Failure(absl::StrCat("h", i), "5.04"));
  events.push_back(Failure("h0", "5.31", v1::CRITICAL));
  const v1::Notification told =
      Compose("nd-1", ChannelOf("name: 'oncall'"), events, absl::FromUnixSeconds(5));
  EXPECT_EQ(told.title(), "151 new failures (1 critical) on 150 hosts");
  EXPECT_EQ(told.event_count(), 151);
  EXPECT_EQ(told.id(), "nd-1");
  EXPECT_EQ(told.channel(), "oncall");
  ASSERT_EQ(told.groups_size(), 2);
  EXPECT_EQ(told.groups(0).rule_id(), "5.31") << "worst first";
  EXPECT_EQ(told.groups(1).host_count(), 150);
  EXPECT_EQ(told.groups(1).event_count(), 150);
  EXPECT_EQ(told.groups(1).events_size(), kMostShown);
}

TEST(ComposeTest, OnlyRulesFailOnHosts) {
  Event back = Failure("h2", "5.04");
  back.set_kind(Event::RECOVERY);
  Event stale = Failure("h3", "");
  stale.set_kind(Event::HOST_STALE);
  Event scan;
  scan.set_kind(Event::SCAN_ENDED);
  scan.set_object_id("s1");
  EXPECT_EQ(
      Compose("n", ChannelOf(""), {scan, stale, back, Failure("h1", "5.04")}, absl::Now()).title(),
      "1 new failure (1 high), 1 recovery on 2 hosts, 1 host stopped reporting, 1 scan ended");
  EXPECT_EQ(Compose("n", ChannelOf(""), {scan, stale}, absl::Now()).title(),
            "1 host stopped reporting, 1 scan ended");
}

TEST(ComposeTest, WhatComesAndGoesWithinTheWindowIsNotTold) {
  Event back = Failure("h1", "5.04");
  back.set_kind(Event::RECOVERY);
  EXPECT_EQ(Compose("n", ChannelOf(""), {Failure("h1", "5.04"), back}, absl::Now()).groups_size(),
            0);
  // Failed, recovered, failed again: it fails.
  const v1::Notification again = Compose(
      "n", ChannelOf(""), {Failure("h1", "5.04"), back, Failure("h1", "5.04")}, absl::Now());
  ASSERT_EQ(again.groups_size(), 1);
  EXPECT_EQ(again.groups(0).kind(), Event::NEW_FAILURE);
  EXPECT_EQ(again.groups(0).events_size(), 1);
  // Of another host, nothing is taken back.
  back.set_host_id("h2");
  EXPECT_EQ(Compose("n", ChannelOf(""), {Failure("h1", "5.04"), back}, absl::Now()).groups_size(),
            2);
}

TEST(ComposeTest, ATestSaysWhoAsked) {
  const v1::Notification test = ComposeTest("n", ChannelOf(""), "anna", absl::Now());
  ASSERT_EQ(test.groups_size(), 1);
  EXPECT_EQ(test.groups(0).kind(), Event::TEST);
  EXPECT_EQ(test.groups(0).events(0).message(), "asked for by anna");
}

}  // namespace
}  // namespace plimsoll::notify
