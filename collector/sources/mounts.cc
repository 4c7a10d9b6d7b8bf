#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/sources/auditd_conf.h"
#include "collector/sources/daemon_process.h"
#include "collector/sources/mountinfo.h"
#include "collector/sources/outcome.h"
#include "collector/sources/process_table.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr char kDefaultDataRoot[] = "/var/lib/docker";
constexpr size_t kMaxMountInfoBytes = size_t{16} << 20;

std::string ParentOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos || slash == 0 ? "/" : std::string(path.substr(0, slash));
}

bool HasUserNamespaceRemap(const v1::EngineFacts& engine) {
  for (const auto& option : engine.security_options()) {
    if (option.name() == "userns") return true;
  }
  return false;
}

bool IsNumber(absl::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == absl::string_view::npos;
}

// "/var/lib/docker/500000.500000" is "/var/lib/docker" under userns-remap.
std::string WithoutRemapSuffix(absl::string_view root) {
  const std::vector<absl::string_view> ids = absl::StrSplit(BaseName(root), '.');
  const bool is_suffix = ids.size() == 2 && IsNumber(ids[0]) && IsNumber(ids[1]);
  return is_suffix ? ParentOf(root) : std::string(root);
}

std::string ReportedDataRoot(const v1::EngineFacts& engine, const v1::DaemonFacts& daemon) {
  if (!engine.docker_root_dir().empty()) {
    return HasUserNamespaceRemap(engine) ? WithoutRemapSuffix(engine.docker_root_dir())
                                         : engine.docker_root_dir();
  }
  for (const v1::Settings* settings :
       {&daemon.command_line().settings(), &daemon.config_file().settings()}) {
    if (settings->has_data_root() && !settings->data_root().empty()) return settings->data_root();
  }
  return kDefaultDataRoot;
}

std::string DeviceOf(const host::FileSystem& files, const std::string& path) {
  const absl::StatusOr<host::FileStatus> status = files.Stat(path);
  return status.ok() ? absl::StrCat(status->device_major, ":", status->device_minor) : "";
}

void ResolveDataRoot(host::HostEnv& env, const v1::EngineFacts& engine,
                     const v1::DaemonFacts& daemon, v1::MountsFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_data_root_outcome());
  if (daemon.pid() == 0) {
    timer.Set(daemon.outcome().state(),
              absl::StrCat("the engine's process is not known: ", daemon.outcome().message()));
    return;
  }
  const DaemonFiles files(env, daemon.pid());
  const absl::StatusOr<std::string> root = files->RealPath(ReportedDataRoot(engine, daemon));
  timer.Set(root.status());
  if (!root.ok()) return;
  facts->set_data_root(CleanText(*root, kMaxPathBytes));
  facts->set_data_root_device(DeviceOf(*files, *root));
  facts->set_data_root_parent_device(DeviceOf(*files, ParentOf(*root)));
}

void ResolveAuditLog(host::HostEnv& env, const v1::AuditFacts& audit, v1::MountsFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_audit_log_outcome());
  const v1::AuditFacts::DaemonConfig& config = audit.daemon_config();
  const v1::SourceOutcome::State state = config.outcome().state();
  if (state != v1::SourceOutcome::OK && state != v1::SourceOutcome::NOT_PRESENT) {
    timer.Set(state,
              absl::StrCat("where the audit log lies is not known: ", config.outcome().message()));
    return;
  }
  const std::string log = config.log_file().empty() ? kDefaultAuditLog : config.log_file();
  const absl::StatusOr<std::string> directory = env.files.RealPath(ParentOf(log));
  timer.Set(directory.status());
  if (directory.ok()) facts->set_audit_log_directory(CleanText(*directory, kMaxPathBytes));
}

// Mounts of the engine's process; without one those of PID 1, for the audit log.
absl::StatusOr<std::string> ReadMountInfo(host::HostEnv& env, int64_t pid) {
  absl::StatusOr<std::string> text =
      env.files.ReadFile(ProcPath(pid != 0 ? pid : 1, "mountinfo"), kMaxMountInfoBytes);
  if (text.ok() || pid != 0) return text;
  return env.files.ReadFile("/proc/self/mountinfo", kMaxMountInfoBytes);
}

}  // namespace

v1::MountsFacts CollectMounts(host::HostEnv& env, const v1::EngineFacts& engine,
                              const v1::DaemonFacts& daemon, const v1::AuditFacts& audit) {
  v1::MountsFacts facts;
  ResolveDataRoot(env, engine, daemon, &facts);
  ResolveAuditLog(env, audit, &facts);

  OutcomeTimer timer(env.clock, facts.mutable_outcome());
  const absl::StatusOr<std::string> text = ReadMountInfo(env, daemon.pid());
  if (!text.ok()) {
    timer.Set(text.status());
    return facts;
  }
  absl::StatusOr<std::vector<v1::MountEntry>> entries = ParseMountInfo(*text);
  timer.Set(entries.status());
  if (!entries.ok()) return facts;
  for (v1::MountEntry& entry : *entries) {
    if (IsAtOrBelow(facts.data_root(), entry.mount_point()) ||
        IsAtOrBelow(facts.audit_log_directory(), entry.mount_point())) {
      *facts.add_entries() = std::move(entry);
    }
  }
  return facts;
}

}  // namespace plimsoll::sources
