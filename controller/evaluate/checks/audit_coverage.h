// Whether a list of audit rules makes the kernel record access to one file or directory (rules.md
// S3). Pure text and bits: the host resolved every link before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "plimsoll/v1/audit_checks.pb.h"
#include "plimsoll/v1/audit_facts.pb.h"

namespace plimsoll::evaluate {

// Kinds of access, the kernel's bits.
inline constexpr uint32_t kAuditExecute = 1;
inline constexpr uint32_t kAuditWrite = 2;
inline constexpr uint32_t kAuditRead = 4;
inline constexpr uint32_t kAuditAttribute = 8;

// Letters of "rwxa" as bits; nothing for an empty or any other text. And back, in that order.
std::optional<uint32_t> ParsePermissions(absl::string_view letters);
std::string PermissionLetters(uint32_t permissions);

// What is to be recorded. Borrows.
struct CoverageTarget {
  // All links resolved.
  absl::string_view canonical_path;
  bool is_directory = false;
  // "major:minor" of the file system it lies on; empty when not known.
  absl::string_view device;
};

// How strict to be; the arguments of audit_watch by the same names.
struct CoverageOptions {
  uint32_t need = kAuditWrite | kAuditAttribute;
  absl::string_view require_key = {};
  bool accept_shallow = false;
  bool accept_filtered = false;
  bool accept_ancestor_dir = true;
  bool assume_mounts_first = false;
  bool require_b32 = false;
};
// `need` is left as it is: its letters may be wrong.
CoverageOptions OptionsFrom(const v1::AuditWatchArgs& args);

// Why a rule about the target did not count, or what stood before it.
struct CoverageHints {
  // "never,task" without condition: new processes have no audit context at all.
  bool task_never = false;
  // A "never" rule matches first.
  bool suppressed = false;
  // A rule sees the directory, but not the files in it.
  bool shallow = false;
  // A rule names a symbolic link, which the kernel does not follow.
  bool symlink = false;
  // A rule is narrowed to users, programs, results or system calls.
  bool filtered = false;
  // A rule lacks the wanted key.
  bool other_key = false;
  // A recursive rule above the target would do, if it were accepted.
  bool ancestor = false;
};

struct Coverage {
  enum class State {
    kCovered,
    kNotCovered,
    // It depends on whether the target's file system was mounted before the rules were loaded.
    kMountBoundary,
  };
  State state = State::kNotCovered;
  // The rules that together cover the target; empty unless kCovered. Borrows.
  absl::InlinedVector<const v1::AuditRule*, 2> rules;
  CoverageHints hints;
};

// Walks `rules` in the kernel's order; for each kind of access the first rule that matches wins.
// Says nothing of whether audit is switched on. `rules` must outlive the result.
Coverage CoveredBy(const google::protobuf::RepeatedPtrField<v1::AuditRule>& rules,
                   const CoverageTarget& target, const CoverageOptions& options);

// "dir /etc/docker -p wa -k docker": how findings show a rule.
std::string RuleText(const v1::AuditRule& rule);

}  // namespace plimsoll::evaluate
