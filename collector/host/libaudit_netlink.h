// The kernel's audit system through libaudit.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "collector/host/audit_netlink.h"

namespace plimsoll::host {

// Each call opens a netlink socket of its own, asks once and closes it; nothing is ever set. A list
// counts only when the kernel ended it (NLMSG_DONE): one that breaks off, a rule shorter than it
// says, or more than 65536 rules are DATA_LOSS, DATA_LOSS and RESOURCE_EXHAUSTED. Other errors of
// the system are UNAVAILABLE with its own words. libaudit's messages are switched off for the whole
// process.
class LibauditNetlink : public AuditNetlink {
 public:
  // `timeout` bounds each call. (libaudit itself may wait up to half a second for the kernel's
  // acknowledgement before this class can look at the time.)
  explicit LibauditNetlink(absl::Duration timeout = absl::Seconds(5));

  absl::StatusOr<AuditStatus> Status() override;
  absl::StatusOr<std::vector<std::string>> ListRules() override;

 private:
  const absl::Duration timeout_;
};

}  // namespace plimsoll::host
