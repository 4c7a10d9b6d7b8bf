#include "collector/sources/mountinfo.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

std::string DecodeEscapes(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && IsOctal(text[i + 1]) && IsOctal(text[i + 2]) &&
        IsOctal(text[i + 3])) {
      const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      decoded.push_back(static_cast<char>(value));
      i += 3;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

// "//user:secret@server/share", "user@server:/path" and "scheme://user@server" lose the part before
// "@". A device's path, and the name of a ZFS snapshot, may hold "@" by right.
std::string SourceWithoutUserInfo(absl::string_view source, absl::string_view fs_type) {
  const bool is_path = absl::StartsWith(source, "/") && !absl::StartsWith(source, "//");
  if (is_path || fs_type == "zfs") return std::string(source);
  const size_t slashes = source.find("//");
  const size_t start = slashes == absl::string_view::npos ? 0 : slashes + 2;
  const size_t end = std::min(source.find('/', start), source.size());
  const size_t at = source.substr(0, end).rfind('@');
  if (at == absl::string_view::npos || at < start) return std::string(source);
  return absl::StrCat(source.substr(0, start), source.substr(at + 1));
}

bool ParseLine(absl::string_view line, v1::MountEntry* entry) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
  // id parent device root mount-point options [optional ...] - type source super-options
  size_t separator = 6;
  while (separator < fields.size() && fields[separator] != "-") ++separator;
  if (separator + 2 >= fields.size()) return false;
  int32_t id = 0;
  int32_t parent = 0;
  if (!absl::SimpleAtoi(fields[0], &id) || !absl::SimpleAtoi(fields[1], &parent)) return false;
  entry->set_id(id);
  entry->set_parent_id(parent);
  entry->set_device(CleanText(fields[2]));
  entry->set_root(CleanText(DecodeEscapes(fields[3]), kMaxPathBytes));
  entry->set_mount_point(CleanText(DecodeEscapes(fields[4]), kMaxPathBytes));
  for (size_t i = 6; i < separator; ++i) {
    absl::string_view field = fields[i];
    int32_t group = 0;
    if (absl::ConsumePrefix(&field, "shared:") && absl::SimpleAtoi(field, &group)) {
      entry->set_shared_id(group);
    }
  }
  entry->set_fs_type(CleanText(fields[separator + 1]));
  const std::string source = DecodeEscapes(fields[separator + 2]);
  entry->set_source(CleanText(SourceWithoutUserInfo(source, entry->fs_type()), kMaxPathBytes));
  return true;
}

}  // namespace

absl::StatusOr<std::vector<v1::MountEntry>> ParseMountInfo(absl::string_view text) {
  std::vector<v1::MountEntry> entries;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    v1::MountEntry entry;
    if (!ParseLine(line, &entry)) {
      return absl::DataLossError(absl::StrCat("mountinfo: line ", number, " has not its fields"));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

bool IsAtOrBelow(absl::string_view path, absl::string_view directory) {
  if (directory == "/") return absl::StartsWith(path, "/");
  return absl::ConsumePrefix(&path, directory) && (path.empty() || path[0] == '/');
}

}  // namespace plimsoll::sources
