#include <sys/utsname.h>

#include <map>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using host::FileSystem;

constexpr size_t kMaxLineBytes = 4096;
constexpr size_t kMaxOsReleaseBytes = 65536;
constexpr char kAppArmor[] = "/sys/module/apparmor/parameters/enabled";
constexpr char kSelinux[] = "/sys/fs/selinux/enforce";
constexpr char kBridgeNf[] = "/proc/sys/net/bridge/bridge-nf-call-iptables";

absl::StatusOr<std::string> ReadLine(const FileSystem& files, absl::string_view path) {
  absl::StatusOr<std::string> text = files.ReadFile(path, kMaxLineBytes);
  if (text.ok()) absl::StripAsciiWhitespace(&*text);
  return text;
}

// The same, where absence counts only if `directory` is there: /sys and /proc may not be mounted.
absl::StatusOr<std::string> ReadLineIn(const FileSystem& files, absl::string_view directory,
                                       absl::string_view path) {
  absl::StatusOr<std::string> text = ReadLine(files, path);
  if (!absl::IsNotFound(text.status())) return text;
  const absl::Status there = files.Stat(directory).status();
  if (absl::IsNotFound(there)) {
    return absl::UnavailableError(absl::StrCat(directory, " is not mounted here"));
  }
  return there.ok() ? text : there;
}

std::string TakeLine(const FileSystem& files, absl::string_view path, OutcomeTimer& timer) {
  const absl::StatusOr<std::string> text = ReadLine(files, path);
  // Every Linux has these; without /proc there is no evidence of anything.
  timer.Set(absl::IsNotFound(text.status()) ? absl::UnavailableError(text.status().message())
                                            : text.status());
  return text.ok() ? CleanText(*text) : std::string();
}

// A value of os-release: shell quoting, one word.
std::string Unquote(absl::string_view value) {
  value = absl::StripAsciiWhitespace(value);
  if (value.size() < 2 || (value[0] != '"' && value[0] != '\'') || value.back() != value[0]) {
    return std::string(value);
  }
  const bool escapes = value[0] == '"';
  value = value.substr(1, value.size() - 2);
  std::string plain;
  for (size_t i = 0; i < value.size(); ++i) {
    if (escapes && value[i] == '\\' && i + 1 < value.size()) ++i;
    plain.push_back(value[i]);
  }
  return plain;
}

absl::Status FillOsRelease(const FileSystem& files, v1::MachineFacts* facts) {
  absl::StatusOr<std::string> text = files.ReadFile("/etc/os-release", kMaxOsReleaseBytes);
  if (absl::IsNotFound(text.status())) {
    text = files.ReadFile("/usr/lib/os-release", kMaxOsReleaseBytes);
  }
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  if (!text.ok()) return text.status();
  std::map<absl::string_view, std::string> values;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos || line[0] == '#') continue;
    values[line.substr(0, equals)] = CleanText(Unquote(line.substr(equals + 1)));
  }
  facts->set_os_id(values["ID"]);
  facts->set_os_version(values["VERSION_ID"]);
  facts->set_os_pretty_name(values["PRETTY_NAME"]);
  return absl::OkStatus();
}

// SELinux that runs, but whose file system is not mounted where we look, is not absent.
absl::StatusOr<std::string> ReadSelinux(const FileSystem& files) {
  absl::StatusOr<std::string> text = ReadLineIn(files, "/sys/fs", kSelinux);
  if (!absl::IsNotFound(text.status())) return text;
  const absl::StatusOr<std::string> known = files.ReadFile("/proc/filesystems", kMaxOsReleaseBytes);
  if (!known.ok()) {
    return absl::UnavailableError(absl::StrCat("whether SELinux runs: ", known.status().message()));
  }
  for (const absl::string_view line : absl::StrSplit(*known, '\n')) {
    if (absl::EndsWith(line, "\tselinuxfs")) {
      return absl::UnavailableError("SELinux runs, but /sys/fs/selinux is not mounted here");
    }
  }
  return text;
}

void FillSecurityModules(host::HostEnv& env, v1::MachineFacts::SecurityModules* modules) {
  {
    OutcomeTimer timer(env.clock, modules->mutable_apparmor_outcome());
    const auto enabled = ReadLineIn(env.files, "/sys/module", kAppArmor);
    timer.Set(enabled.status());
    if (enabled.ok() && (*enabled == "Y" || *enabled == "N")) {
      modules->set_apparmor_enabled(*enabled == "Y");
    } else if (enabled.ok()) {
      timer.Set(v1::SourceOutcome::MALFORMED, absl::StrCat(kAppArmor, ": neither Y nor N"));
    }
  }
  OutcomeTimer timer(env.clock, modules->mutable_selinux_outcome());
  const auto enforce = ReadSelinux(env.files);
  timer.Set(enforce.status());
  if (enforce.ok() && (*enforce == "1" || *enforce == "0")) {
    modules->set_selinux_enforcing(*enforce == "1");
  } else if (enforce.ok()) {
    timer.Set(v1::SourceOutcome::MALFORMED, absl::StrCat(kSelinux, ": neither 0 nor 1"));
  }
}

void FillBridgeFilter(host::HostEnv& env, int64_t pid, v1::MachineFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_bridge_nf_outcome());
  // The setting belongs to a network namespace: the engine's, not ours.
  std::unique_ptr<FileSystem> own;
  if (pid > 0) own = env.files_of_process(pid);
  const auto text = ReadLineIn(own == nullptr ? env.files : *own, "/proc/sys/net", kBridgeNf);
  timer.Set(text.status());
  int32_t value = 0;
  if (text.ok() && absl::SimpleAtoi(*text, &value)) {
    facts->set_bridge_nf_call_iptables(value);
  } else if (text.ok()) {
    timer.Set(v1::SourceOutcome::MALFORMED, absl::StrCat(kBridgeNf, ": not a number"));
  }
}

v1::NamespaceInodes ReadNamespaces(const FileSystem& files, int64_t pid) {
  v1::NamespaceInodes inodes;
  const auto read = [&](const char* name, const auto& set) {
    const auto text = files.ReadLink(absl::StrCat("/proc/", pid, "/ns/", name));
    if (!text.ok()) return;
    // "net:[4026531840]"
    absl::string_view number = *text;
    uint64_t inode = 0;
    if (absl::ConsumePrefix(&number, name) && absl::ConsumePrefix(&number, ":[") &&
        absl::ConsumeSuffix(&number, "]") && absl::SimpleAtoi(number, &inode)) {
      set(inode);
    }
  };
  read("net", [&](uint64_t inode) { inodes.set_net(inode); });
  read("pid", [&](uint64_t inode) { inodes.set_pid(inode); });
  read("ipc", [&](uint64_t inode) { inodes.set_ipc(inode); });
  read("uts", [&](uint64_t inode) { inodes.set_uts(inode); });
  read("user", [&](uint64_t inode) { inodes.set_user(inode); });
  read("mnt", [&](uint64_t inode) { inodes.set_mnt(inode); });
  return inodes;
}

}  // namespace

v1::MachineFacts CollectMachine(host::HostEnv& env, const v1::DaemonFacts& daemon) {
  v1::MachineFacts facts;
  OutcomeTimer timer(env.clock, facts.mutable_outcome());
  facts.set_hostname(TakeLine(env.files, "/proc/sys/kernel/hostname", timer));
  facts.set_boot_id(TakeLine(env.files, "/proc/sys/kernel/random/boot_id", timer));
  facts.set_kernel_release(TakeLine(env.files, "/proc/sys/kernel/osrelease", timer));
  utsname names = {};
  if (uname(&names) == 0) facts.set_architecture(CleanText(names.machine));
  timer.Set(FillOsRelease(env.files, &facts));

  const absl::Status systemd = env.files.Stat("/run/systemd/system").status();
  facts.set_systemd_is_init(systemd.ok());
  if (!absl::IsNotFound(systemd)) timer.Set(systemd);

  FillSecurityModules(env, facts.mutable_security_modules());
  FillBridgeFilter(env, daemon.pid(), &facts);
  if (daemon.pid() > 0) {
    *facts.mutable_engine_namespaces() = ReadNamespaces(env.files, daemon.pid());
  }
  *facts.mutable_init_namespaces() = ReadNamespaces(env.files, 1);
  timer.Set(absl::OkStatus());
  return facts;
}

}  // namespace plimsoll::sources
