// Events and channels for tests.
#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "plimsoll/v1/notification_service.pb.h"

namespace plimsoll::notify {

// A rule fails on a host of production.
inline v1::NotificationEvent Failure(const std::string& host, const std::string& rule,
                                     v1::Severity severity = v1::HIGH) {
  v1::NotificationEvent event;
  event.set_kind(v1::NotificationEvent::NEW_FAILURE);
  event.set_host_id(host);
  event.set_hostname(host + "-name");
  event.set_baseline_id("azure-docker");
  event.set_rule_id(rule);
  event.set_rule_title("Title of " + rule);
  event.set_severity(severity);
  event.set_message("1 of 3 fail");
  event.mutable_time()->set_seconds(1800000000);
  (*event.mutable_labels())["env"] = "prod";
  return event;
}

inline v1::NotificationChannel ChannelOf(const std::string& text) {
  v1::NotificationChannel channel;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &channel)) << text;
  return channel;
}

}  // namespace plimsoll::notify
