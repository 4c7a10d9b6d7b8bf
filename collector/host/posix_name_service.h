// Users and groups through the C library's name service switch.
#pragma once

#include <vector>

#include "collector/host/name_service.h"

namespace plimsoll::host {

// Asks whatever /etc/nsswitch.conf names (files, LDAP, sssd), so a call may take as long as those
// take. Entries longer than 16 MiB are UNAVAILABLE. Beyond the interface's errors, more than 4096
// users of one group is RESOURCE_EXHAUSTED. A service that is down may look like NOT_FOUND: the C
// library does not tell. Users whose service does not enumerate are not listed.
class PosixNameService : public NameService {
 public:
  absl::StatusOr<GroupEntry> GroupByName(absl::string_view name) override;
  absl::StatusOr<GroupEntry> GroupById(uint32_t gid) override;
  absl::StatusOr<UserEntry> UserById(uint32_t uid) override;
  // Walks the process-wide list of users: not to be called from two threads at once, whatever the
  // object.
  absl::StatusOr<std::vector<UserEntry>> UsersWithPrimaryGroup(uint32_t gid) override;
};

}  // namespace plimsoll::host
