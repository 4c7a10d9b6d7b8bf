// dockerd's command line, parsed as the engine parses it (rules.md S2).
#pragma once

#include "absl/strings/string_view.h"
#include "plimsoll/v1/daemon_facts.pb.h"

namespace plimsoll::sources {

// Parses the content of /proc/<pid>/cmdline: arguments ended by NUL, the first of which is the
// program. The grammar is that of Go's pflag: booleans take a value only after "=", short flags
// cluster, the last scalar wins, lists accumulate, "--" ends the flags, flags and other words may
// mix.
//
// Values of flags outside the closed list of settings.h are dropped; the flags are counted. Never
// fails: what the engine would have refused sets `stray_argument`. `outcome` is left to the caller.
// Pure; any bytes are safe, and the result is bounded by the length of the input.
v1::DaemonFacts::CommandLine ParseCommandLine(absl::string_view cmdline);

}  // namespace plimsoll::sources
