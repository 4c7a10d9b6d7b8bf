// Users and groups of the host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace plimsoll::host {

struct GroupEntry {
  std::string name;
  uint32_t gid = 0;
  // Secondary members.
  std::vector<std::string> members;
};

struct UserEntry {
  std::string name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string home;
};

// Asks the name service (files, LDAP, sssd) on the host itself; under --host-root reads the host's
// /etc/passwd and /etc/group instead. Errors: NOT_FOUND, UNAVAILABLE. Thread-compatible.
class NameService {
 public:
  virtual ~NameService() = default;
  virtual absl::StatusOr<GroupEntry> GroupByName(absl::string_view name) = 0;
  virtual absl::StatusOr<GroupEntry> GroupById(uint32_t gid) = 0;
  virtual absl::StatusOr<UserEntry> UserById(uint32_t uid) = 0;
  // Users whose own group is `gid`, as far as the name service enumerates. At most 4096.
  virtual absl::StatusOr<std::vector<UserEntry>> UsersWithPrimaryGroup(uint32_t gid) = 0;
};

}  // namespace plimsoll::host
