// What the kernel audits, and how its log is kept: rules 1.05 to 1.13 of azure-docker, 3.x of
// edge-docker.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/evaluate/checks/audit_coverage.h"
#include "controller/evaluate/checks/audit_reasons.h"
#include "controller/evaluate/checks/audit_targets.h"
#include "controller/evaluate/checks/families.h"

namespace plimsoll::evaluate {
namespace {

using v1::AuditFacts;
using v1::AuditWatchArgs;
using v1::Check;
using v1::SourceOutcome;
using v1::Verdict;

// One target against the rules, put into words.
struct Answer {
  Verdict::Status status = Verdict::UNKNOWN;
  absl::string_view reason;
  std::string observed;
  std::vector<std::pair<absl::string_view, std::string>> notes;
};

// What is the same for all targets of a rule. Borrows.
struct Question {
  const AuditFacts& audit;
  const AuditWatchArgs& args;
  CoverageOptions options;
  std::string expected;

  bool BuiltIn() const { return audit.outcome().state() != SourceOutcome::UNSUPPORTED; }
};

Answer Fails(absl::string_view reason, std::string observed) {
  return {.status = Verdict::FAIL, .reason = reason, .observed = std::move(observed), .notes = {}};
}

// The rules on disk, as they will be loaded at the next boot, when file systems are mounted first.
enum class OnDisk { kCovered, kNotCovered, kUnread };
OnDisk CoveredOnDisk(const Question& question, const CoverageTarget& target) {
  if (question.audit.persisted_outcome().state() != SourceOutcome::OK) return OnDisk::kUnread;
  CoverageOptions options = question.options;
  options.assume_mounts_first = true;
  const Coverage coverage = CoveredBy(question.audit.persisted_rules(), target, options);
  return coverage.state == Coverage::State::kCovered ? OnDisk::kCovered : OnDisk::kNotCovered;
}

Answer NotCovered(const Question& question, const CoverageHints& hints, OnDisk on_disk) {
  if (hints.task_never) {
    return Fails(audit_reason::kTaskNever, "the rule never,task keeps every new process silent");
  }
  if (hints.suppressed) {
    return Fails(audit_reason::kSuppressed, "a \"never\" rule matches before any watch");
  }
  if (on_disk == OnDisk::kCovered) {
    return Fails(audit_reason::kPersistedNotLoaded, "rules on disk cover it, but are not loaded");
  }
  if (hints.symlink) {
    return Fails(audit_reason::kWatchesSymlink,
                 "a rule names a link, which the kernel does not follow");
  }
  if (hints.shallow) {
    return Fails(audit_reason::kShallow, "a rule sees the directory, but not the files in it");
  }
  if (hints.filtered) {
    return Fails(audit_reason::kFiltered, "a rule records some users, programs or calls only");
  }
  if (hints.other_key) {
    return Fails(audit_reason::kKeyMissing,
                 absl::StrCat("no rule has the key ", question.args.require_key()));
  }
  if (hints.ancestor) {
    return Fails(audit_reason::kOnlyAncestor, "only a rule on a directory above covers it");
  }
  return Fails({}, "no loaded rule records it");
}

Answer Covered(const Question& question, const Coverage& coverage, OnDisk on_disk) {
  if (question.args.require_persistent()) {
    if (on_disk == OnDisk::kUnread) {
      const SourceOutcome& outcome = question.audit.persisted_outcome();
      return {.status = Verdict::UNKNOWN,
              .reason = ReasonFor(Source::kAudit, outcome),
              .observed = outcome.message().empty() ? "the rules on disk could not be read"
                                                    : outcome.message(),
              .notes = {}};
    }
    if (on_disk == OnDisk::kNotCovered) {
      return Fails(audit_reason::kNotPersistent, "loaded, but no rule on disk covers it");
    }
  }
  Answer answer{.status = Verdict::PASS, .reason = {}, .observed = {}, .notes = {}};
  answer.observed = absl::StrJoin(coverage.rules, " and ", [](std::string* out, const auto* rule) {
    absl::StrAppend(out, RuleText(*rule));
  });
  if (on_disk == OnDisk::kNotCovered) {
    answer.notes.emplace_back(audit_reason::kNotPersistent,
                              "no rule on disk covers it: lost at the next boot");
  }
  return answer;
}

Answer Ask(const Question& question, const AuditTarget& target) {
  const AuditFacts& audit = question.audit;
  if (!question.BuiltIn()) {
    return Fails(audit_reason::kAuditAbsent, "this kernel has no audit");
  }
  if (audit.status().enabled() == 0) {
    return Fails(audit_reason::kAuditDisabled, "audit is switched off: nothing is recorded");
  }
  if (question.args.require_auditd() && !audit.status().auditd_running()) {
    return Fails(audit_reason::kAuditdNotRunning, "no audit daemon takes the records");
  }
  const CoverageTarget where{.canonical_path = target.canonical_path,
                             .is_directory = target.is_directory,
                             .device = target.device};
  const Coverage coverage = CoveredBy(audit.kernel_rules(), where, question.options);
  if (coverage.state == Coverage::State::kMountBoundary) {
    return {.status = Verdict::UNKNOWN,
            .reason = reason::kMountBoundary,
            .observed =
                "a rule above it lies on another file system; whether it reaches here "
                "depends on which was mounted or loaded first",
            .notes = {}};
  }
  const OnDisk on_disk = CoveredOnDisk(question, where);
  return coverage.state == Coverage::State::kCovered
             ? Covered(question, coverage, on_disk)
             : NotCovered(question, coverage.hints, on_disk);
}

void Record(const Question& question, const AuditTarget& target, const Answer& answer,
            Judge& judge) {
  const ObjectRef object{.name = target.file.path, .id = target.file.path};
  const Evidence evidence{.observed = answer.observed,
                          .expected = question.expected,
                          .reason = answer.reason,
                          .source = "audit rules of the kernel"};
  v1::Finding* finding = answer.status == Verdict::PASS   ? judge.Pass(object, evidence)
                         : answer.status == Verdict::FAIL ? judge.Fail(object, evidence)
                                                          : judge.Unknown(object, evidence);
  for (const auto& [code, text] : answer.notes) {
    v1::Note* note = finding->add_notes();
    note->set_code(code.data(), code.size());
    note->set_text(text);
  }
  AddNotes(target.file, finding);
}

void NoteAnswer(const AuditTarget& target, const Answer& answer, Judge& judge) {
  if (answer.status == Verdict::PASS) return;
  judge.Note(audit_reason::kNotAudited, absl::StrCat(target.file.path, ": ", answer.observed));
}

// Any one of the targets is enough; what the others lack is a note.
void JudgeAny(const Context& context, const Question& question, const AuditTargets& targets,
              Judge& judge) {
  std::vector<std::pair<const AuditTarget*, Answer>> answers;
  const AuditTarget* unknown = nullptr;
  bool covered = false;
  for (const AuditTarget& target : targets.list) {
    if (target.presence == Presence::kUnknown) unknown = &target;
    if (target.presence != Presence::kPresent) continue;
    answers.emplace_back(&target, Ask(question, target));
    covered |= answers.back().second.status == Verdict::PASS;
    if (answers.back().second.status == Verdict::UNKNOWN) unknown = &target;
  }
  for (const auto& [target, answer] : answers) {
    const bool open = !covered && unknown != nullptr;
    const bool counts =
        covered ? answer.status == Verdict::PASS : !open || answer.status == Verdict::UNKNOWN;
    if (counts) {
      Record(question, *target, answer, judge);
    } else {
      NoteAnswer(*target, answer, judge);
    }
  }
  if (covered || unknown == nullptr || unknown->presence == Presence::kPresent) return;
  if (!judge.UnknownFrom(Source::kDaemon, context.facts.daemon().outcome())) {
    RecordUnknown(unknown->file, question.expected, judge);
  }
}

void JudgeAll(const Question& question, const AuditTargets& targets, Judge& judge) {
  for (const AuditTarget& target : targets.list) {
    if (target.presence == Presence::kUnknown) {
      RecordUnknown(target.file, question.expected, judge);
    } else if (target.presence == Presence::kPresent && target.note_only) {
      NoteAnswer(target, Ask(question, target), judge);
    } else if (target.presence == Presence::kPresent) {
      Record(question, target, Ask(question, target), judge);
    }
  }
}

void SayAbsent(const AuditTargets& targets, Judge& judge) {
  if (targets.list.empty()) return;
  for (const AuditTarget& target : targets.list) {
    if (target.presence != Presence::kAbsent) return;
  }
  judge.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent,
               absl::StrCat(targets.list.front().file.path, " does not exist"));
}

void RunAuditWatch(const Context& context, const Check& check, Judge& judge) {
  const AuditWatchArgs& args = check.audit_watch();
  const AuditFacts& audit = context.facts.audit();
  Question question{.audit = audit, .args = args, .options = OptionsFrom(args), .expected = {}};
  if (question.BuiltIn()) {
    if (judge.UnknownFrom(Source::kAudit, audit.outcome())) return;
    if (!audit.has_status()) {
      judge.Decide(Verdict::UNKNOWN, reason::kNotCollected, "the kernel's audit status is missing");
      return;
    }
  }
  const auto need = ParsePermissions(args.need());
  if (!need.has_value()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError, "the rule's need is not letters of rwxa");
    return;
  }
  question.options.need = *need;
  question.expected = absl::StrCat("-p ", PermissionLetters(*need), " recorded");
  const AuditTargets targets = ResolveAuditTargets(context, args, judge);
  if (targets.any) {
    JudgeAny(context, question, targets, judge);
  } else {
    JudgeAll(question, targets, judge);
  }
  SayAbsent(targets, judge);
}

void PlanAuditWatch(const Check& check, v1::CollectionPlan& plan) {
  PlanAuditTargets(check.audit_watch(), plan);
}

void RunAuditLogRotation(const Context& context, const Check& check, Judge& judge) {
  const AuditFacts::DaemonConfig& config = context.facts.audit().daemon_config();
  if (config.outcome().state() == SourceOutcome::NOT_PRESENT) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent, "no auditd.conf");
    return;
  }
  if (judge.UnknownFrom(Source::kAudit, config.outcome())) return;
  const std::string action =
      config.has_max_log_file_action() ? config.max_log_file_action() : "ignore";
  const int minimum = check.audit_log_rotation().min_num_logs();
  const std::string observed =
      absl::StrCat("max_log_file_action ", action, ", num_logs ", config.num_logs());
  const std::string expected =
      absl::StrCat("keep_logs, or rotate with at least ", minimum, " logs");
  constexpr ObjectRef kObject{.name = "/etc/audit/auditd.conf", .id = "/etc/audit/auditd.conf"};
  Evidence evidence{.observed = observed, .expected = expected, .source = "auditd.conf"};
  if (action == "keep_logs" || (action == "rotate" && config.num_logs() >= minimum)) {
    judge.Pass(kObject, evidence);
    judge.Note(audit_reason::kArchiveByHand,
               "whether old logs are archived is for a person to see");
  } else if (action == "syslog") {
    judge.Manual(kObject, evidence);
  } else if (action == "rotate" || action == "ignore" || action == "suspend") {
    judge.Fail(kObject, evidence);
  } else {
    evidence.reason = reason::kParseError;
    judge.Unknown(kObject, evidence);
  }
}

// The kernel's audit is asked in the function: its absence from the kernel is a violation, not a
// gap.
constexpr CheckEntry kChecks[] = {
    {Check::kAuditWatch, {Source::kFiles}, RunAuditWatch, PlanAuditWatch},
    {Check::kAuditLogRotation, {}, RunAuditLogRotation},
};

}  // namespace

absl::Span<const CheckEntry> AuditChecks() { return kChecks; }

}  // namespace plimsoll::evaluate
