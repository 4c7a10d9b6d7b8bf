// Which files the configuration of an engine names.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"
#include "plimsoll/v1/daemon_facts.pb.h"
#include "plimsoll/v1/engine_facts.pb.h"
#include "plimsoll/v1/unit_facts.pb.h"

namespace plimsoll::sources {

// Where a runtime without a directory in its name is looked for (rules.md 1.13), first wins.
const std::vector<std::string>& ProgramSearchPath();

// Fragments and drop-ins of units: files of PID 1, not of the engine.
std::set<std::string> UnitPaths(const v1::UnitsFacts& units);

// Files of the engine: its program and containerd's, daemon.json in use and the default one, TLS
// files, data root, unix sockets, the default runtime. Of a runtime named without a directory,
// every place up to the first hit is in the set, so that facts show that nothing comes before it:
// that is what `files` is asked for. Paths are as the settings name them; relative ones are joined
// to the process's working directory, and left out while that is not known.
std::set<std::string> EnginePaths(const host::FileSystem& files, const v1::EngineFacts& engine,
                                  const v1::DaemonFacts& daemon, const v1::UnitsFacts& units);

}  // namespace plimsoll::sources
