#include "collector/sources/audit_kernel.h"

#include <libaudit.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using v1::AuditRule;

constexpr char kKeySeparator = '\x01';
constexpr uint32_t kUnset = 0xFFFFFFFF;
// The last word of the mask holds classes of system calls, which the kernel folds into the others.
constexpr int kSyscallWords = AUDIT_BITMASK_SIZE - 1;

AuditRule::List ListOf(uint32_t flags) {
  switch (flags & AUDIT_FILTER_MASK) {
    case AUDIT_FILTER_EXIT:
      return AuditRule::EXIT;
    case AUDIT_FILTER_TASK:
      return AuditRule::TASK;
    case AUDIT_FILTER_USER:
      return AuditRule::USER;
    case AUDIT_FILTER_EXCLUDE:
      return AuditRule::EXCLUDE;
    case AUDIT_FILTER_FS:
      return AuditRule::FILESYSTEM;
    default:
      return AuditRule::LIST_UNSPECIFIED;
  }
}

AuditRule::Action ActionOf(uint32_t action) {
  if (action == AUDIT_ALWAYS) return AuditRule::ALWAYS;
  if (action == AUDIT_NEVER) return AuditRule::NEVER;
  return AuditRule::ACTION_UNSPECIFIED;
}

bool HasString(uint32_t field) {
  return (field >= AUDIT_SUBJ_USER && field <= AUDIT_SUBJ_CLR) ||
         (field >= AUDIT_OBJ_USER && field <= AUDIT_OBJ_LEV_HIGH) || field == AUDIT_WATCH ||
         field == AUDIT_DIR || field == AUDIT_FILTERKEY || field == AUDIT_EXE;
}

bool IsUserOrGroup(uint32_t field) {
  return (field >= AUDIT_UID && field <= AUDIT_LOGINUID) || field == AUDIT_OBJ_UID ||
         field == AUDIT_OBJ_GID || field == AUDIT_SESSIONID;
}

std::string NumberText(uint32_t field, uint32_t value) {
  if (IsUserOrGroup(field) && value == kUnset) return "unset";
  if (field == AUDIT_EXIT) return absl::StrCat(static_cast<int32_t>(value));
  return absl::StrCat(value);
}

void AddExtra(uint32_t field, uint32_t operation, std::string value, AuditRule* rule) {
  AuditRule::Field* extra = rule->add_extra();
  const char* name = audit_field_to_name(static_cast<int>(field));
  extra->set_name(name != nullptr ? name : absl::StrCat("#", field));
  const char* symbol = audit_operator_to_symbol(static_cast<int>(operation));
  extra->set_operator_(symbol != nullptr ? symbol : absl::StrCat("#", operation));
  extra->set_value(std::move(value));
}

void AddField(uint32_t field, uint32_t operation, uint32_t value, absl::string_view text,
              AuditRule* rule) {
  const bool equal = operation == AUDIT_EQUAL;
  if (equal && field == AUDIT_WATCH) {
    rule->set_path(CleanText(text, kMaxPathBytes));
  } else if (equal && field == AUDIT_DIR) {
    rule->set_dir(CleanText(text, kMaxPathBytes));
  } else if (equal && field == AUDIT_PERM) {
    rule->set_permissions(value & 0xF);
  } else if (equal && field == AUDIT_FILTERKEY) {
    for (const absl::string_view key : absl::StrSplit(text, kKeySeparator, absl::SkipEmpty())) {
      rule->add_keys(CleanText(key));
    }
  } else if (equal && field == AUDIT_ARCH) {
    rule->set_arch((value & __AUDIT_ARCH_64BIT) != 0 ? "b64" : "b32");
  } else {
    AddExtra(field, operation, HasString(field) ? CleanText(text) : NumberText(field, value), rule);
  }
}

bool NamesPath(const AuditRule& rule) { return rule.has_path() || rule.has_dir(); }

bool MayLeaveHost(const AuditRule& rule) {
  return NamesPath(rule) || rule.list() == AuditRule::TASK || rule.action() == AuditRule::NEVER;
}

}  // namespace

absl::StatusOr<AuditRule> DecodeAuditRule(absl::string_view raw) {
  constexpr size_t kHeaderBytes = offsetof(audit_rule_data, buf);
  if (raw.size() < kHeaderBytes) {
    return absl::DataLossError(absl::StrCat("audit rule of ", raw.size(), " bytes: too short"));
  }
  // The flexible member at the end keeps this from being a value of its own.
  alignas(audit_rule_data) std::array<char, sizeof(audit_rule_data)> bytes{};
  std::memcpy(bytes.data(), raw.data(), kHeaderBytes);
  const auto* data = reinterpret_cast<const audit_rule_data*>(bytes.data());
  absl::string_view strings = raw.substr(kHeaderBytes);
  if (data->field_count > AUDIT_MAX_FIELDS || data->buflen > strings.size()) {
    return absl::DataLossError("audit rule: its counts do not fit its length");
  }
  strings = strings.substr(0, data->buflen);

  AuditRule rule;
  rule.set_list(ListOf(data->flags));
  rule.set_action(ActionOf(data->action));
  int syscalls = 0;
  for (int word = 0; word < kSyscallWords; ++word) syscalls += std::popcount(data->mask[word]);
  rule.set_all_syscalls(syscalls == kSyscallWords * 32);
  if (!rule.all_syscalls()) rule.set_syscall_count(syscalls);
  for (uint32_t i = 0; i < data->field_count; ++i) {
    const uint32_t field = data->fields[i];
    absl::string_view text;
    if (HasString(field)) {
      if (data->values[i] > strings.size()) {
        return absl::DataLossError("audit rule: a string reaches past its end");
      }
      text = strings.substr(0, data->values[i]);
      strings.remove_prefix(data->values[i]);
    }
    AddField(field, data->fieldflags[i] & AUDIT_OPERATORS, data->values[i], text, &rule);
  }
  return rule;
}

void AuditRuleList::Add(AuditRule rule) {
  rule.set_index(next_index_[rule.list()]++);
  if (!MayLeaveHost(rule)) {
    ++other_count_;
    return;
  }
  Withhold(&rule);
  kept_.push_back(std::move(rule));
}

bool AuditRuleList::Remove(AuditRule rule) {
  if (!MayLeaveHost(rule)) {
    // Others are only counted: it is taken to be among them if there are any.
    if (other_count_ == 0) return false;
    --other_count_;
    return true;
  }
  Withhold(&rule);
  const auto same = [&](const AuditRule& known) {
    rule.set_index(known.index());
    rule.set_file(known.file());
    rule.set_line(known.line());
    return known.SerializeAsString() == rule.SerializeAsString();
  };
  const auto gone = std::find_if(kept_.begin(), kept_.end(), same);
  if (gone == kept_.end()) return false;
  for (auto later = kept_.erase(gone); later != kept_.end(); ++later) {
    if (later->list() == rule.list()) later->set_index(later->index() - 1);
  }
  --next_index_[rule.list()];
  return true;
}

void AuditRuleList::Withhold(AuditRule* rule) const {
  if (NamesPath(*rule)) {
    ResolvePath(rule);
    return;
  }
  rule->clear_keys();
  for (AuditRule::Field& field : *rule->mutable_extra()) field.clear_value();
}

void AuditRuleList::Clear() {
  kept_.clear();
  next_index_.clear();
  other_count_ = 0;
}

void AuditRuleList::ResolvePath(AuditRule* rule) const {
  std::string path = rule->has_path() ? rule->path() : rule->dir();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) {
    rule->set_canonical_form(path);
    return;
  }
  const std::string base = path.substr(slash + 1);
  // A last "." or ".." is no name: the whole path is what the kernel walks.
  const bool is_name = !base.empty() && base != "." && base != "..";
  const absl::StatusOr<std::string> resolved =
      files_.RealPath(!is_name     ? path
                      : slash == 0 ? "/"
                                   : path.substr(0, slash));
  if (!resolved.ok()) {
    rule->set_canonical_form(CleanPath(path));
    return;
  }
  rule->set_canonical_form(
      CleanText(is_name ? absl::StrCat(*resolved == "/" ? "" : *resolved, "/", base) : *resolved,
                kMaxPathBytes));
  const absl::StatusOr<host::FileStatus> status = files_.Lstat(rule->canonical_form());
  if (!status.ok()) return;
  rule->set_last_is_symlink(status->type == host::FileType::kSymlink);
  rule->set_device(absl::StrCat(status->device_major, ":", status->device_minor));
}

}  // namespace plimsoll::sources
