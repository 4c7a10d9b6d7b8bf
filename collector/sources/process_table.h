// Processes of the host, as /proc shows them.
//
// Every function reads below /proc through `files` and keeps nothing. Command lines are not read
// here. Errors of all: NOT_FOUND or UNAVAILABLE (the process is gone), PERMISSION_DENIED, DATA_LOSS
// (not what proc(5) says). Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"

namespace plimsoll::sources {

// Fields of /proc/<pid>/stat.
struct ProcessStat {
  // Name of at most 15 bytes, chosen by the process itself; may hold anything, parentheses too.
  std::string name;
  int64_t parent_pid = 0;
  // Since boot, in clock ticks.
  uint64_t start_ticks = 0;
};

// Parses the content of a stat file. Errors: DATA_LOSS. Pure.
absl::StatusOr<ProcessStat> ParseProcessStat(absl::string_view text);

// "/proc/<pid>/<name>".
std::string ProcPath(int64_t pid, absl::string_view name);

absl::StatusOr<ProcessStat> ReadProcessStat(const host::FileSystem& files, int64_t pid);

// Executable of the process in its own mount namespace, without the " (deleted)" of a replaced
// file.
absl::StatusOr<std::string> ReadExecutable(const host::FileSystem& files, int64_t pid);

// Base name of the executable; where that link is not ours to read, the name in stat. Empty:
// neither.
std::string ProgramName(const host::FileSystem& files, int64_t pid);

// Pids in /proc, ascending.
absl::StatusOr<std::vector<int64_t>> ListProcesses(const host::FileSystem& files);

// Children of a process, ascending, from /proc/<pid>/task/*/children, else by asking every process.
absl::StatusOr<std::vector<int64_t>> ListChildren(const host::FileSystem& files, int64_t pid);

// The part of `path` after its last slash.
absl::string_view BaseName(absl::string_view path);

}  // namespace plimsoll::sources
