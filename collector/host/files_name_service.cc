#include "collector/host/files_name_service.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::host {
namespace {

constexpr size_t kMaxFileBytes = size_t{16} << 20;
constexpr size_t kMaxUsers = 4096;

// The fields of each line that has exactly `count` of them and a name of its own.
std::vector<std::vector<absl::string_view>> Lines(absl::string_view content, size_t count) {
  std::vector<std::vector<absl::string_view>> lines;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    if (line.empty() || line[0] == '#' || line[0] == '+' || line[0] == '-') continue;
    std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    if (fields.size() == count && !fields[0].empty()) lines.push_back(std::move(fields));
  }
  return lines;
}

}  // namespace

absl::StatusOr<std::string> FilesNameService::Read(absl::string_view path) const {
  absl::StatusOr<std::string> content = files_.ReadFile(path, kMaxFileBytes);
  if (absl::IsNotFound(content.status())) {
    return absl::UnavailableError(content.status().message());
  }
  return content;
}

absl::StatusOr<std::vector<GroupEntry>> FilesNameService::Groups() const {
  absl::StatusOr<std::string> content = Read("/etc/group");
  if (!content.ok()) return content.status();
  std::vector<GroupEntry> groups;
  for (const auto& fields : Lines(*content, 4)) {
    GroupEntry group;
    group.name = std::string(fields[0]);
    if (!absl::SimpleAtoi(fields[2], &group.gid)) continue;
    group.members = absl::StrSplit(fields[3], ',', absl::SkipWhitespace());
    groups.push_back(std::move(group));
  }
  return groups;
}

absl::StatusOr<std::vector<UserEntry>> FilesNameService::Users() const {
  absl::StatusOr<std::string> content = Read("/etc/passwd");
  if (!content.ok()) return content.status();
  std::vector<UserEntry> users;
  for (const auto& fields : Lines(*content, 7)) {
    UserEntry user;
    user.name = std::string(fields[0]);
    user.home = std::string(fields[5]);
    if (!absl::SimpleAtoi(fields[2], &user.uid) || !absl::SimpleAtoi(fields[3], &user.gid)) {
      continue;
    }
    users.push_back(std::move(user));
  }
  return users;
}

absl::StatusOr<GroupEntry> FilesNameService::GroupByName(absl::string_view name) {
  absl::StatusOr<std::vector<GroupEntry>> groups = Groups();
  if (!groups.ok()) return groups.status();
  for (GroupEntry& group : *groups) {
    if (group.name == name) return std::move(group);
  }
  return absl::NotFoundError(absl::StrCat("no group ", name, " in /etc/group"));
}

absl::StatusOr<GroupEntry> FilesNameService::GroupById(uint32_t gid) {
  absl::StatusOr<std::vector<GroupEntry>> groups = Groups();
  if (!groups.ok()) return groups.status();
  for (GroupEntry& group : *groups) {
    if (group.gid == gid) return std::move(group);
  }
  return absl::NotFoundError(absl::StrCat("no group ", gid, " in /etc/group"));
}

absl::StatusOr<UserEntry> FilesNameService::UserById(uint32_t uid) {
  absl::StatusOr<std::vector<UserEntry>> users = Users();
  if (!users.ok()) return users.status();
  for (UserEntry& user : *users) {
    if (user.uid == uid) return std::move(user);
  }
  return absl::NotFoundError(absl::StrCat("no user ", uid, " in /etc/passwd"));
}

absl::StatusOr<std::vector<UserEntry>> FilesNameService::UsersWithPrimaryGroup(uint32_t gid) {
  absl::StatusOr<std::vector<UserEntry>> users = Users();
  if (!users.ok()) return users.status();
  std::vector<UserEntry> found;
  for (UserEntry& user : *users) {
    if (user.gid != gid) continue;
    if (found.size() == kMaxUsers) {
      return absl::ResourceExhaustedError(
          absl::StrCat("group ", gid, " is the own group of more than ", kMaxUsers, " users"));
    }
    found.push_back(std::move(user));
  }
  return found;
}

}  // namespace plimsoll::host
