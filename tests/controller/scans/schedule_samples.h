// Times and schedules, as the tests of schedules need them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plimsoll/v1/schedule_service.pb.h"
#include "plimsoll/v1/selector.pb.h"

namespace plimsoll::scans {

inline absl::Time Utc(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M:%E*S", text, absl::UTCTimeZone(), &time, &error))
      << text << ": " << error;
  return time;
}

inline absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

inline v1::Schedule Schedule(const std::string& cron, const std::string& id = "sch-1") {
  v1::Schedule schedule;
  schedule.set_id(id);
  schedule.set_name("name-of-" + id);
  schedule.set_cron(cron);
  schedule.mutable_selector()->set_all(true);
  schedule.set_created_by("ann");
  return schedule;
}

inline absl::StatusOr<std::vector<std::string>> TwoHosts(const v1::HostSelector&) {
  return std::vector<std::string>{"h1", "h2"};
}

}  // namespace plimsoll::scans
