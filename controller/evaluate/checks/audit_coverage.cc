#include "controller/evaluate/checks/audit_coverage.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/paths.h"

namespace plimsoll::evaluate {
namespace {

using v1::AuditRule;
using Rules = google::protobuf::RepeatedPtrField<AuditRule>;

constexpr uint32_t kAllPermissions = kAuditExecute | kAuditWrite | kAuditRead | kAuditAttribute;
constexpr struct {
  char letter;
  uint32_t bit;
} kLetters[] = {
    {'r', kAuditRead}, {'w', kAuditWrite}, {'x', kAuditExecute}, {'a', kAuditAttribute}};

enum class Match {
  kNone,
  // The rule names a link that leads to no file of ours.
  kLink,
  // A path rule on a directory: names made and removed in it, not the files.
  kShallow,
  kExact,
  // A recursive rule above the target.
  kAncestor,
  // The rule names no path: it is about everything.
  kEverything,
};

Match MatchOf(const AuditRule& rule, const CoverageTarget& target) {
  const absl::string_view form = rule.canonical_form();
  if (!rule.has_path() && !rule.has_dir()) return Match::kEverything;
  if (rule.has_dir()) {
    if (!IsWithin(target.canonical_path, form)) return Match::kNone;
    if (rule.last_is_symlink()) return Match::kLink;
    return form == target.canonical_path ? Match::kExact : Match::kAncestor;
  }
  if (form != target.canonical_path) return Match::kNone;
  if (rule.last_is_symlink()) return Match::kLink;
  return target.is_directory ? Match::kShallow : Match::kExact;
}

// The rule speaks of some system calls only. With permissions, a list of calls is how the loader
// spells them.
bool IsNarrowed(const AuditRule& rule) {
  return rule.extra_size() > 0 || (!rule.all_syscalls() && !rule.has_permissions());
}

bool SilencesAllTasks(const AuditRule& rule) {
  return rule.list() == AuditRule::TASK && rule.action() == AuditRule::NEVER &&
         rule.extra_size() == 0;
}

// The target and the directory that the rule names lie on different file systems, or may.
bool CrossesMount(const AuditRule& rule, const CoverageTarget& target) {
  return rule.device().empty() || target.device.empty() || rule.device() != target.device;
}

bool HasKey(const AuditRule& rule, absl::string_view key) {
  return key.empty() || std::find(rule.keys().begin(), rule.keys().end(), key) != rule.keys().end();
}

// Permissions still to be recorded, for each of the two ways into the kernel.
class Ledger {
 public:
  Ledger(uint32_t need, bool both) : left_{need, both ? need : 0} {}

  // Whether the rule records anything that was left.
  bool Record(const AuditRule& rule) {
    bool any = false;
    for (int abi = 0; abi < 2; ++abi) {
      const uint32_t bits = Bits(rule, abi) & left_[abi] & ~silenced_[abi];
      left_[abi] &= ~bits;
      any |= bits != 0;
    }
    return any;
  }
  // Whether the rule silences anything that was left.
  bool Silence(const AuditRule& rule) {
    bool any = false;
    for (int abi = 0; abi < 2; ++abi) {
      const uint32_t bits = Bits(rule, abi) & left_[abi];
      silenced_[abi] |= bits;
      any |= bits != 0;
    }
    return any;
  }
  bool Done() const { return left_[0] == 0 && left_[1] == 0; }

 private:
  static uint32_t Bits(const AuditRule& rule, int abi) {
    if (!rule.arch().empty() && rule.arch() != (abi == 0 ? "b64" : "b32")) return 0;
    return rule.has_permissions() ? rule.permissions() : kAllPermissions;
  }

  uint32_t left_[2];
  uint32_t silenced_[2] = {0, 0};
};

// One reading of the list. `optimistic`: where it cannot be known whether a rule reaches over a
// mount point, take what leads to coverage; else what prevents it.
Coverage Walk(const Rules& rules, const CoverageTarget& target, const CoverageOptions& options,
              bool optimistic) {
  Coverage coverage;
  CoverageHints& hints = coverage.hints;
  Ledger ledger(options.need, options.require_b32);
  for (const AuditRule& rule : rules) {
    if (SilencesAllTasks(rule)) {
      hints.task_never = true;
      return coverage;
    }
  }
  for (const AuditRule& rule : rules) {
    if (ledger.Done()) break;
    if (rule.list() != AuditRule::EXIT) continue;
    const Match match = MatchOf(rule, target);
    if (match == Match::kNone) continue;
    if (match == Match::kLink) {
      hints.symlink |= rule.action() == AuditRule::ALWAYS;
      continue;
    }
    const bool uncertain =
        match == Match::kAncestor && !options.assume_mounts_first && CrossesMount(rule, target);
    const bool shallow = match == Match::kShallow && !options.accept_shallow;
    if (rule.action() == AuditRule::NEVER) {
      if (shallow || IsNarrowed(rule) || (uncertain && optimistic)) continue;
      hints.suppressed |= ledger.Silence(rule);
      continue;
    }
    if (rule.action() != AuditRule::ALWAYS || match == Match::kEverything) continue;
    hints.shallow |= shallow;
    const bool filtered = IsNarrowed(rule) && !options.accept_filtered;
    hints.filtered |= filtered;
    const bool other_key = !HasKey(rule, options.require_key);
    hints.other_key |= other_key;
    const bool ancestor = match == Match::kAncestor && !options.accept_ancestor_dir;
    hints.ancestor |= ancestor;
    if (shallow || filtered || other_key || ancestor || (uncertain && !optimistic)) continue;
    if (ledger.Record(rule)) coverage.rules.push_back(&rule);
  }
  if (ledger.Done()) {
    coverage.state = Coverage::State::kCovered;
  } else {
    coverage.rules.clear();
  }
  return coverage;
}

}  // namespace

std::optional<uint32_t> ParsePermissions(absl::string_view letters) {
  uint32_t bits = 0;
  for (const char c : letters) {
    const auto* found = std::find_if(std::begin(kLetters), std::end(kLetters),
                                     [c](const auto& l) { return l.letter == c; });
    if (found == std::end(kLetters)) return std::nullopt;
    bits |= found->bit;
  }
  return bits == 0 ? std::nullopt : std::optional(bits);
}

std::string PermissionLetters(uint32_t permissions) {
  std::string letters;
  for (const auto& l : kLetters) {
    if ((permissions & l.bit) != 0) letters.push_back(l.letter);
  }
  return letters;
}

CoverageOptions OptionsFrom(const v1::AuditWatchArgs& args) {
  return {.require_key = args.require_key(),
          .accept_shallow = args.accept_shallow(),
          .accept_filtered = args.accept_filtered(),
          .accept_ancestor_dir = args.accept_ancestor_dir(),
          .assume_mounts_first = args.assume_mounts_first(),
          .require_b32 = args.require_b32()};
}

Coverage CoveredBy(const Rules& rules, const CoverageTarget& target,
                   const CoverageOptions& options) {
  Coverage certain = Walk(rules, target, options, /*optimistic=*/false);
  if (certain.state == Coverage::State::kCovered || options.assume_mounts_first) return certain;
  Coverage hoped = Walk(rules, target, options, /*optimistic=*/true);
  if (hoped.state != Coverage::State::kCovered) return hoped;
  certain.state = Coverage::State::kMountBoundary;
  return certain;
}

std::string RuleText(const AuditRule& rule) {
  std::string text =
      absl::StrCat(rule.action() == AuditRule::NEVER ? "never " : "", rule.has_dir() ? "dir " : "",
                   rule.has_dir() ? rule.dir() : rule.path());
  if (rule.has_permissions()) absl::StrAppend(&text, " -p ", PermissionLetters(rule.permissions()));
  for (const std::string& key : rule.keys()) absl::StrAppend(&text, " -k ", key);
  return text;
}

}  // namespace plimsoll::evaluate
