// Audit rules in the kernel's own encoding, decoded into facts (rules.md S3).
//
// The structures are read, never the text of a listing: the text prints a recursive and a shallow
// watch, and a "never" and an "always" rule, alike.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collector/host/file_system.h"
#include "plimsoll/v1/audit_facts.pb.h"

namespace plimsoll::sources {

// Decodes one `struct audit_rule_data` with its strings. `index`, the resolved path and the origin
// are left to the caller. Errors: DATA_LOSS, when lengths do not fit. Pure; any bytes are safe.
absl::StatusOr<v1::AuditRule> DecodeAuditRule(absl::string_view raw);

// Collects decoded rules, numbers them within their list, and keeps those that may leave the host:
// rules that name a path, all of the task list, and all that say "never". Of those without a path
// the keys and the values compared with stay behind, since they can name people.
class AuditRuleList {
 public:
  // Borrows `files`, below which paths are resolved.
  explicit AuditRuleList(const host::FileSystem& files) : files_(files) {}

  // Takes the next rule in order.
  void Add(v1::AuditRule rule);
  // Takes back a rule equal to `rule`, wherever it was written. False: there was none.
  bool Remove(v1::AuditRule rule);
  // Forgets all rules so far, as -D does.
  void Clear();

  // The kept rules, in the order of Add, and how many were not kept.
  const std::vector<v1::AuditRule>& kept() const { return kept_; }
  int other_count() const { return other_count_; }

 private:
  void ResolvePath(v1::AuditRule* rule) const;
  void Withhold(v1::AuditRule* rule) const;

  const host::FileSystem& files_;
  std::vector<v1::AuditRule> kept_;
  std::map<v1::AuditRule::List, int> next_index_;
  int other_count_ = 0;
};

}  // namespace plimsoll::sources
