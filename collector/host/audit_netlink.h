// Linux audit over netlink: reading only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace plimsoll::host {

// AUDIT_GET.
struct AuditStatus {
  uint32_t enabled = 0;
  uint32_t failure = 0;
  uint32_t pid = 0;
  uint32_t backlog_limit = 0;
};

// Errors of both calls: PERMISSION_DENIED (EPERM: no CAP_AUDIT_CONTROL, or not in the initial PID
// namespace), UNAVAILABLE (ECONNREFUSED: a user namespace), UNIMPLEMENTED (EPROTONOSUPPORT: kernel
// without audit), DEADLINE_EXCEEDED. Thread-compatible.
class AuditNetlink {
 public:
  virtual ~AuditNetlink() = default;
  virtual absl::StatusOr<AuditStatus> Status() = 0;
  // Raw `struct audit_rule_data` of each rule in the kernel's order.
  virtual absl::StatusOr<std::vector<std::string>> ListRules() = 0;
};

}  // namespace plimsoll::host
