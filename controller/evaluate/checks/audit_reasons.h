// Reason and note codes of the audit rules, beside those of check.h.
#pragma once

namespace plimsoll::evaluate::audit_reason {

// The kernel was built without audit.
inline constexpr char kAuditAbsent[] = "audit_absent";
// Loaded rules record nothing while audit is off.
inline constexpr char kAuditDisabled[] = "audit_disabled";
// "never,task": new processes have no audit context.
inline constexpr char kTaskNever[] = "task_never";
// A "never" rule comes first.
inline constexpr char kSuppressed[] = "suppressed";
// Rules on disk cover the target, the kernel's do not.
inline constexpr char kPersistedNotLoaded[] = "persisted_not_loaded";
// The kernel's rules cover the target, those on disk do not. A note, or a reason where it is
// required.
inline constexpr char kNotPersistent[] = "not_persistent";
inline constexpr char kAuditdNotRunning[] = "auditd_not_running";
// What comes near, but does not count.
inline constexpr char kWatchesSymlink[] = "watches_symlink";
inline constexpr char kShallow[] = "shallow_watch";
inline constexpr char kFiltered[] = "filtered_rule";
inline constexpr char kKeyMissing[] = "key_missing";
inline constexpr char kOnlyAncestor[] = "only_ancestor_rule";

// Notes: a target beside the one that decides is not audited; archiving is not visible to a
// program.
inline constexpr char kNotAudited[] = "not_audited";
inline constexpr char kArchiveByHand[] = "archive_by_hand";

}  // namespace plimsoll::evaluate::audit_reason
