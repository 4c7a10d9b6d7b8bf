#include "controller/evaluate/checks/file_targets.h"

#include <fnmatch.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "controller/evaluate/checks/effective_settings.h"

namespace plimsoll::evaluate {
namespace {

using v1::FileSubject;
using v1::SourceOutcome;
using v1::Unit;
using v1::Verdict;

constexpr char kDefaultConfig[] = "/etc/docker/daemon.json";
constexpr char kDefaultTlsDirectory[] = "/root/.docker";
constexpr char kSnapService[] = "snap.docker.dockerd.service";

const Key<absl::string_view>& TlsSetting(FileSubject::TlsFile which) {
  switch (which) {
    case FileSubject::CERTIFICATE:
      return setting::kTlsCert;
    case FileSubject::KEY:
      return setting::kTlsKey;
    default:
      return setting::kTlsCaCert;
  }
}

absl::string_view TlsFileName(FileSubject::TlsFile which) {
  switch (which) {
    case FileSubject::CERTIFICATE:
      return "cert.pem";
    case FileSubject::KEY:
      return "key.pem";
    default:
      return "ca.pem";
  }
}

// TLS is on, but no setting names the file: the engine tries a directory of its user.
void ResolveDefaultTlsFile(const Context& context, FileSubject::TlsFile which, bool drifted,
                           Judge& judge, std::vector<FileTarget>& targets) {
  const v1::DaemonFacts& daemon = context.facts.daemon();
  if (judge.UnknownFrom(Source::kDaemon, daemon.environment().outcome())) return;
  std::string directory = daemon.environment().docker_cert_path();
  if (directory.empty()) {
    directory = daemon.home_directory().empty() ? kDefaultTlsDirectory
                                                : absl::StrCat(daemon.home_directory(), "/.docker");
  }
  FileTarget target = PathTarget(context, absl::StrCat(directory, "/", TlsFileName(which)));
  target.engine_owned = true;
  target.drifted = drifted;
  targets.push_back(std::move(target));
}

const Unit* FindUnit(const Context& context, absl::string_view name) {
  const Unit* unit = context.index.Unit(name);
  if (name != "docker.service" || (unit != nullptr && unit->load_state() != Unit::NOT_FOUND)) {
    return unit;
  }
  const Unit* snap = context.index.Unit(kSnapService);
  return snap != nullptr && snap->load_state() == Unit::LOADED ? snap : unit;
}

bool MatchesAny(const google::protobuf::RepeatedPtrField<std::string>& patterns,
                const std::string& path) {
  const char* name = path.c_str() + path.rfind('/') + 1;
  for (const std::string& pattern : patterns) {
    if (fnmatch(pattern.c_str(), name, 0) == 0) return true;
  }
  return false;
}

}  // namespace

Presence PresenceOf(const FileTarget& target) {
  if (target.file == nullptr) return Presence::kUnknown;
  switch (target.file->outcome().state()) {
    case SourceOutcome::OK:
      return Presence::kPresent;
    case SourceOutcome::NOT_PRESENT:
      return target.required ? Presence::kUnknown : Presence::kAbsent;
    default:
      return Presence::kUnknown;
  }
}

void RecordUnknown(const FileTarget& target, absl::string_view expected, Judge& judge) {
  Evidence evidence{.observed = "not looked at by the collector",
                    .expected = expected,
                    .reason = reason::kNotCollected};
  if (target.file != nullptr) {
    const SourceOutcome& outcome = target.file->outcome();
    if (outcome.state() == SourceOutcome::NOT_PRESENT) {
      evidence.observed = "missing, though the daemon is configured to use it";
    } else {
      evidence.observed = "could not be read";
      if (!outcome.message().empty()) evidence.observed = outcome.message();
      evidence.reason = ReasonFor(Source::kFiles, outcome);
    }
  }
  AddNotes(target, judge.Unknown({.name = target.path, .id = target.path}, evidence));
}

void AddNotes(const FileTarget& target, v1::Finding* finding) {
  const auto add = [finding](absl::string_view code, std::string text) {
    v1::Note* note = finding->add_notes();
    note->set_code(code.data(), code.size());
    note->set_text(std::move(text));
  };
  for (const auto& [code, text] : target.notes) add(code, text);
  if (target.file == nullptr) return;
  if (target.file->is_symlink()) {
    add(note::kSymlink, absl::StrCat("a link to ", target.file->canonical_path()));
  }
  if (target.file->parent_writable_by_others()) {
    add(note::kParentWritable, "another user than root can replace it: see its directory");
  }
}

FileTarget PathTarget(const Context& context, absl::string_view path) {
  return {.path = std::string(path), .file = context.index.File(path)};
}

FileTarget SettingTarget(const Context& context, absl::string_view value) {
  FileTarget target = PathTarget(context, value);
  const std::string& directory = context.facts.daemon().working_directory();
  if (target.file == nullptr && !absl::StartsWith(value, "/") && !directory.empty()) {
    target = PathTarget(context, absl::StrCat(absl::StripSuffix(directory, "/"), "/", value));
  }
  target.required = true;
  target.engine_owned = true;
  return target;
}

void ResolveUnit(const Context& context, absl::string_view name, FileSubject::DropIns dropins,
                 Judge& judge, std::vector<FileTarget>& targets) {
  if (judge.UnknownFrom(Source::kUnits, context.facts.units().outcome())) return;
  const Unit* unit = FindUnit(context, name);
  if (unit == nullptr) {
    judge.Decide(Verdict::UNKNOWN, reason::kNotCollected,
                 absl::StrCat(name, " was not looked for; update the collector's plan"));
    return;
  }
  const bool read = unit->outcome().state() == SourceOutcome::OK ||
                    unit->outcome().state() == SourceOutcome::NOT_PRESENT;
  if (!read) {
    judge.UnknownFrom(Source::kUnits, unit->outcome());
    return;
  }
  if (unit->load_state() == Unit::MASKED) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kUnitMasked, absl::StrCat(name, " is masked"));
    return;
  }
  if (unit->load_state() == Unit::NOT_FOUND) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kUnitAbsent, absl::StrCat("no unit ", name));
    return;
  }
  if (unit->fragment_path().empty()) {
    judge.Decide(Verdict::UNKNOWN, reason::kParseError,
                 absl::StrCat("systemd does not say which file ", name, " comes from"));
    return;
  }
  FileTarget target = PathTarget(context, unit->fragment_path());
  if (target.file == nullptr && !unit->fragment_canonical().empty()) {
    target.file = context.index.File(unit->fragment_canonical());
  }
  target.required = true;
  if (unit->how() == Unit::BY_SEARCH_PATH) {
    target.notes.emplace_back(note::kBySearchPath, "found by systemd's search order");
  }
  const bool enforce = dropins == FileSubject::ENFORCE;
  if (unit->drop_in_paths_size() > 0 && !enforce) {
    target.notes.emplace_back(
        note::kDropIns,
        absl::StrCat("not judged, but as powerful: ", absl::StrJoin(unit->drop_in_paths(), ", ")));
  }
  targets.push_back(std::move(target));
  if (!enforce) return;
  for (const std::string& path : unit->drop_in_paths()) {
    targets.push_back(PathTarget(context, path));
    targets.back().required = true;
  }
}

void ResolveDaemonConfig(const Context& context, Judge& judge, std::vector<FileTarget>& targets) {
  const v1::DaemonFacts& daemon = context.facts.daemon();
  const v1::DaemonFacts::ConfigFile& config = daemon.config_file();
  if (judge.UnknownFrom(Source::kDaemon, daemon.outcome()) ||
      judge.UnknownFrom(Source::kCommandLine, daemon.command_line().outcome())) {
    return;
  }
  if (config.path().empty()) {
    judge.UnknownFrom(Source::kConfigFile, config.outcome());
    judge.Decide(Verdict::UNKNOWN, reason::kNotCollected,
                 "the collector does not say which daemon.json is in use");
    return;
  }
  FileTarget target = SettingTarget(context, config.path());
  target.required = config.path_is_explicit();
  const v1::FileFact* unused = context.index.File(kDefaultConfig);
  if (config.path() != kDefaultConfig && unused != nullptr && unused != target.file &&
      unused->outcome().state() == SourceOutcome::OK) {
    target.notes.emplace_back(note::kDefaultFileUnused,
                              absl::StrCat(kDefaultConfig, " exists too, but is not in use"));
  }
  targets.push_back(std::move(target));
}

void ResolveTlsFile(const Context& context, FileSubject::TlsFile which, Judge& judge,
                    std::vector<FileTarget>& targets) {
  const auto named = Configured(context, TlsSetting(which), "");
  if (UnknownUnlessKnown(named, judge)) return;
  if (!named.value.empty()) {
    targets.push_back(SettingTarget(context, named.value));
    targets.back().drifted = named.drifted;
    return;
  }
  const auto tls = Configured(context, setting::kTls, false);
  const auto verify = Configured(context, setting::kTlsVerify, false);
  if (UnknownUnlessKnown(tls, judge) || UnknownUnlessKnown(verify, judge)) return;
  // --tlsverify=false switches TLS on, too.
  if (tls.value || verify.origin != Origin::kDefault) {
    ResolveDefaultTlsFile(context, which, named.drifted, judge, targets);
  } else if (named.drifted) {
    judge.Decide(Verdict::UNKNOWN, reason::kConfigNewerThanProcess,
                 absl::StrCat(named.file_path, " changed after the daemon started; restart it"));
  } else {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kTlsNotConfigured,
                 "the daemon does not use TLS and names no such file");
  }
}

void ResolveRegistryCertificates(const Context& context,
                                 const google::protobuf::RepeatedPtrField<std::string>& patterns,
                                 Judge& judge, std::vector<FileTarget>& targets) {
  const v1::FilesFacts& files = context.facts.files();
  const SourceOutcome& outcome = files.registry_certificates_outcome();
  if (outcome.state() == SourceOutcome::NOT_PRESENT) {
    judge.Decide(Verdict::NOT_APPLICABLE, reason::kFileAbsent, "no /etc/docker/certs.d");
    return;
  }
  judge.UnknownFrom(Source::kFiles, outcome);
  for (const v1::FileFact& file : files.registry_certificates()) {
    if (!MatchesAny(patterns, file.path())) {
      judge.OutOfScope();
      continue;
    }
    targets.push_back({.path = file.path(), .file = &file});
  }
}

bool RunsWithoutRoot(const Context& context) {
  const v1::DaemonFacts& daemon = context.facts.daemon();
  return context.index.SecurityOption("rootless") != nullptr ||
         (daemon.outcome().state() == SourceOutcome::OK && daemon.uid() != 0);
}

void PlanPaths(absl::Span<const absl::string_view> paths, v1::CollectionPlan& plan) {
  for (const absl::string_view path : paths) plan.add_paths(std::string(path));
}

void PlanUnit(absl::string_view unit, v1::CollectionPlan& plan) {
  plan.add_units(std::string(unit));
  if (unit == "docker.service") plan.add_units(kSnapService);
}

void PlanDaemonConfig(v1::CollectionPlan& plan) {
  PlanPaths({kDefaultConfig, "/var/snap/docker/current/config/daemon.json"}, plan);
}

void PlanTlsFile(FileSubject::TlsFile which, v1::CollectionPlan& plan) {
  plan.add_paths(absl::StrCat(kDefaultTlsDirectory, "/", TlsFileName(which)));
}

}  // namespace plimsoll::evaluate
