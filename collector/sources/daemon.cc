#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/sources/daemon_flags.h"
#include "collector/sources/daemon_json.h"
#include "collector/sources/daemon_process.h"
#include "collector/sources/outcome.h"
#include "collector/sources/process_table.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using v1::DaemonFacts;

constexpr size_t kMaxBytes = size_t{1} << 20;

bool IsRootless(const v1::EngineFacts& engine) {
  for (const auto& option : engine.security_options()) {
    if (option.name() == "rootless") return true;
  }
  return false;
}

std::string DefaultConfigPath(const v1::EngineFacts& engine, const DaemonFacts& facts) {
  if (absl::StrContains(facts.executable(), "/snap/docker/")) {
    return "/var/snap/docker/current/config/daemon.json";
  }
  const bool rootless = IsRootless(engine) || facts.command_line().settings().rootless();
  if (rootless && !facts.home_directory().empty()) {
    return absl::StrCat(facts.home_directory(), "/.config/docker/daemon.json");
  }
  return "/etc/docker/daemon.json";
}

void CollectCommandLine(host::HostEnv& env, DaemonFacts* facts) {
  v1::SourceOutcome outcome;
  {
    OutcomeTimer timer(env.clock, &outcome);
    absl::StatusOr<std::string> text =
        env.files.ReadFile(ProcPath(facts->pid(), "cmdline"), kMaxBytes);
    // A process without arguments is dying or a kernel thread.
    if (text.ok() && text->empty())
      text = absl::UnavailableError("the process has no command line");
    timer.Set(text.status());
    if (text.ok()) *facts->mutable_command_line() = ParseCommandLine(*text);
  }
  *facts->mutable_command_line()->mutable_outcome() = outcome;
}

void CollectConfigFile(host::HostEnv& env, const v1::EngineFacts& engine, DaemonFacts* facts) {
  DaemonFacts::ConfigFile* file = facts->mutable_config_file();
  OutcomeTimer timer(env.clock, file->mutable_outcome());
  const v1::Settings& flags = facts->command_line().settings();
  if (facts->command_line().outcome().state() != v1::SourceOutcome::OK && facts->pid() != 0) {
    timer.Set(facts->command_line().outcome().state(),
              "the command line, which may name the file, could not be read");
    return;
  }
  std::string path = flags.has_config_file() ? flags.config_file() : "";
  file->set_path_is_explicit(!path.empty());
  if (path.empty()) path = DefaultConfigPath(engine, *facts);
  if (!absl::StartsWith(path, "/")) path = absl::StrCat(facts->working_directory(), "/", path);
  file->set_path(path);

  const DaemonFiles files(env, facts->pid());
  const absl::StatusOr<host::FileStatus> status = files->Stat(path);
  if (status.ok()) {
    const int64_t seconds = absl::ToUnixSeconds(status->modify_time);
    file->mutable_modify_time()->set_seconds(seconds);
    file->mutable_modify_time()->set_nanos(static_cast<int32_t>(
        absl::ToInt64Nanoseconds(status->modify_time - absl::FromUnixSeconds(seconds))));
  }
  const absl::StatusOr<std::string> content = files->ReadFile(path, kMaxBytes);
  timer.Set(content.ok() ? ParseDaemonJson(*content, file) : content.status());
}

void CollectEnvironment(host::HostEnv& env, DaemonFacts* facts) {
  DaemonFacts::Environment* environment = facts->mutable_environment();
  OutcomeTimer timer(env.clock, environment->mutable_outcome());
  const absl::StatusOr<std::string> text =
      env.files.ReadFile(ProcPath(facts->pid(), "environ"), kMaxBytes);
  timer.Set(text.status());
  if (!text.ok()) return;
  for (absl::string_view entry : absl::StrSplit(*text, '\0')) {
    if (absl::ConsumePrefix(&entry, "DOCKER_TLS_VERIFY=")) {
      environment->set_docker_tls_verify_set(!entry.empty());
    } else if (absl::ConsumePrefix(&entry, "DOCKER_CERT_PATH=")) {
      environment->set_docker_cert_path(CleanText(entry, kMaxPathBytes));
    }
  }
}

}  // namespace

DaemonFacts CollectDaemon(host::HostEnv& env, const v1::EngineFacts& engine,
                          const v1::UnitsFacts& units) {
  DaemonFacts facts;
  {
    OutcomeTimer timer(env.clock, facts.mutable_outcome());
    const absl::Status found = FindDaemon(env, units, &facts);
    timer.Set(found);
    // What rights we lack leaves fields empty; the process itself is known all the same.
    const absl::Status described = found.ok() ? DescribeDaemon(env, &facts) : absl::OkStatus();
    if (absl::IsNotFound(described)) {
      timer.Set(v1::SourceOutcome::UNAVAILABLE, "dockerd ended while it was being read");
    } else if (!absl::IsPermissionDenied(described)) {
      timer.Set(described);
    }
  }
  if (facts.pid() != 0) {
    CollectCommandLine(env, &facts);
    CollectEnvironment(env, &facts);
  } else {
    *facts.mutable_command_line()->mutable_outcome() = facts.outcome();
    *facts.mutable_environment()->mutable_outcome() = facts.outcome();
  }
  CollectConfigFile(env, engine, &facts);
  return facts;
}

}  // namespace plimsoll::sources
