// Options that say which hosts, and how long, of the commands that act upon hosts.
#pragma once

#include <google/protobuf/duration.pb.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/selector.pb.h"

namespace plimsoll::cli {

// Which hosts were asked for, and whether any option said so.
struct SelectorOptions {
  v1::HostSelector selector;
  // Filled by --label; Take lays them over those of `selector`.
  std::map<std::string, std::string> labels;

  bool given() const;
  // The selector, complete. INVALID_ARGUMENT: none of the options was given.
  absl::StatusOr<v1::HostSelector> Take() const;
};

// Adds --all, --host, --label and -l/--selector.
void AddSelectorOptions(Command command, SelectorOptions& options);

// Adds an option that is a duration of at least a second, or of at least nothing where `zero` is
// allowed; never infinite, so that callers may have that mean "not given". `help` says the default.
Option AddDurationOption(Command command, const std::string& name, absl::Duration& value,
                         const std::string& help, bool zero = false);

// As the API takes it, to the millisecond.
google::protobuf::Duration ToProto(absl::Duration duration);

// "all hosts", or the members of the selector as the options that give it; printable.
std::string Describe(const v1::HostSelector& selector);

}  // namespace plimsoll::cli
