// Times and counts as people read them.
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "absl/time/time.h"

namespace plimsoll::cli {

// "2026-03-01 12:00:05Z"; "-" when absent (0).
std::string FormatInstant(const google::protobuf::Timestamp& time);
// "12 s ago", "3 min ago", "5 h ago", "12 d ago"; "never" when absent.
std::string FormatAge(const google::protobuf::Timestamp& time, absl::Time now);
// "67.5 %"; two equal bounds are one number.
std::string FormatInterval(double lower, double upper);

// "env=prod,tier=web", by key, safe to print.
std::string FormatLabels(const google::protobuf::Map<std::string, std::string>& labels);

}  // namespace plimsoll::cli
