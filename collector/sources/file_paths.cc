#include "collector/sources/file_paths.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace plimsoll::sources {
namespace {

constexpr char kDefaultSocket[] = "/var/run/docker.sock";
constexpr char kDefaultConfig[] = "/etc/docker/daemon.json";
constexpr char kDefaultHome[] = "/root";

using Paths = std::set<std::string>;

void AddAbsolute(absl::string_view path, Paths& paths) {
  if (absl::StartsWith(path, "/")) paths.insert(std::string(path));
}

void AddRelativeTo(absl::string_view directory, absl::string_view path, Paths& paths) {
  if (path.empty()) return;
  if (absl::StartsWith(path, "/")) {
    AddAbsolute(path, paths);
  } else if (!directory.empty()) {
    AddAbsolute(absl::StrCat(absl::StripSuffix(directory, "/"), "/", path), paths);
  }
}

void AddTls(const v1::DaemonFacts& daemon, Paths& paths) {
  std::string directory = daemon.environment().docker_cert_path();
  if (directory.empty()) {
    directory = absl::StrCat(
        daemon.home_directory().empty() ? kDefaultHome : daemon.home_directory(), "/.docker");
  }
  const auto& line = daemon.command_line().settings();
  const auto& file = daemon.config_file().settings();
  const bool on = line.tls() || file.tls() || line.has_tlsverify() || file.has_tlsverify() ||
                  daemon.environment().docker_tls_verify_set();
  const struct {
    const std::string& by_line;
    const std::string& by_file;
    const char* name;
  } kFiles[] = {{line.tlscacert(), file.tlscacert(), "ca.pem"},
                {line.tlscert(), file.tlscert(), "cert.pem"},
                {line.tlskey(), file.tlskey(), "key.pem"}};
  for (const auto& tls : kFiles) {
    // Both, where both are set: a file edited after the start names what comes next.
    AddRelativeTo(daemon.working_directory(), tls.by_line, paths);
    AddRelativeTo(daemon.working_directory(), tls.by_file, paths);
    if (on && tls.by_line.empty() && tls.by_file.empty()) {
      AddRelativeTo(daemon.working_directory(), absl::StrCat(directory, "/", tls.name), paths);
    }
  }
}

void AddUnitSockets(const v1::UnitsFacts& units, Paths& paths) {
  for (const v1::Unit& unit : units.units()) {
    for (const v1::Unit::Listen& listen : unit.listen()) AddAbsolute(listen.address(), paths);
  }
}

void AddSockets(const v1::EngineFacts& engine, const v1::DaemonFacts& daemon,
                const v1::UnitsFacts& units, Paths& paths) {
  AddAbsolute(engine.socket_path(), paths);
  AddUnitSockets(units, paths);
  bool named = false;
  for (const v1::Settings* settings :
       {&daemon.command_line().settings(), &daemon.config_file().settings()}) {
    for (absl::string_view endpoint : settings->hosts().values()) {
      named = true;
      if (!absl::ConsumePrefix(&endpoint, "unix://")) continue;
      AddAbsolute(endpoint.empty() ? kDefaultSocket : endpoint, paths);
    }
  }
  if (!named) paths.insert(kDefaultSocket);
}

void AddRuntime(const host::FileSystem& files, const v1::EngineFacts& engine,
                const v1::DaemonFacts& daemon, Paths& paths) {
  const std::string& runtime = engine.default_runtime_path();
  if (runtime.empty()) return;
  if (absl::StrContains(runtime, '/')) {
    AddRelativeTo(daemon.working_directory(), runtime, paths);
    return;
  }
  for (const std::string& directory : ProgramSearchPath()) {
    const std::string path = absl::StrCat(directory, "/", runtime);
    paths.insert(path);
    if (files.Stat(path).ok()) return;
  }
}

// "<root>/100000.100000" is what userns-remap makes of a data root.
bool IsRemapSuffix(absl::string_view name) {
  const size_t dot = name.find('.');
  if (dot == 0 || dot == absl::string_view::npos || dot + 1 == name.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (i != dot && !absl::ascii_isdigit(static_cast<unsigned char>(name[i]))) return false;
  }
  return true;
}

void AddDataRoot(absl::string_view root, Paths& paths) {
  AddAbsolute(root, paths);
  const size_t slash = root.rfind('/');
  if (slash != absl::string_view::npos && slash > 0 && IsRemapSuffix(root.substr(slash + 1))) {
    AddAbsolute(root.substr(0, slash), paths);
  }
}

}  // namespace

const std::vector<std::string>& ProgramSearchPath() {
  static const auto* const kPath = new std::vector<std::string>{
      "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
  return *kPath;
}

std::set<std::string> UnitPaths(const v1::UnitsFacts& units) {
  Paths paths;
  for (const v1::Unit& unit : units.units()) {
    if (unit.load_state() == v1::Unit::MASKED) continue;
    AddAbsolute(unit.fragment_path(), paths);
    for (const std::string& path : unit.drop_in_paths()) AddAbsolute(path, paths);
  }
  return paths;
}

std::set<std::string> EnginePaths(const host::FileSystem& files, const v1::EngineFacts& engine,
                                  const v1::DaemonFacts& daemon, const v1::UnitsFacts& units) {
  Paths paths;
  AddAbsolute(daemon.executable(), paths);
  AddAbsolute(daemon.containerd_executable(), paths);
  AddRelativeTo(daemon.working_directory(), daemon.config_file().path(), paths);
  paths.insert(kDefaultConfig);
  AddTls(daemon, paths);
  AddSockets(engine, daemon, units, paths);
  AddRuntime(files, engine, daemon, paths);
  AddDataRoot(engine.docker_root_dir(), paths);
  return paths;
}

}  // namespace plimsoll::sources
