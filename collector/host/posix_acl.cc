#include <cstring>

#include "collector/host/posix_file_system.h"

namespace plimsoll::host {
namespace {

// As linux/posix_acl_xattr.h lays it out, little-endian.
constexpr uint32_t kVersion = 2;
constexpr size_t kHeaderBytes = 4;
constexpr size_t kEntryBytes = 8;
constexpr uint32_t kUserObject = 0x01;
constexpr uint32_t kUser = 0x02;
constexpr uint32_t kGroupObject = 0x04;
constexpr uint32_t kGroup = 0x08;
constexpr uint32_t kMask = 0x10;
constexpr uint32_t kOther = 0x20;

uint32_t Little(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace

absl::StatusOr<std::vector<AclEntry>> ParsePosixAcl(absl::string_view value) {
  if (value.size() < kHeaderBytes || Little(value.substr(0, kHeaderBytes)) != kVersion ||
      (value.size() - kHeaderBytes) % kEntryBytes != 0) {
    return absl::DataLossError("not a POSIX ACL of version 2");
  }
  std::vector<AclEntry> entries;
  for (value.remove_prefix(kHeaderBytes); !value.empty(); value.remove_prefix(kEntryBytes)) {
    AclEntry entry;
    entry.permissions = Little(value.substr(2, 2));
    if (entry.permissions > 7) return absl::DataLossError("a POSIX ACL with unknown permissions");
    switch (Little(value.substr(0, 2))) {
      case kUserObject:
      case kGroupObject:
      case kOther:
        continue;
      case kUser:
        entry.tag = AclEntry::Tag::kUser;
        break;
      case kGroup:
        entry.tag = AclEntry::Tag::kGroup;
        break;
      case kMask:
        entry.tag = AclEntry::Tag::kMask;
        entries.push_back(entry);
        continue;
      default:
        return absl::DataLossError("a POSIX ACL with an unknown tag");
    }
    entry.qualifier = Little(value.substr(4, 4));
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace plimsoll::host
