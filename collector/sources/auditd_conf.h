// Three keys of auditd.conf.
#pragma once

#include "absl/strings/string_view.h"
#include "collector/host/host_env.h"
#include "plimsoll/v1/audit_facts.pb.h"

namespace plimsoll::sources {

// Where the daemon writes when its configuration does not say.
inline constexpr char kDefaultAuditLog[] = "/var/log/audit/audit.log";

// Parses "key = value" lines; keys and values in any case, "#" begins a comment line, the last of a
// key wins. Only max_log_file_action (lower case), num_logs and log_file are taken; a num_logs that
// is no number is as good as unset. `outcome` is left to the caller. Pure; any bytes are safe.
v1::AuditFacts::DaemonConfig ParseAuditdConf(absl::string_view text);

// Reads /etc/audit/auditd.conf, at most 64 KiB. NOT_PRESENT: no such file; log_file is then the
// default.
void CollectAuditdConf(host::HostEnv& env, v1::AuditFacts::DaemonConfig* config);

}  // namespace plimsoll::sources
