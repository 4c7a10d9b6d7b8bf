#include "collector/sources/unit_file.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace plimsoll::sources {
namespace {

using host::FileStatus;
using host::FileSystem;
using host::FileType;

constexpr size_t kMaxDropIns = 256;
constexpr size_t kMaxListen = 256;

// systemd takes /dev/null and empty files for a mask.
bool IsMask(const FileStatus& target, absl::string_view canonical) {
  return canonical == "/dev/null" || (target.type == FileType::kRegular && target.size == 0);
}

// Directories that hold drop-ins of `name`, those that win first: "docker.service.d" everywhere,
// then "a-.service.d" for "a-b.service", then those for all units of the type.
std::vector<std::string> DropInDirectories(absl::string_view name) {
  const size_t dot = name.rfind('.');
  const absl::string_view type = dot == absl::string_view::npos ? "" : name.substr(dot);
  std::vector<std::string> own = {absl::StrCat(name, ".d")};
  absl::string_view stem = name.substr(0, name.size() - type.size());
  while (absl::ConsumeSuffix(&stem, "-")) {
  }
  for (size_t dash = stem.rfind('-'); dash != absl::string_view::npos && dash > 0;
       dash = stem.substr(0, dash).rfind('-')) {
    own.push_back(absl::StrCat(stem.substr(0, dash + 1), type, ".d"));
  }
  std::vector<std::string> directories;
  for (const std::string& path : UnitSearchPath()) {
    for (const std::string& directory : own)
      directories.push_back(absl::StrCat(path, "/", directory));
  }
  if (type.size() > 1) {
    for (const std::string& path : UnitSearchPath()) {
      directories.push_back(absl::StrCat(path, "/", type.substr(1), ".d"));
    }
  }
  return directories;
}

absl::StatusOr<std::vector<std::string>> FindDropIns(const FileSystem& files,
                                                     absl::string_view name) {
  // By file name; empty where a mask hides the ones that come later.
  std::map<std::string, std::string> found;
  for (const std::string& directory : DropInDirectories(name)) {
    const auto names = files.ListDirectory(directory);
    if (absl::IsNotFound(names.status())) continue;
    if (!names.ok()) return names.status();
    for (const std::string& file : *names) {
      if (!absl::EndsWith(file, ".conf") || file[0] == '.' || found.contains(file)) continue;
      const std::string path = absl::StrCat(directory, "/", file);
      const auto target = files.Stat(path);
      if (absl::IsNotFound(target.status())) continue;
      if (!target.ok()) return target.status();
      const auto canonical = files.RealPath(path);
      if (!canonical.ok()) return canonical.status();
      const bool mask = IsMask(*target, *canonical);
      if (target->type != FileType::kRegular && !mask) continue;
      if (found.size() == kMaxDropIns) {
        return absl::ResourceExhaustedError(
            absl::StrCat(name, " has more than ", kMaxDropIns, " drop-ins"));
      }
      found[file] = mask ? "" : path;
    }
  }
  std::vector<std::string> paths;
  for (auto& [file, path] : found) {
    if (!path.empty()) paths.push_back(std::move(path));
  }
  return paths;
}

// Lines with continuations joined, without comments and surrounding blanks.
std::vector<std::string> LogicalLines(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  std::vector<std::string> lines;
  std::string pending;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripLeadingAsciiWhitespace(line);
    const bool comment = absl::StartsWith(line, "#") || absl::StartsWith(line, ";");
    if (comment) continue;
    const bool continued = absl::ConsumeSuffix(&line, "\\");
    absl::StrAppend(&pending, line);
    if (continued) {
      pending.push_back(' ');
      continue;
    }
    lines.push_back(std::string(absl::StripAsciiWhitespace(pending)));
    pending.clear();
  }
  lines.push_back(std::string(absl::StripAsciiWhitespace(pending)));
  return lines;
}

std::string Address(absl::string_view value) {
  std::string address = absl::StrReplaceAll(value, {{"%%", "%"}, {"%t", "/run"}});
  if (absl::StartsWith(address, "/var/run/")) address.erase(0, 4);
  return address;
}

}  // namespace

const std::vector<std::string>& UnitSearchPath() {
  static const auto* const kPath =
      new std::vector<std::string>{"/etc/systemd/system.control", "/run/systemd/system.control",
                                   "/run/systemd/transient",      "/run/systemd/generator.early",
                                   "/etc/systemd/system",         "/etc/systemd/system.attached",
                                   "/run/systemd/system",         "/run/systemd/system.attached",
                                   "/run/systemd/generator",      "/usr/local/lib/systemd/system",
                                   "/usr/lib/systemd/system",     "/lib/systemd/system",
                                   "/run/systemd/generator.late"};
  return *kPath;
}

absl::StatusOr<UnitFiles> FindUnitFiles(const FileSystem& files, absl::string_view name) {
  UnitFiles unit;
  for (const std::string& directory : UnitSearchPath()) {
    const std::string path = absl::StrCat(directory, "/", name);
    const auto link = files.Lstat(path);
    if (absl::IsNotFound(link.status())) continue;
    if (!link.ok()) return link.status();
    unit.fragment = path;
    break;
  }
  if (unit.fragment.empty()) return unit;

  const auto target = files.Stat(unit.fragment);
  const auto canonical = files.RealPath(unit.fragment);
  if (absl::IsNotFound(target.status()) || absl::IsNotFound(canonical.status())) return unit;
  if (!target.ok()) return target.status();
  if (!canonical.ok()) return canonical.status();
  unit.canonical = *canonical;
  unit.masked = IsMask(*target, *canonical);
  auto drop_ins = FindDropIns(files, name);
  if (!drop_ins.ok()) return drop_ins.status();
  unit.drop_ins = *std::move(drop_ins);
  return unit;
}

void ApplySocketFile(absl::string_view text, SocketSettings& settings) {
  bool in_socket = false;
  for (const std::string& line : LogicalLines(text)) {
    if (absl::StartsWith(line, "[")) {
      in_socket = line == "[Socket]";
      continue;
    }
    const size_t equals = line.find('=');
    if (!in_socket || equals == std::string::npos) continue;
    absl::string_view key = absl::StripAsciiWhitespace(absl::string_view(line).substr(0, equals));
    const std::string value(absl::StripAsciiWhitespace(absl::string_view(line).substr(equals + 1)));
    if (key == "SocketUser") {
      settings.user = value;
    } else if (key == "SocketGroup") {
      settings.group = value;
    } else if (key == "SocketMode") {
      settings.mode = value;
    } else if (absl::ConsumePrefix(&key, "Listen")) {
      if (value.empty()) {
        settings.listen.clear();
      } else if (settings.listen.size() < kMaxListen) {
        settings.listen.emplace_back(key, Address(value));
      }
    }
  }
}

}  // namespace plimsoll::sources
