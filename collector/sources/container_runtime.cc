#include "collector/sources/container_runtime.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "collector/sources/outcome.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using Runtime = v1::Container::Runtime;

constexpr size_t kMaxProcFileBytes = 64 << 10;
constexpr int kMaxIdRanges = 64;
// What cgroup v1 shows for "no limit", give or take a page.
constexpr int64_t kNoMemoryLimit = int64_t{1} << 62;

// `path` up to the end of the component that holds `id`; none when no component does.
std::optional<absl::string_view> ThroughContainer(absl::string_view path, absl::string_view id) {
  const size_t at = path.find(id);
  if (at == absl::string_view::npos) return std::nullopt;
  return path.substr(0, path.find('/', at));
}

std::vector<absl::string_view> Words(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
}

std::optional<uint64_t> ParseHex(absl::string_view text) {
  uint64_t value = 0;
  if (text.empty() || !absl::SimpleHexAtoi(text, &value)) return std::nullopt;
  return value;
}

std::optional<uint32_t> ParseNumber(absl::string_view text) {
  uint32_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) return std::nullopt;
  return value;
}

void ReadStatus(absl::string_view text, Runtime* runtime) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    const std::vector<absl::string_view> words = Words(pair.second);
    if (words.empty()) continue;
    if (pair.first == "Uid" && words.size() > 1) {
      if (const auto uid = ParseNumber(words[1])) runtime->set_uid(*uid);
    } else if (pair.first == "CapBnd") {
      if (const auto mask = ParseHex(words[0])) runtime->set_cap_bounding(*mask);
    } else if (pair.first == "CapEff") {
      if (const auto mask = ParseHex(words[0])) runtime->set_cap_effective(*mask);
    } else if (pair.first == "NoNewPrivs") {
      runtime->set_no_new_privs(words[0] != "0");
    } else if (pair.first == "Seccomp") {
      if (const auto mode = ParseNumber(words[0])) runtime->set_seccomp(*mode);
    }
  }
}

void ReadUidMap(absl::string_view text, Runtime* runtime) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = Words(line);
    if (words.size() != 3 || runtime->uid_map_size() >= kMaxIdRanges) continue;
    const auto inside = ParseNumber(words[0]);
    const auto outside = ParseNumber(words[1]);
    const auto length = ParseNumber(words[2]);
    if (!inside.has_value() || !outside.has_value() || !length.has_value()) continue;
    Runtime::IdRange* range = runtime->add_uid_map();
    range->set_inside(*inside);
    range->set_outside(*outside);
    range->set_length(*length);
    const bool covers =
        runtime->has_uid() && runtime->uid() >= *outside && runtime->uid() - *outside < *length;
    if (covers && !runtime->has_mapped_uid()) {
      runtime->set_mapped_uid(*inside + (runtime->uid() - *outside));
    }
  }
}

absl::StatusOr<uint64_t> NamespaceInode(const host::FileSystem& files, const std::string& path) {
  const absl::StatusOr<std::string> link = files.ReadLink(path);
  if (!link.ok()) return link.status();
  // "net:[4026531992]"
  const size_t open = link->find('[');
  uint64_t inode = 0;
  if (open == std::string::npos || link->back() != ']' ||
      !absl::SimpleAtoi(absl::string_view(*link).substr(open + 1, link->size() - open - 2),
                        &inode)) {
    return absl::DataLossError(absl::StrCat(path, ": not a namespace link"));
  }
  return inode;
}

absl::Status ReadNamespaces(const host::FileSystem& files, const std::string& proc,
                            v1::NamespaceInodes* inodes) {
  using Setter = void (v1::NamespaceInodes::*)(uint64_t);
  constexpr std::pair<const char*, Setter> kNamespaces[] = {
      {"net", &v1::NamespaceInodes::set_net},   {"pid", &v1::NamespaceInodes::set_pid},
      {"ipc", &v1::NamespaceInodes::set_ipc},   {"uts", &v1::NamespaceInodes::set_uts},
      {"user", &v1::NamespaceInodes::set_user}, {"mnt", &v1::NamespaceInodes::set_mnt}};
  for (const auto& [name, set] : kNamespaces) {
    const auto inode = NamespaceInode(files, absl::StrCat(proc, "/ns/", name));
    // Whoever may not read one of these links may read none.
    if (!inode.ok()) return inode.status();
    (inodes->*set)(*inode);
  }
  return absl::OkStatus();
}

void ReadLsmLabel(const host::FileSystem& files, const std::string& proc, Runtime* runtime) {
  for (const char* name : {"/attr/apparmor/current", "/attr/current"}) {
    const absl::StatusOr<std::string> label = files.ReadFile(absl::StrCat(proc, name), 4096);
    if (!label.ok()) continue;
    const absl::string_view text =
        absl::StripTrailingAsciiWhitespace(absl::string_view(*label).substr(0, label->find('\0')));
    if (!text.empty()) return runtime->set_lsm_label(CleanText(text));
  }
}

std::optional<int64_t> ReadLimit(const host::FileSystem& files, const std::string& path) {
  // A path seen from another cgroup namespace leads up and out; it is not below this mount point.
  if (absl::StrContains(path, "/../")) return std::nullopt;
  const absl::StatusOr<std::string> text = files.ReadFile(path, 256);
  int64_t limit = 0;
  if (!text.ok() || !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &limit)) {
    return std::nullopt;
  }
  return limit;
}

void ReadLimits(const host::FileSystem& files, const CgroupPlace& place, Runtime* runtime) {
  constexpr absl::string_view kRoot = "/sys/fs/cgroup";
  if (!place.pids_path.empty()) {
    const auto limit = ReadLimit(
        files, absl::StrCat(kRoot, place.unified ? "" : "/pids", place.pids_path, "/pids.max"));
    if (limit.has_value()) runtime->set_pids_max(*limit);
  }
  if (!place.memory_path.empty()) {
    const auto limit = ReadLimit(
        files, place.unified
                   ? absl::StrCat(kRoot, place.memory_path, "/memory.max")
                   : absl::StrCat(kRoot, "/memory", place.memory_path, "/memory.limit_in_bytes"));
    if (limit.has_value() && *limit < kNoMemoryLimit) runtime->set_memory_max_bytes(*limit);
  }
}

// Reads a file and reports a failure; empty then.
std::string ReadProc(const host::FileSystem& files, const std::string& path, OutcomeTimer& timer) {
  absl::StatusOr<std::string> text = files.ReadFile(path, kMaxProcFileBytes);
  if (text.ok()) return *std::move(text);
  timer.Set(absl::IsUnavailable(text.status()) ? absl::NotFoundError(text.status().message())
                                               : text.status());
  return "";
}

}  // namespace

bool FindCgroup(absl::string_view proc_cgroup, absl::string_view id, CgroupPlace* place) {
  std::map<std::string, std::string> by_controller;
  for (const absl::string_view line : absl::StrSplit(proc_cgroup, '\n')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::optional<absl::string_view> path = ThroughContainer(parts[2], id);
    if (!path.has_value()) continue;
    for (const absl::string_view controller : absl::StrSplit(parts[1], ',')) {
      by_controller[std::string(controller)] = std::string(*path);
    }
  }
  if (by_controller.empty()) return false;
  const auto of = [&](const std::string& controller) {
    const auto found = by_controller.find(controller);
    return found == by_controller.end() ? std::string() : found->second;
  };
  place->unified = by_controller.size() == 1 && by_controller.begin()->first.empty();
  place->pids_path = of(place->unified ? "" : "pids");
  place->memory_path = of(place->unified ? "" : "memory");
  const std::string& any =
      place->memory_path.empty() ? by_controller.rbegin()->second : place->memory_path;
  place->parent = any.substr(0, std::max<size_t>(1, any.rfind('/')));
  return true;
}

void ReadRuntime(const host::FileSystem& files, const support::Clock& clock, int64_t pid,
                 absl::string_view id, bool with_lsm, Runtime* runtime) {
  OutcomeTimer timer(clock, runtime->mutable_outcome());
  const std::string proc = absl::StrCat("/proc/", pid);
  const std::string cgroup = ReadProc(files, proc + "/cgroup", timer);
  if (cgroup.empty()) return timer.Set(v1::SourceOutcome::NOT_PRESENT, "the process is gone");
  CgroupPlace place;
  if (!FindCgroup(cgroup, id, &place)) {
    return timer.Set(v1::SourceOutcome::NOT_PRESENT,
                     "the process is no longer this container's, or its cgroup does not show");
  }
  runtime->set_cgroup_parent(CleanText(place.parent, kMaxPathBytes));
  ReadStatus(ReadProc(files, proc + "/status", timer), runtime);
  ReadUidMap(ReadProc(files, proc + "/uid_map", timer), runtime);
  timer.Set(ReadNamespaces(files, proc, runtime->mutable_namespaces()));
  if (with_lsm) ReadLsmLabel(files, proc, runtime);
  ReadLimits(files, place, runtime);
}

}  // namespace plimsoll::sources
