#include "controller/evaluate/checks/audit_targets.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::evaluate {
namespace {

using v1::AuditWatchArgs;
using v1::SourceOutcome;
using v1::Verdict;

constexpr char kClient[] = "/usr/bin/docker";
constexpr char kDefaultDataRoot[] = "/var/lib/docker";
constexpr char kLegacyContainerd[] = "/usr/bin/docker-containerd";
constexpr absl::string_view kContainerdPaths[] = {kLegacyContainerd, "/usr/bin/containerd"};
constexpr absl::string_view kRuncPaths[] = {"/usr/bin/docker-runc", "/usr/bin/runc",
                                            "/usr/sbin/runc"};
// Where a bare name is looked for, as PATH of a service is by default.
constexpr absl::string_view kSearchPath[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                             "/usr/bin",        "/sbin",          "/bin"};

void Add(AuditTarget target, AuditTargets& targets) {
  if (target.presence == Presence::kPresent) {
    for (const AuditTarget& other : targets.list) {
      if (other.presence == Presence::kPresent && other.canonical_path == target.canonical_path) {
        return;
      }
    }
  }
  targets.list.push_back(std::move(target));
}

void AddFile(FileTarget file, AuditTargets& targets, bool note_only = false) {
  AuditTarget target{.file = std::move(file), .note_only = note_only};
  target.presence = PresenceOf(target.file);
  if (target.presence == Presence::kPresent) {
    const v1::FileFact& fact = *target.file.file;
    target.canonical_path = fact.canonical_path().empty() ? fact.path() : fact.canonical_path();
    target.is_directory = fact.type() == v1::FileFact::DIRECTORY;
    target.device = fact.device();
  }
  Add(std::move(target), targets);
}

void AddPath(const Context& context, absl::string_view path, AuditTargets& targets) {
  AddFile(PathTarget(context, path), targets);
}

// A program that runs: that it cannot be found is no evidence that it is not there.
void AddRunning(const Context& context, const std::string& path, AuditTargets& targets) {
  AddFile(SettingTarget(context, path), targets);
}

void AddDaemonExecutable(const Context& context, Judge& judge, AuditTargets& targets) {
  const v1::DaemonFacts& daemon = context.facts.daemon();
  if (!daemon.executable().empty() && daemon.outcome().state() == SourceOutcome::OK) {
    AddRunning(context, daemon.executable(), targets);
    return;
  }
  if (targets.any) {
    // One covered program is enough, so this alone decides nothing yet.
    AddFile({.path = "the daemon's executable"}, targets);
  } else if (!judge.UnknownFrom(Source::kDaemon, daemon.outcome())) {
    judge.Decide(Verdict::UNKNOWN, reason::kNotCollected,
                 "the executable of the daemon's process could not be read");
  }
}

void AddEngine(const Context& context, AuditWatchArgs::Target which, Judge& judge,
               AuditTargets& targets) {
  targets.any = which == AuditWatchArgs::ANY;
  if (which != AuditWatchArgs::DAEMON) AddPath(context, kClient, targets);
  if (which != AuditWatchArgs::CLIENT) AddDaemonExecutable(context, judge, targets);
}

void AddContainerd(const Context& context, bool only_legacy_name, Judge& judge,
                   AuditTargets& targets) {
  if (only_legacy_name) {
    AddPath(context, kLegacyContainerd, targets);
    return;
  }
  for (const absl::string_view path : kContainerdPaths) AddPath(context, path, targets);
  const v1::DaemonFacts& daemon = context.facts.daemon();
  if (judge.UnknownFrom(Source::kDaemon, daemon.outcome())) return;
  if (!daemon.containerd_executable().empty()) {
    AddRunning(context, daemon.containerd_executable(), targets);
  }
}

// The default runtime when the engine names no path: the first hit of the search path.
void AddByName(const Context& context, absl::string_view name, Judge& judge,
               AuditTargets& targets) {
  for (const absl::string_view directory : kSearchPath) {
    FileTarget file = PathTarget(context, absl::StrCat(directory, "/", name));
    if (PresenceOf(file) == Presence::kAbsent) continue;
    AddFile(std::move(file), targets);
    return;
  }
  judge.Decide(Verdict::UNKNOWN, reason::kNotCollected,
               absl::StrCat("the default runtime ", name, " was not found on the search path"));
}

void AddRunc(const Context& context, Judge& judge, AuditTargets& targets) {
  for (const absl::string_view path : kRuncPaths) AddPath(context, path, targets);
  if (judge.UnknownFrom(Source::kEngineInfo, OutcomeOf(context.facts, Source::kEngineInfo))) return;
  const std::string& runtime = context.facts.engine().default_runtime_path();
  if (runtime.empty()) return;
  if (absl::StrContains(runtime, '/')) {
    AddRunning(context, runtime, targets);
  } else {
    AddByName(context, runtime, judge, targets);
  }
}

void AddDataRoot(const Context& context, Judge& judge, AuditTargets& targets) {
  const v1::MountsFacts& mounts = context.facts.mounts();
  if (judge.UnknownFrom(Source::kMounts, mounts.outcome())) return;
  if (mounts.data_root_outcome().state() == SourceOutcome::NOT_PRESENT) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent, "the data root does not exist");
    return;
  }
  if (judge.UnknownFrom(Source::kMounts, mounts.data_root_outcome())) return;
  if (mounts.data_root().empty()) {
    judge.Decide(Verdict::UNKNOWN, reason::kNotCollected, "the data root is not known");
    return;
  }
  AuditTarget target{.file = PathTarget(context, mounts.data_root()),
                     .presence = Presence::kPresent,
                     .canonical_path = mounts.data_root(),
                     .is_directory = true,
                     .device = mounts.data_root_device()};
  if (target.device.empty() && target.file.file != nullptr) {
    target.device = target.file.file->device();
  }
  Add(std::move(target), targets);
  FileTarget usual = PathTarget(context, kDefaultDataRoot);
  if (PresenceOf(usual) == Presence::kPresent) AddFile(std::move(usual), targets, true);
}

}  // namespace

AuditTargets ResolveAuditTargets(const Context& context, const AuditWatchArgs& args, Judge& judge) {
  AuditTargets targets;
  std::vector<FileTarget> files;
  switch (args.subject_case()) {
    case AuditWatchArgs::kPath:
      files.push_back(PathTarget(context, args.path()));
      break;
    case AuditWatchArgs::kUnit:
      ResolveUnit(context, args.unit(), args.dropins(), judge, files);
      break;
    case AuditWatchArgs::kDaemonConfig:
      ResolveDaemonConfig(context, judge, files);
      break;
    case AuditWatchArgs::kDataRoot:
      AddDataRoot(context, judge, targets);
      break;
    case AuditWatchArgs::kProgram:
      if (args.program() == AuditWatchArgs::CONTAINERD) {
        AddContainerd(context, args.only_legacy_name(), judge, targets);
      } else if (args.program() == AuditWatchArgs::RUNC) {
        AddRunc(context, judge, targets);
      } else {
        AddEngine(context, args.target(), judge, targets);
      }
      break;
    case AuditWatchArgs::SUBJECT_NOT_SET:
      judge.Decide(Verdict::UNKNOWN, reason::kParseError, "the rule names nothing to audit");
      break;
  }
  for (FileTarget& file : files) AddFile(std::move(file), targets);
  for (const std::string& path : args.also()) AddPath(context, path, targets);
  return targets;
}

void PlanAuditTargets(const AuditWatchArgs& args, v1::CollectionPlan& plan) {
  for (const std::string& path : args.also()) PlanPaths({path}, plan);
  switch (args.subject_case()) {
    case AuditWatchArgs::kPath:
      PlanPaths({args.path()}, plan);
      return;
    case AuditWatchArgs::kUnit:
      PlanUnit(args.unit(), plan);
      return;
    case AuditWatchArgs::kDaemonConfig:
      PlanDaemonConfig(plan);
      return;
    case AuditWatchArgs::kDataRoot:
      PlanPaths({kDefaultDataRoot}, plan);
      return;
    case AuditWatchArgs::kProgram:
      break;
    case AuditWatchArgs::SUBJECT_NOT_SET:
      return;
  }
  if (args.program() == AuditWatchArgs::CONTAINERD) {
    PlanPaths(kContainerdPaths, plan);
  } else if (args.program() == AuditWatchArgs::RUNC) {
    PlanPaths(kRuncPaths, plan);
    for (const absl::string_view directory : kSearchPath) {
      plan.add_paths(absl::StrCat(directory, "/runc"));
    }
  } else {
    PlanPaths({kClient, "/usr/bin/dockerd", "/usr/sbin/dockerd"}, plan);
  }
}

}  // namespace plimsoll::evaluate
