#include "collector/host/posix_name_service.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace plimsoll::host {
namespace {

constexpr size_t kFirstBufferBytes = 4096;
constexpr size_t kMaxBufferBytes = size_t{16} << 20;
constexpr size_t kMaxUsers = 4096;

// Calls a reentrant look-up with ever larger buffers. `call(entry, buffer, size, result)`.
template <typename Entry, typename Call>
absl::StatusOr<Entry*> LookUp(const std::string& what, const Call& call, Entry* entry,
                              std::vector<char>* buffer) {
  buffer->resize(kFirstBufferBytes);
  while (true) {
    Entry* result = nullptr;
    const int error = call(entry, buffer->data(), buffer->size(), &result);
    if (error == EINTR) continue;
    if (error == ERANGE && buffer->size() < kMaxBufferBytes) {
      buffer->resize(buffer->size() * 4);
      continue;
    }
    if (result != nullptr) return result;
    if (error == 0 || error == ENOENT || error == ESRCH) {
      return absl::NotFoundError(absl::StrCat("no ", what));
    }
    return absl::UnavailableError(absl::StrCat("looking up ", what, ": ", strerror(error)));
  }
}

GroupEntry FromGroup(const group& in) {
  GroupEntry out;
  out.name = in.gr_name;
  out.gid = in.gr_gid;
  for (char** member = in.gr_mem; member != nullptr && *member != nullptr; ++member) {
    out.members.emplace_back(*member);
  }
  return out;
}

UserEntry FromUser(const passwd& in) {
  UserEntry out;
  out.name = in.pw_name;
  out.uid = in.pw_uid;
  out.gid = in.pw_gid;
  out.home = in.pw_dir == nullptr ? "" : in.pw_dir;
  return out;
}

}  // namespace

absl::StatusOr<GroupEntry> PosixNameService::GroupByName(absl::string_view name) {
  const std::string key(name);
  if (key.empty() || key.find('\0') != std::string::npos) {
    return absl::NotFoundError("no group of that name");
  }
  group entry;
  std::vector<char> buffer;
  const auto call = [&](group* into, char* data, size_t size, group** result) {
    return getgrnam_r(key.c_str(), into, data, size, result);
  };
  const auto found = LookUp<group>(absl::StrCat("group ", key), call, &entry, &buffer);
  if (!found.ok()) return found.status();
  return FromGroup(**found);
}

absl::StatusOr<GroupEntry> PosixNameService::GroupById(uint32_t gid) {
  group entry;
  std::vector<char> buffer;
  const auto call = [&](group* into, char* data, size_t size, group** result) {
    return getgrgid_r(gid, into, data, size, result);
  };
  const auto found = LookUp<group>(absl::StrCat("group ", gid), call, &entry, &buffer);
  if (!found.ok()) return found.status();
  return FromGroup(**found);
}

absl::StatusOr<UserEntry> PosixNameService::UserById(uint32_t uid) {
  passwd entry;
  std::vector<char> buffer;
  const auto call = [&](passwd* into, char* data, size_t size, passwd** result) {
    return getpwuid_r(uid, into, data, size, result);
  };
  const auto found = LookUp<passwd>(absl::StrCat("user ", uid), call, &entry, &buffer);
  if (!found.ok()) return found.status();
  return FromUser(**found);
}

absl::StatusOr<std::vector<UserEntry>> PosixNameService::UsersWithPrimaryGroup(uint32_t gid) {
  std::vector<UserEntry> users;
  std::vector<char> buffer;
  absl::Status status;
  setpwent();
  while (true) {
    passwd entry;
    const auto found = LookUp<passwd>(
        "further user",
        [](passwd* into, char* data, size_t size, passwd** result) {
          return getpwent_r(into, data, size, result);
        },
        &entry, &buffer);
    if (absl::IsNotFound(found.status())) break;
    if (!found.ok()) {
      status = found.status();
      break;
    }
    if ((*found)->pw_gid != gid) continue;
    if (users.size() == kMaxUsers) {
      status = absl::ResourceExhaustedError(
          absl::StrCat("group ", gid, " is the own group of more than ", kMaxUsers, " users"));
      break;
    }
    users.push_back(FromUser(**found));
  }
  endpwent();
  if (!status.ok()) return status;
  return users;
}

}  // namespace plimsoll::host
