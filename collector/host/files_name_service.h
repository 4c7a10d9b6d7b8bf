// Users and groups of a mounted host, from its /etc/passwd and /etc/group.
#pragma once

#include <string>
#include <vector>

#include "collector/host/file_system.h"
#include "collector/host/name_service.h"

namespace plimsoll::host {

// For --host-root, where the C library would answer for the container instead of the host. What the
// host asks of LDAP or sssd is not seen. Files of more than 16 MiB are RESOURCE_EXHAUSTED, as are
// more than 4096 users of one group; a missing file is UNAVAILABLE, for it shows no absence; a file
// that may not be read is PERMISSION_DENIED. Lines that are not of the format, and those that refer
// to NIS ("+name"), are passed over. Of two entries with one name or number the first counts, as
// in the C library.
class FilesNameService : public NameService {
 public:
  // Borrows `files`. Every call reads anew.
  explicit FilesNameService(const FileSystem& files) : files_(files) {}

  absl::StatusOr<GroupEntry> GroupByName(absl::string_view name) override;
  absl::StatusOr<GroupEntry> GroupById(uint32_t gid) override;
  absl::StatusOr<UserEntry> UserById(uint32_t uid) override;
  absl::StatusOr<std::vector<UserEntry>> UsersWithPrimaryGroup(uint32_t gid) override;

 private:
  absl::StatusOr<std::string> Read(absl::string_view path) const;
  absl::StatusOr<std::vector<GroupEntry>> Groups() const;
  absl::StatusOr<std::vector<UserEntry>> Users() const;

  const FileSystem& files_;
};

}  // namespace plimsoll::host
