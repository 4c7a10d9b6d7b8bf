#include "collector/sources/audit_line.h"

#include <libaudit.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "collector/sources/audit_kernel.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr size_t kMaxKeyBytes = AUDIT_MAX_KEY_LEN;
constexpr char kUnquotedSpace = '\x07';
constexpr char kUnquotedBackslash = '\x04';

// Options of auditctl 3; a colon marks those that take a value.
constexpr absl::string_view kShortOptions = "hicslDvtC:e:f:r:b:a:A:d:S:F:m:R:w:W:k:p:q:";
// Its long options: settings all, without and with a value.
constexpr absl::string_view kBareLongOptions[] = {"loginuid-immutable", "reset-lost",
                                                  "reset_backlog_wait_time_actual"};
constexpr absl::string_view kValuedLongOptions[] = {"backlog_wait_time", "signal"};

absl::Status Refused(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("audit rule: ", why));
}

struct Option {
  char letter = 0;
  std::string value;
};

std::vector<std::string> SplitWords(absl::string_view line) {
  std::string text(line);
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '\\' || (text[i + 1] != ' ' && text[i + 1] != '\\')) continue;
    text.replace(i, 2, 1, text[i + 1] == ' ' ? kUnquotedSpace : kUnquotedBackslash);
  }
  std::vector<std::string> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  for (std::string& word : words) {
    absl::c_replace(word, kUnquotedSpace, ' ');
    absl::c_replace(word, kUnquotedBackslash, '\\');
  }
  return words;
}

// getopt with auditctl's options. A word that is none is refused.
absl::StatusOr<std::vector<Option>> SplitOptions(const std::vector<std::string>& words) {
  std::vector<Option> options;
  for (size_t i = 0; i < words.size(); ++i) {
    const absl::string_view word = words[i];
    if (absl::StartsWith(word, "--")) {
      const absl::string_view name = word.substr(2, word.find('=') - 2);
      const bool valued = absl::c_linear_search(kValuedLongOptions, name);
      if (!valued && !absl::c_linear_search(kBareLongOptions, name)) {
        return Refused("unknown option");
      }
      if (valued && !absl::StrContains(word, '=')) ++i;
      options.push_back({'-', std::string(name)});
      continue;
    }
    if (word.size() < 2 || word[0] != '-') return Refused("a word that is no option");
    for (size_t at = 1; at < word.size(); ++at) {
      const size_t known = kShortOptions.find(word[at]);
      if (known == absl::string_view::npos || word[at] == ':') return Refused("unknown option");
      const bool takes_value = known + 1 < kShortOptions.size() && kShortOptions[known + 1] == ':';
      if (!takes_value) {
        options.push_back({word[at], ""});
        continue;
      }
      if (at + 1 < word.size()) {
        options.push_back({word[at], std::string(word.substr(at + 1))});
      } else if (++i < words.size()) {
        options.push_back({word[at], words[i]});
      } else {
        return Refused("an option without its value");
      }
      break;
    }
  }
  return options;
}

struct FreeRule {
  void operator()(audit_rule_data* rule) const { audit_rule_free_data(rule); }
};

// Builds one rule with libaudit, in the order auditctl would have met its parts.
class RuleBuilder {
 public:
  explicit RuleBuilder(const host::FileSystem& files)
      : files_(files), data_(audit_rule_create_data()) {
    audit_rule_init_data(data_.get());
  }

  absl::Status SetListAndAction(absl::string_view text) {
    if (list_) return Refused("more than one list");
    const std::vector<std::string> words = absl::StrSplit(text, ',');
    if (words.size() != 2) return Refused("not a list and an action");
    int list = audit_name_to_flag(words[0].c_str());
    int action = audit_name_to_action(words[1].c_str());
    if (list < 0 || action < 0) {
      list = audit_name_to_flag(words[1].c_str());
      action = audit_name_to_action(words[0].c_str());
    }
    if (list < 0 || list == AUDIT_FILTER_ENTRY || action < 0 || action == AUDIT_POSSIBLE) {
      return Refused("unknown list or action");
    }
    list_ = list;
    data_->flags = static_cast<uint32_t>(list);
    data_->action = static_cast<uint32_t>(action);
    return absl::OkStatus();
  }

  absl::Status SetWatch(std::string path) {
    if (list_) return Refused("a watch within a rule");
    if (!absl::StartsWith(path, "/") || path.size() >= kMaxPathBytes) return Refused("bad path");
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    const absl::StatusOr<host::FileStatus> status = files_.Stat(path);
    const bool is_directory = status.ok() && status->type == host::FileType::kDirectory;
    list_ = AUDIT_FILTER_EXIT;
    data_->flags = AUDIT_FILTER_EXIT;
    data_->action = AUDIT_ALWAYS;
    syscalls_added_ = true;
    if (audit_rule_syscallbyname_data(data_.get(), "all") != 0) return Refused("no mask");
    return Take([&](audit_rule_data** data) {
      return audit_add_watch_dir(is_directory ? AUDIT_DIR : AUDIT_WATCH, data, path.c_str());
    });
  }

  absl::Status AddField(std::string pair) {
    if (!list_) return Refused("a field without a list");
    if (absl::StartsWith(pair, "key=")) return AddKey(pair.substr(4));
    if (syscalls_added_ && !watch_ && absl::StartsWith(pair, "arch")) {
      return Refused("arch after a system call");
    }
    return Take([&](audit_rule_data** data) {
      return audit_rule_fieldpair_data(data, pair.data(), *list_);
    });
  }

  absl::Status AddComparison(std::string pair) {
    if (!list_) return Refused("a comparison without a list");
    return Take([&](audit_rule_data** data) {
      return audit_rule_interfield_comp_data(data, pair.data(), *list_);
    });
  }

  absl::Status AddSyscalls(absl::string_view names) {
    if (!list_ || *list_ == AUDIT_FILTER_TASK) return Refused("system calls have no place here");
    syscalls_added_ = true;
    for (const absl::string_view name : absl::StrSplit(names, ',')) {
      if (audit_rule_syscallbyname_data(data_.get(), std::string(name).c_str()) != 0) {
        return Refused("unknown system call");
      }
    }
    return absl::OkStatus();
  }

  absl::Status SetPermissions(absl::string_view letters) {
    int bits = 0;
    for (const char letter : absl::AsciiStrToLower(letters)) {
      const size_t at = absl::string_view("xwra").find(letter);
      if (at == absl::string_view::npos) return Refused("unknown permission");
      bits |= 1 << at;
    }
    if (!list_ || letters.empty() || letters.size() > 4) return Refused("bad permissions");
    return Take([&](audit_rule_data** data) { return audit_update_watch_perms(*data, bits); });
  }

  absl::Status AddKey(absl::string_view key) {
    if (!key.empty()) keys_.emplace_back(key);
    return absl::StrJoin(keys_, "\x01").size() > kMaxKeyBytes ? Refused("key too long")
                                                              : absl::OkStatus();
  }

  void MarkWatch() { watch_ = true; }

  absl::StatusOr<v1::AuditRule> Build() {
    if (!list_) return Refused("no list");
    if (!keys_.empty()) {
      std::string pair = absl::StrCat("key=", absl::StrJoin(keys_, "\x01"));
      absl::Status added = Take([&](audit_rule_data** data) {
        return audit_rule_fieldpair_data(data, pair.data(), *list_);
      });
      if (!added.ok()) return added;
    }
    if (!syscalls_added_ && *list_ != AUDIT_FILTER_TASK) {
      audit_rule_syscallbyname_data(data_.get(), "all");
    }
    const size_t size = offsetof(audit_rule_data, buf) + data_->buflen;
    absl::StatusOr<v1::AuditRule> rule =
        DecodeAuditRule({reinterpret_cast<const char*>(data_.get()), size});
    if (!rule.ok()) return rule;
    if (absl::Status kernel = KernelAccepts(*rule); !kernel.ok()) return kernel;
    return rule;
  }

 private:
  template <typename Call>
  absl::Status Take(Call call) {
    audit_rule_data* data = data_.release();
    const int result = call(&data);
    data_.reset(data);
    return result == 0 ? absl::OkStatus() : Refused("libaudit refuses a part of it");
  }

  // What only the kernel checks: one path, absolute, with a place to hang the watch on.
  absl::Status KernelAccepts(const v1::AuditRule& rule) const {
    int paths = 0;
    for (uint32_t i = 0; i < data_->field_count; ++i) {
      const uint32_t field = data_->fields[i];
      const bool is_path = field == AUDIT_WATCH || field == AUDIT_DIR;
      paths += is_path ? 1 : 0;
      if ((is_path || field == AUDIT_PERM) && data_->fieldflags[i] != AUDIT_EQUAL) {
        return Refused("a path or permission that is not compared with =");
      }
    }
    if (paths > 1) return Refused("more than one path");
    if (paths == 0) return absl::OkStatus();
    const std::string& path = rule.has_path() ? rule.path() : rule.dir();
    if (!absl::StartsWith(path, "/")) return Refused("a relative path");
    if (rule.has_path() && absl::EndsWith(path, "/")) return Refused("a slash at the end");
    const std::string place =
        rule.has_dir() ? path : path.substr(0, std::max<size_t>(1, path.rfind('/')));
    if (absl::IsNotFound(files_.Stat(place).status())) return Refused("no such directory");
    return absl::OkStatus();
  }

  const host::FileSystem& files_;
  std::unique_ptr<audit_rule_data, FreeRule> data_;
  std::optional<int> list_;
  bool syscalls_added_ = false;
  bool watch_ = false;
  std::vector<std::string> keys_;
};

absl::StatusOr<v1::AuditRule> BuildRule(const std::vector<Option>& options,
                                        const host::FileSystem& files) {
  RuleBuilder builder(files);
  absl::Status status;
  for (const Option& option : options) {
    if (option.letter == 'a' || option.letter == 'A') {
      status.Update(builder.SetListAndAction(option.value));
    } else if (option.letter == 'w') {
      status.Update(builder.SetWatch(option.value));
      builder.MarkWatch();
    }
  }
  for (const Option& option : options) {
    if (!status.ok()) return status;
    if (option.letter == 'F') status = builder.AddField(option.value);
    if (option.letter == 'C') status = builder.AddComparison(option.value);
    if (option.letter == 'S') status = builder.AddSyscalls(option.value);
  }
  for (const Option& option : options) {
    if (!status.ok()) return status;
    if (option.letter == 'p') status = builder.SetPermissions(option.value);
    if (option.letter == 'k') status = builder.AddKey(option.value);
  }
  if (!status.ok()) return status;
  return builder.Build();
}

}  // namespace

absl::StatusOr<AuditLine> ParseAuditLine(absl::string_view line, const host::FileSystem& files) {
  AuditLine result;
  const std::vector<std::string> words = SplitWords(line);
  if (words.empty() || words[0][0] == '#') return result;
  absl::StatusOr<std::vector<Option>> options = SplitOptions(words);
  if (!options.ok()) return options.status();
  const auto has = [&](absl::string_view letters) {
    return absl::c_any_of(*options,
                          [&](const Option& o) { return letters.find(o.letter) != letters.npos; });
  };
  if (has("R")) return Refused("a rule file within a rule file");
  const bool deletes = has("Wd");
  if (deletes) {
    if (has("aAw")) return Refused("adding and deleting at once");
    for (Option& option : *options) {
      if (option.letter == 'W') option.letter = 'w';
      if (option.letter == 'd') option.letter = 'a';
    }
  }
  if (has("D")) {
    result.kind = AuditLine::Kind::kDeleteAll;
  } else if (has("aAwFSCpk")) {
    absl::StatusOr<v1::AuditRule> rule = BuildRule(*options, files);
    if (!rule.ok()) return rule.status();
    result.kind = deletes ? AuditLine::Kind::kDelete : AuditLine::Kind::kRule;
    result.rule = *std::move(rule);
  } else if (has("ic")) {
    result.kind = AuditLine::Kind::kIgnoreErrors;
  }
  return result;
}

}  // namespace plimsoll::sources
