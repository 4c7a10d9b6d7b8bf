#include "collector/sources/process_table.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr size_t kMaxStatBytes = 4096;
constexpr size_t kMaxChildrenBytes = size_t{1} << 20;

// Positions after the name, where field 3 (state) is 0.
constexpr size_t kParentAt = 1;
constexpr size_t kStartAt = 19;

absl::StatusOr<std::vector<int64_t>> ChildrenByThread(const host::FileSystem& files, int64_t pid) {
  const std::string tasks = ProcPath(pid, "task");
  absl::StatusOr<std::vector<std::string>> threads = files.ListDirectory(tasks);
  if (!threads.ok()) return threads.status();
  std::vector<int64_t> children;
  bool read = false;
  for (const std::string& thread : *threads) {
    absl::StatusOr<std::string> text =
        files.ReadFile(absl::StrCat(tasks, "/", thread, "/children"), kMaxChildrenBytes);
    // A thread may end meanwhile; its children pass to another.
    if (!text.ok()) continue;
    read = true;
    for (const absl::string_view word : absl::StrSplit(*text, ' ', absl::SkipWhitespace())) {
      int64_t child = 0;
      if (absl::SimpleAtoi(word, &child)) children.push_back(child);
    }
  }
  if (!read) return absl::NotFoundError("this kernel does not list children");
  absl::c_sort(children);
  return children;
}

}  // namespace

absl::StatusOr<ProcessStat> ParseProcessStat(absl::string_view text) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == absl::string_view::npos || close == absl::string_view::npos || close < open) {
    return absl::DataLossError("stat of a process: no name");
  }
  ProcessStat stat;
  stat.name = CleanText(text.substr(open + 1, close - open - 1));
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text.substr(close + 1), ' ', absl::SkipWhitespace());
  if (fields.size() <= kStartAt || !absl::SimpleAtoi(fields[kParentAt], &stat.parent_pid) ||
      !absl::SimpleAtoi(fields[kStartAt], &stat.start_ticks)) {
    return absl::DataLossError("stat of a process: too few fields");
  }
  return stat;
}

std::string ProcPath(int64_t pid, absl::string_view name) {
  return absl::StrCat("/proc/", pid, "/", name);
}

absl::StatusOr<ProcessStat> ReadProcessStat(const host::FileSystem& files, int64_t pid) {
  absl::StatusOr<std::string> text = files.ReadFile(ProcPath(pid, "stat"), kMaxStatBytes);
  if (!text.ok()) return text.status();
  return ParseProcessStat(*text);
}

absl::StatusOr<std::string> ReadExecutable(const host::FileSystem& files, int64_t pid) {
  absl::StatusOr<std::string> link = files.ReadLink(ProcPath(pid, "exe"));
  if (!link.ok()) return link;
  return CleanText(absl::StripSuffix(*link, " (deleted)"), kMaxPathBytes);
}

std::string ProgramName(const host::FileSystem& files, int64_t pid) {
  const absl::StatusOr<std::string> executable = ReadExecutable(files, pid);
  if (executable.ok()) return std::string(BaseName(*executable));
  if (!absl::IsPermissionDenied(executable.status())) return "";
  const absl::StatusOr<ProcessStat> stat = ReadProcessStat(files, pid);
  return stat.ok() ? stat->name : "";
}

absl::StatusOr<std::vector<int64_t>> ListProcesses(const host::FileSystem& files) {
  absl::StatusOr<std::vector<std::string>> names = files.ListDirectory("/proc");
  if (!names.ok()) return names.status();
  std::vector<int64_t> pids;
  for (const std::string& name : *names) {
    int64_t pid = 0;
    if (absl::ascii_isdigit(static_cast<unsigned char>(name[0])) && absl::SimpleAtoi(name, &pid)) {
      pids.push_back(pid);
    }
  }
  absl::c_sort(pids);
  return pids;
}

absl::StatusOr<std::vector<int64_t>> ListChildren(const host::FileSystem& files, int64_t pid) {
  absl::StatusOr<std::vector<int64_t>> listed = ChildrenByThread(files, pid);
  if (listed.ok()) return listed;
  absl::StatusOr<std::vector<int64_t>> pids = ListProcesses(files);
  if (!pids.ok()) return pids.status();
  std::vector<int64_t> children;
  for (const int64_t candidate : *pids) {
    const absl::StatusOr<ProcessStat> stat = ReadProcessStat(files, candidate);
    if (stat.ok() && stat->parent_pid == pid) children.push_back(candidate);
  }
  return children;
}

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace plimsoll::sources
