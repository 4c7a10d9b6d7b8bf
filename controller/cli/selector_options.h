// Options that say which hosts, of the commands that scan.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/cli/command.h"
#include "plimsoll/v1/selector.pb.h"

namespace plimsoll::cli {

// Which hosts were asked for, and whether any option said so.
struct SelectorOptions {
  v1::HostSelector selector;
  // Filled by --label; moved into `selector` by Take.
  std::map<std::string, std::string> labels;

  bool given() const;
  // The selector, complete. INVALID_ARGUMENT: none of the options was given.
  absl::StatusOr<v1::HostSelector> Take() const;
};

// Adds --all, --host, --label and -l/--selector.
void AddSelectorOptions(CLI::App& command, SelectorOptions& options);

// Adds an option that is a duration of at least a second, or of at least nothing where `zero` is
// allowed. `help` says the default.
CLI::Option* AddDurationOption(CLI::App& command, const std::string& name, absl::Duration& value,
                               const std::string& help, bool zero = false);

// "all hosts", or the members of the selector as the options that give it; printable.
std::string Describe(const v1::HostSelector& selector);

}  // namespace plimsoll::cli
