#include "collector/sources/audit_file.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/sources/audit_kernel.h"
#include "collector/sources/audit_line.h"
#include "collector/sources/outcome.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr char kMainFile[] = "/etc/audit/audit.rules";
constexpr char kDirectory[] = "/etc/audit/rules.d";
constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr size_t kMaxFiles = 256;
constexpr size_t kMaxRules = 8192;

// One set of files that a loader reads as if they were one.
class RuleSet {
 public:
  RuleSet(host::HostEnv& env, v1::AuditFacts* facts)
      : env_(env), facts_(facts), rules_(env.files) {}

  // The outcome of reading `path`, also recorded in `rule_files` unless the file is absent.
  absl::Status Load(const std::string& path) {
    absl::StatusOr<std::string> text = env_.files.ReadFile(path, kMaxFileBytes);
    if (absl::IsNotFound(text.status())) return text.status();
    v1::AuditFacts::RuleFile* file = facts_->add_rule_files();
    file->set_path(CleanText(path, kMaxPathBytes));
    OutcomeTimer timer(env_.clock, file->mutable_outcome());
    timer.Set(text.status());
    if (!text.ok()) return text.status();
    if (absl::StatusOr<host::FileStatus> status = env_.files.Stat(path); status.ok()) {
      const int64_t seconds = absl::ToUnixSeconds(status->modify_time);
      file->mutable_modify_time()->set_seconds(seconds);
      file->mutable_modify_time()->set_nanos(static_cast<int32_t>(
          absl::ToInt64Nanoseconds(status->modify_time - absl::FromUnixSeconds(seconds))));
    }
    return Parse(*text, file);
  }

  void Publish() {
    for (const v1::AuditRule& rule : rules_.kept()) *facts_->add_persisted_rules() = rule;
    facts_->set_other_persisted_rule_count(facts_->other_persisted_rule_count() +
                                           rules_.other_count());
  }

 private:
  absl::Status Parse(absl::string_view text, v1::AuditFacts::RuleFile* file) {
    int number = 0;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      ++number;
      if (rules_.kept().size() + rules_.other_count() >= kMaxRules) {
        return absl::ResourceExhaustedError(absl::StrCat("more than ", kMaxRules, " audit rules"));
      }
      absl::StatusOr<AuditLine> parsed = ParseAuditLine(line, env_.files);
      if (parsed.ok() && Take(*parsed, number, file->path())) continue;
      if (ignore_errors_) continue;
      file->set_error_line(number);
      break;
    }
    return absl::OkStatus();
  }

  // False: the kernel would refuse it in this state.
  bool Take(AuditLine& parsed, int number, const std::string& path) {
    switch (parsed.kind) {
      case AuditLine::Kind::kNothing:
        break;
      case AuditLine::Kind::kRule:
        parsed.rule.set_file(path);
        parsed.rule.set_line(number);
        rules_.Add(std::move(parsed.rule));
        break;
      case AuditLine::Kind::kDelete:
        return rules_.Remove(std::move(parsed.rule));
      case AuditLine::Kind::kDeleteAll:
        rules_.Clear();
        break;
      case AuditLine::Kind::kIgnoreErrors:
        ignore_errors_ = true;
        break;
    }
    return true;
  }

  host::HostEnv& env_;
  v1::AuditFacts* const facts_;
  AuditRuleList rules_;
  bool ignore_errors_ = false;
};

// Names in natural order: "9.rules" before "10.rules".
absl::StatusOr<std::vector<std::string>> ListRuleFiles(const host::FileSystem& files) {
  absl::StatusOr<std::vector<std::string>> names = files.ListDirectory(kDirectory);
  if (!names.ok()) return names;
  std::vector<std::string> paths;
  for (const std::string& name : *names) {
    if (absl::EndsWith(name, ".rules")) paths.push_back(absl::StrCat(kDirectory, "/", name));
  }
  absl::c_sort(paths, [](const std::string& a, const std::string& b) {
    return strverscmp(a.c_str(), b.c_str()) < 0;
  });
  return paths;
}

}  // namespace

void CollectPersistedRules(host::HostEnv& env, v1::AuditFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_persisted_outcome());
  const auto note = [&](const absl::Status& status) {
    if (!absl::IsNotFound(status)) timer.Set(status);
  };
  RuleSet main(env, facts);
  const absl::Status main_status = main.Load(kMainFile);
  note(main_status);
  main.Publish();

  absl::StatusOr<std::vector<std::string>> paths = ListRuleFiles(env.files);
  note(paths.status());
  if (!paths.ok()) {
    if (absl::IsNotFound(main_status) && absl::IsNotFound(paths.status())) timer.Set(main_status);
    return;
  }
  if (paths->size() > kMaxFiles) {
    note(absl::ResourceExhaustedError(absl::StrCat("more than ", kMaxFiles, " audit rule files")));
    paths->resize(kMaxFiles);
  }
  RuleSet parts(env, facts);
  for (const std::string& path : *paths) note(parts.Load(path));
  parts.Publish();
  timer.Set(absl::OkStatus());
}

}  // namespace plimsoll::sources
