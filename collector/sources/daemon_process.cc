#include "collector/sources/daemon_process.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "collector/sources/daemon_json.h"
#include "collector/sources/process_table.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using v1::DaemonFacts;

constexpr absl::string_view kDaemonNames[] = {"dockerd", "dockerd-current", "dockerd-ce"};
constexpr absl::string_view kServiceUnits[] = {"docker.service", "snap.docker.dockerd.service"};
constexpr char kDefaultPidFile[] = "/var/run/docker.pid";
constexpr char kDefaultConfigFile[] = "/etc/docker/daemon.json";
constexpr size_t kMaxConfigBytes = size_t{1} << 20;
constexpr size_t kMaxProcBytes = size_t{1} << 20;
constexpr size_t kMaxCandidates = 64;

bool IsDaemon(const host::FileSystem& files, int64_t pid) {
  return pid > 1 && absl::c_linear_search(kDaemonNames, ProgramName(files, pid));
}

// The pid file is named on the command line, which is not known yet, or in the default
// configuration.
std::string PidFilePath(const host::FileSystem& files) {
  const absl::StatusOr<std::string> text = files.ReadFile(kDefaultConfigFile, kMaxConfigBytes);
  DaemonFacts::ConfigFile config;
  if (text.ok() && ParseDaemonJson(*text, &config).ok() && config.settings().has_pidfile()) {
    return config.settings().pidfile();
  }
  return kDefaultPidFile;
}

int64_t PidFromFile(const host::FileSystem& files) {
  int64_t pid = 0;
  const absl::StatusOr<std::string> text = files.ReadFile(PidFilePath(files), 64);
  if (!text.ok() || !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &pid)) return 0;
  return pid;
}

int64_t PidFromUnits(const host::FileSystem& files, const v1::UnitsFacts& units) {
  for (const v1::Unit& unit : units.units()) {
    if (absl::c_linear_search(kServiceUnits, unit.name()) && IsDaemon(files, unit.main_pid())) {
      return unit.main_pid();
    }
  }
  return 0;
}

absl::StatusOr<std::vector<int64_t>> ProcessesNamed(const host::FileSystem& files,
                                                    absl::Span<const absl::string_view> names) {
  absl::StatusOr<std::vector<int64_t>> pids = ListProcesses(files);
  if (!pids.ok()) return pids;
  std::vector<int64_t> found;
  for (const int64_t pid : *pids) {
    if (absl::c_linear_search(names, ProgramName(files, pid))) found.push_back(pid);
  }
  return found;
}

absl::Status FindOnlyCandidate(const host::FileSystem& files, DaemonFacts* facts) {
  absl::StatusOr<std::vector<int64_t>> found = ProcessesNamed(files, kDaemonNames);
  if (!found.ok()) return found.status();
  if (found->empty()) {
    return absl::UnavailableError(
        "no process whose executable is dockerd is visible; the collector must share the engine's "
        "PID namespace");
  }
  if (found->size() > 1) {
    found->resize(std::min(found->size(), kMaxCandidates));
    facts->mutable_candidate_pids()->Assign(found->begin(), found->end());
    return absl::AbortedError(
        absl::StrCat("several dockerd processes, and nothing ties one to the socket: ",
                     absl::StrJoin(*found, ", ")));
  }
  facts->set_pid(found->front());
  facts->set_pid_method(DaemonFacts::ONLY_CANDIDATE);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> BootTime(const host::FileSystem& files) {
  absl::StatusOr<std::string> text = files.ReadFile("/proc/stat", kMaxProcBytes);
  if (!text.ok()) return text.status();
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    int64_t seconds = 0;
    if (absl::ConsumePrefix(&line, "btime ") && absl::SimpleAtoi(line, &seconds)) return seconds;
  }
  return absl::DataLossError("/proc/stat: no btime");
}

absl::Status SetStartTime(const host::FileSystem& files, DaemonFacts* facts) {
  const absl::StatusOr<ProcessStat> stat = ReadProcessStat(files, facts->pid());
  if (!stat.ok()) return stat.status();
  const absl::StatusOr<int64_t> boot = BootTime(files);
  if (!boot.ok()) return boot.status();
  const auto ticks = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  facts->mutable_start_time()->set_seconds(*boot + static_cast<int64_t>(stat->start_ticks / ticks));
  facts->mutable_start_time()->set_nanos(
      static_cast<int32_t>(stat->start_ticks % ticks * (1000000000 / ticks)));
  return absl::OkStatus();
}

absl::Status SetUid(const host::FileSystem& files, DaemonFacts* facts) {
  const std::string path = ProcPath(facts->pid(), "status");
  absl::StatusOr<std::string> text = files.ReadFile(path, kMaxProcBytes);
  if (!text.ok()) return text.status();
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::ConsumePrefix(&line, "Uid:")) continue;
    const std::vector<absl::string_view> ids =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipWhitespace());
    int64_t uid = 0;
    if (ids.empty() || !absl::SimpleAtoi(ids[0], &uid)) break;
    facts->set_uid(uid);
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(path, ": no Uid"));
}

std::string ContainerdExecutable(const host::FileSystem& files, int64_t daemon_pid) {
  static constexpr absl::string_view kNames[] = {"containerd", "docker-containerd"};
  const absl::StatusOr<std::vector<int64_t>> children = ListChildren(files, daemon_pid);
  for (const int64_t child : children.ok() ? *children : std::vector<int64_t>()) {
    const absl::StatusOr<std::string> executable = ReadExecutable(files, child);
    if (executable.ok() && absl::c_linear_search(kNames, BaseName(*executable))) return *executable;
  }
  const absl::StatusOr<std::vector<int64_t>> found = ProcessesNamed(files, kNames);
  if (!found.ok() || found->size() != 1) return "";
  return ReadExecutable(files, found->front()).value_or("");
}

}  // namespace

absl::Status FindDaemon(host::HostEnv& env, const v1::UnitsFacts& units, DaemonFacts* facts) {
  const auto found = [&](int64_t pid, DaemonFacts::PidMethod method) {
    facts->set_pid(pid);
    facts->set_pid_method(method);
    return absl::OkStatus();
  };
  const absl::StatusOr<host::PeerCredentials> peer = env.docker.Peer();
  // Nobody answers the socket: whatever dockerd runs on the machine, it is not the engine judged.
  if (absl::IsUnavailable(peer.status())) return peer.status();
  if (peer.ok() && peer->pid > 1) {
    if (IsDaemon(env.files, peer->pid)) return found(peer->pid, DaemonFacts::PEER_CREDENTIALS);
    facts->set_socket_peer_is_proxy(true);
  }
  if (const int64_t pid = PidFromUnits(env.files, units); pid != 0) {
    return found(pid, DaemonFacts::UNIT_MAIN_PID);
  }
  if (const int64_t pid = PidFromFile(env.files); IsDaemon(env.files, pid)) {
    return found(pid, DaemonFacts::PID_FILE);
  }
  return FindOnlyCandidate(env.files, facts);
}

absl::Status DescribeDaemon(host::HostEnv& env, DaemonFacts* facts) {
  const int64_t pid = facts->pid();
  absl::Status status = SetStartTime(env.files, facts);
  const absl::StatusOr<std::string> executable = ReadExecutable(env.files, pid);
  status.Update(executable.status());
  if (executable.ok()) facts->set_executable(*executable);
  const absl::Status uid = SetUid(env.files, facts);
  status.Update(uid);

  const absl::StatusOr<std::string> own = env.files.ReadLink("/proc/self/ns/user");
  const absl::StatusOr<std::string> its = env.files.ReadLink(ProcPath(pid, "ns/user"));
  facts->set_user_namespace_is_initial(own.ok() && its.ok() && *own == *its);
  facts->set_containerd_executable(ContainerdExecutable(env.files, pid));
  if (const absl::StatusOr<std::string> cwd = env.files.ReadLink(ProcPath(pid, "cwd")); cwd.ok()) {
    facts->set_working_directory(CleanText(*cwd, kMaxPathBytes));
  }
  if (uid.ok()) {
    const absl::StatusOr<host::UserEntry> user =
        env.names.UserById(static_cast<uint32_t>(facts->uid()));
    const std::string fallback = facts->uid() == 0 ? "/root" : "";
    const bool known = user.ok() && !user->home.empty();
    facts->set_home_directory(CleanText(known ? user->home : fallback, kMaxPathBytes));
  }
  return status;
}

DaemonFiles::DaemonFiles(host::HostEnv& env, int64_t pid) : files_(&env.files) {
  if (pid == 0) return;
  own_ = env.files_of_process(pid);
  if (own_ != nullptr && own_->Stat("/").ok()) files_ = own_.get();
}

}  // namespace plimsoll::sources
