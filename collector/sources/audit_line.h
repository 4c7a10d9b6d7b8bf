// One line of an audit rule file, in auditctl's syntax (rules.md S3).
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"
#include "plimsoll/v1/audit_facts.pb.h"

namespace plimsoll::sources {

// One line of a rule file.
struct AuditLine {
  enum class Kind {
    // Blank, a comment, or a setting that is no rule (-e, -b, -f, -r, ...).
    kNothing,
    kRule,
    // -W or -d: the same rule, added before, goes away.
    kDelete,
    // -D: all rules so far are dropped. With -k only some are; treated alike.
    kDeleteAll,
    // -i or -c: later errors do not end the loading.
    kIgnoreErrors,
  };
  Kind kind = Kind::kNothing;
  v1::AuditRule rule;
};

// Parses one line in auditctl's syntax: words are parted by spaces alone, "\ " is a space within a
// word, options may be glued to their values. Quotes, tabs and a "# ..." after a rule have no
// meaning of their own, and mostly make the line one that the loader refuses. -a, -A and -w are
// taken wherever they stand. Fields are encoded by libaudit and decoded by DecodeAuditRule, so a
// rule from a file and the same rule from the kernel are equal. A path that is a directory becomes
// a `dir` after -w.
//
// Errors: INVALID_ARGUMENT, when the loader or the kernel would refuse the line; the message holds
// nothing of it. Any bytes are safe. Not thread-safe: libaudit keeps state between its calls.
absl::StatusOr<AuditLine> ParseAuditLine(absl::string_view line, const host::FileSystem& files);

}  // namespace plimsoll::sources
