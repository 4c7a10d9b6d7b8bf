// Owner and mode of files: rules 3.01 to 3.14 and 3.17 to 3.20 of azure-docker, 8.x of edge-docker.
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/evaluate/checks/families.h"
#include "controller/evaluate/checks/file_targets.h"
#include "controller/evaluate/checks/permissions.h"
#include "controller/evaluate/checks/sockets.h"

namespace plimsoll::evaluate {
namespace {

using v1::Check;
using v1::FileModeArgs;
using v1::FileOwnerArgs;
using v1::SourceOutcome;
using v1::Verdict;

// What the rule asks for, once names became numbers. Absent: the name could not be looked up.
struct Owner {
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::string text;
};

std::optional<uint32_t> NumberOf(absl::string_view name) {
  uint32_t number = 0;
  if (name == "root") return 0;
  return absl::SimpleAtoi(name, &number) ? std::optional(number) : std::nullopt;
}

std::optional<uint32_t> GroupNumber(const Context& context, absl::string_view name) {
  if (const auto number = NumberOf(name); number.has_value()) return number;
  if (context.facts.users().outcome().state() != SourceOutcome::OK) return std::nullopt;
  for (const v1::Group& group : context.facts.users().groups()) {
    if (group.name() == name && group.outcome().state() == SourceOutcome::OK) return group.gid();
  }
  return std::nullopt;
}

Owner WantedOwner(const Context& context, const FileOwnerArgs& args) {
  return {.uid = NumberOf(args.owner()),
          .gid = GroupNumber(context, args.group()),
          .text = absl::StrCat(args.owner(), ":", args.group())};
}

// Adds the subject's targets and those of `also`; says NOT_APPLICABLE where nothing is there.
template <typename Args>
std::vector<FileTarget> Resolve(const Context& context, const Args& args, Judge& judge) {
  std::vector<FileTarget> targets;
  switch (args.subject_case()) {
    case Args::kPath:
      targets.push_back(PathTarget(context, args.path()));
      break;
    case Args::kUnit:
      ResolveUnit(context, args.unit(), args.dropins(), judge, targets);
      break;
    case Args::kDaemonConfig:
      ResolveDaemonConfig(context, judge, targets);
      break;
    case Args::kTlsFile:
      ResolveTlsFile(context, args.tls_file(), judge, targets);
      break;
    case Args::kRegistryCertificates:
      ResolveRegistryCertificates(context, args.patterns(), judge, targets);
      break;
    case Args::SUBJECT_NOT_SET:
      judge.Decide(Verdict::UNKNOWN, reason::kParseError, "the rule names no file");
      break;
  }
  for (const std::string& path : args.also()) targets.push_back(PathTarget(context, path));
  return targets;
}

// Judges each target that is there by `judge_file`, and speaks for the rest.
template <typename JudgeFile>
void JudgeEach(const std::vector<FileTarget>& targets, absl::string_view expected, Judge& judge,
               JudgeFile judge_file) {
  const FileTarget* absent = nullptr;
  bool spoken = false;
  for (const FileTarget& target : targets) {
    switch (PresenceOf(target)) {
      case Presence::kPresent:
        judge_file(target);
        spoken = true;
        break;
      case Presence::kAbsent:
        if (absent == nullptr) absent = &target;
        break;
      case Presence::kUnknown:
        RecordUnknown(target, expected, judge);
        spoken = true;
        break;
    }
  }
  if (spoken || absent == nullptr) return;
  judge.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent,
               absl::StrCat(absent->path, " does not exist"));
}

// One comparison, with the drift rule for files that an edited daemon.json names.
void Record(const FileTarget& target, bool holds, absl::string_view observed,
            absl::string_view expected, Judge& judge) {
  const ObjectRef object{.name = target.path, .id = target.path};
  Evidence evidence{
      .observed = observed, .expected = expected, .source = target.file->canonical_path()};
  v1::Finding* finding;
  if (!holds) {
    if (target.drifted) evidence.reason = reason::kPendingRestart;
    finding = judge.Fail(object, evidence);
  } else if (target.drifted) {
    evidence.reason = reason::kConfigNewerThanProcess;
    finding = judge.Unknown(object, evidence);
  } else {
    finding = judge.Pass(object, evidence);
  }
  AddNotes(target, finding);
}

void JudgeOwner(const FileTarget& target, const Owner& wanted, Judge& judge) {
  const v1::FileFact& file = *target.file;
  const bool wrong_uid = wanted.uid.has_value() && file.uid() != *wanted.uid;
  const bool wrong_gid = wanted.gid.has_value() && file.gid() != *wanted.gid;
  const bool looked_up = wanted.uid.has_value() && wanted.gid.has_value();
  if (looked_up || wrong_uid || wrong_gid) {
    Record(target, !wrong_uid && !wrong_gid, OwnerText(file), wanted.text, judge);
    return;
  }
  judge.Unknown({.name = target.path, .id = target.path}, {.observed = OwnerText(file),
                                                           .expected = wanted.text,
                                                           .reason = reason::kNotCollected,
                                                           .source = file.canonical_path()});
}

// A rootless engine's own file: its user's, whatever the group.
void JudgeRootlessOwner(const Context& context, const FileTarget& target, Judge& judge) {
  const int64_t uid = context.facts.daemon().uid();
  Record(target, target.file->uid() == uid, OwnerText(*target.file),
         absl::StrCat("uid ", uid, ", the rootless engine's user"), judge);
}

void RunFileOwner(const Context& context, const Check& check, Judge& judge) {
  const FileOwnerArgs& args = check.file_owner();
  const Owner wanted = WantedOwner(context, args);
  const bool rootless = RunsWithoutRoot(context);
  JudgeEach(Resolve(context, args, judge), wanted.text, judge, [&](const FileTarget& target) {
    if (rootless && target.engine_owned) {
      JudgeRootlessOwner(context, target, judge);
    } else {
      JudgeOwner(target, wanted, judge);
    }
  });
}

bool IsPrivateKey(const FileTarget& target) {
  return absl::EndsWith(target.path, ".key") || absl::EndsWith(target.path, "key.pem");
}

void RunFileMode(const Context& context, const Check& check, Judge& judge) {
  const FileModeArgs& args = check.file_mode();
  const auto mode = ParseMode(args.max_mode());
  const auto key_mode = args.key_mode().empty() ? mode : ParseMode(args.key_mode());
  if (!mode.has_value() || !key_mode.has_value()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError, "the rule's mode is not an octal number");
    return;
  }
  const auto expected = [](uint32_t m) {
    return absl::StrCat(absl::StripPrefix(ModeText(m), "mode "), " or stricter");
  };
  const bool certificates = args.has_registry_certificates();
  JudgeEach(Resolve(context, args, judge), expected(*mode), judge, [&](const FileTarget& target) {
    const uint32_t allowed = certificates && IsPrivateKey(target) ? *key_mode : *mode;
    const v1::FileFact& file = *target.file;
    Record(target, ExtraBits(file, allowed) == 0, ModeText(file.mode()), expected(allowed), judge);
  });
}

template <typename Args>
void PlanSubject(const Args& args, v1::CollectionPlan& plan) {
  switch (args.subject_case()) {
    case Args::kPath:
      PlanPaths({args.path()}, plan);
      break;
    case Args::kUnit:
      PlanUnit(args.unit(), plan);
      break;
    case Args::kDaemonConfig:
      PlanDaemonConfig(plan);
      break;
    case Args::kTlsFile:
      PlanTlsFile(args.tls_file(), plan);
      break;
    default:
      break;
  }
  for (const std::string& path : args.also()) PlanPaths({path}, plan);
}

void PlanFileOwner(const Check& check, v1::CollectionPlan& plan) {
  PlanSubject(check.file_owner(), plan);
}

void PlanFileMode(const Check& check, v1::CollectionPlan& plan) {
  PlanSubject(check.file_mode(), plan);
}

constexpr CheckEntry kChecks[] = {
    {Check::kFileOwner, {Source::kFiles}, RunFileOwner, PlanFileOwner},
    {Check::kFileMode, {Source::kFiles}, RunFileMode, PlanFileMode},
    {Check::kSocketOwner, {Source::kFiles}, RunSocketOwner, PlanSockets},
    {Check::kSocketMode, {Source::kFiles}, RunSocketMode, PlanSockets},
};

}  // namespace

absl::Span<const CheckEntry> FileChecks() { return kChecks; }

}  // namespace plimsoll::evaluate
