#include "collector/tracker/watch_list.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "collector/sources/file_paths.h"
#include "collector/sources/unit_file.h"

namespace plimsoll::tracker {
namespace {

using Depth = host::FileWatcher::Target::Depth;
using sources::Scope;

constexpr char kDefaultConfig[] = "/etc/docker/daemon.json";
constexpr char kCertificates[] = "/etc/docker/certs.d";
constexpr size_t kMaxTargets = 2048;

// The deeper watch counts, and what follows adds up.
void Add(const std::string& path, const Scope& scope, WatchList& list,
         Depth depth = Depth::kItself) {
  if (!absl::StartsWith(path, "/")) return;
  if (list.targets.size() >= kMaxTargets && !list.targets.contains(path)) return;
  host::FileWatcher::Target& target = list.targets[path];
  target.depth = std::max(target.depth, depth);
  list.scopes[path].Merge(scope);
}

Scope FilesScope() {
  Scope scope;
  scope.files = true;
  return scope;
}

// What the engine or systemd reads at the next start: the facts about it and about the file itself.
Scope ConfigurationScope() {
  Scope scope;
  scope.daemon = scope.files = true;
  return scope;
}

void AddUnits(const v1::CollectionPlan& plan, WatchList& list) {
  for (const std::string& unit : plan.units()) {
    if (absl::StrContains(unit, '/')) continue;
    for (const std::string& directory : sources::UnitSearchPath()) {
      // Units of a moment: this directory changes with every session.
      if (directory == "/run/systemd/transient") continue;
      Add(absl::StrCat(directory, "/", unit), ConfigurationScope(), list);
      Add(absl::StrCat(directory, "/", unit, ".d"), ConfigurationScope(), list, Depth::kEntries);
    }
  }
}

void AddHostFiles(WatchList& list) {
  Scope users;
  users.users = true;
  Add("/etc/passwd", users, list);
  Add("/etc/group", users, list);
  Scope audit;
  audit.audit = true;
  Add("/etc/audit/audit.rules", audit, list);
  Add("/etc/audit/auditd.conf", audit, list);
  Add("/etc/audit/rules.d", audit, list, Depth::kEntries);
}

void AddEngineFiles(const v1::CollectionPlan& plan, const v1::HostFacts& facts,
                    const std::set<std::string>& unit_paths, WatchList& list) {
  for (const std::string& path : plan.paths()) Add(path, FilesScope(), list);
  for (const v1::FileFact& file : facts.files().files()) {
    if (!unit_paths.contains(file.path())) Add(file.path(), FilesScope(), list);
  }
  Add(kCertificates, FilesScope(), list, Depth::kTwoLevels);
  Add(kDefaultConfig, ConfigurationScope(), list);
  Add(facts.daemon().config_file().path(), ConfigurationScope(), list);
  if (!facts.engine().docker_root_dir().empty()) {
    Scope swarm;
    swarm.swarm = true;
    Add(absl::StrCat(facts.engine().docker_root_dir(), "/swarm/docker-state.json"), swarm, list);
  }
}

}  // namespace

WatchLists MakeWatchLists(const v1::CollectionPlan& plan, const v1::HostFacts& facts) {
  WatchLists lists;
  const std::set<std::string> unit_paths = sources::UnitPaths(facts.units());
  AddUnits(plan, lists.host);
  for (const std::string& path : unit_paths) Add(path, ConfigurationScope(), lists.host);
  AddHostFiles(lists.host);
  const v1::MachineFacts& machine = facts.machine();
  const bool apart = facts.daemon().pid() > 0 && machine.engine_namespaces().mnt() != 0 &&
                     machine.engine_namespaces().mnt() != machine.init_namespaces().mnt();
  AddEngineFiles(plan, facts, unit_paths, apart ? lists.engine : lists.host);
  return lists;
}

}  // namespace plimsoll::tracker
