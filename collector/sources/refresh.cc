#include "collector/sources/refresh.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "collector/sources/collect_all.h"
#include "collector/sources/containers.h"
#include "collector/sources/engine_api.h"
#include "collector/sources/images.h"
#include "collector/sources/sources.h"
#include "proto/support/digest.h"

namespace plimsoll::sources {
namespace {

using v1::SourceOutcome;

bool IsOk(const SourceOutcome& outcome) { return outcome.state() == SourceOutcome::OK; }

// A listing that names what there is, if not everything.
bool IsListed(const SourceOutcome& outcome) {
  return IsOk(outcome) || outcome.state() == SourceOutcome::TRUNCATED;
}

// Without the engine's own words every source would have to begin anew anyway.
bool IsComplete(const v1::HostFacts& facts) {
  return IsOk(facts.engine().outcome()) && IsOk(facts.engine().info_outcome()) &&
         facts.has_machine() && facts.has_daemon() && facts.has_units() && facts.has_files() &&
         facts.has_audit() && facts.has_mounts() && facts.has_users() && facts.has_images() &&
         facts.has_containers() && facts.has_volumes() && facts.has_networks() &&
         facts.has_swarm() && facts.has_listeners();
}

// Serialised without times of reading.
template <class Message>
std::string Stable(const Message& message) {
  Message copy = message;
  support::ClearVolatileOutcomes(copy);
  return support::SerializeStable(copy);
}

// What a container's listening sockets and proxies follow from.
std::string PublishedPorts(const v1::ContainersFacts& facts, const std::set<std::string>& ids) {
  std::string ports;
  for (const v1::Container& container : facts.containers()) {
    if (!ids.contains(container.id())) continue;
    for (const v1::Container::Port& port : container.ports()) {
      if (port.origin() == v1::Container::Port::LIVE) {
        ports += container.id() + support::SerializeStable(port);
      }
    }
  }
  return ports;
}

std::set<uint32_t> SocketGroups(const v1::FilesFacts& files) {
  std::set<uint32_t> gids;
  for (const v1::FileFact& file : files.files()) {
    if (file.type() == v1::FileFact::SOCKET) gids.insert(file.gid());
  }
  return gids;
}

// Names of volumes that one of the two has and the other has not, or has otherwise.
std::set<std::string> ChangedVolumes(const v1::VolumesFacts& before,
                                     const v1::VolumesFacts& after) {
  std::map<std::string, std::string> old;
  std::set<std::string> changed;
  for (const v1::Volume& volume : before.volumes()) old[volume.name()] = Stable(volume);
  for (const v1::Volume& volume : after.volumes()) {
    const auto found = old.find(volume.name());
    if (found == old.end() || found->second != Stable(volume)) changed.insert(volume.name());
    if (found != old.end()) old.erase(found);
  }
  for (const auto& [name, volume] : old) changed.insert(name);
  return changed;
}

// True when the engine that answers now is the one that `before` and `daemon_before` tell of, set
// up as it was, so that what is known of its objects holds.
bool IsSameEngine(const v1::HostFacts& before, const EngineReply& reply,
                  const v1::DaemonFacts& daemon, const std::string& api_prefix) {
  const v1::EngineFacts& now = reply.engine;
  const v1::EngineFacts& was = before.engine();
  const auto names = [](const v1::EngineFacts& engine) {
    std::set<std::string> options;
    for (const auto& option : engine.security_options()) options.insert(option.name());
    return options;
  };
  return IsOk(now.outcome()) && IsOk(now.info_outcome()) && reply.api_prefix == api_prefix &&
         now.id() == was.id() && now.version() == was.version() &&
         now.docker_root_dir() == was.docker_root_dir() && names(now) == names(was) &&
         daemon.pid() == before.daemon().pid() &&
         Stable(daemon.start_time()) == Stable(before.daemon().start_time());
}

// One refresh. Each step returns false when only CollectAll can tell.
class Refresher {
 public:
  Refresher(host::HostEnv& env, const v1::CollectionPlan& plan, const std::string& socket_path,
            Scope scope, std::string api_prefix, v1::HostFacts& facts)
      : env_(env),
        plan_(plan),
        socket_path_(socket_path),
        scope_(std::move(scope)),
        api_prefix_(std::move(api_prefix)),
        facts_(facts) {}

  bool Run() {
    if (scope_.daemon ? !Daemon() : (scope_.swarm && !Swarm())) return false;
    if (scope_.volumes && !Volumes()) return false;
    if ((scope_.container_list || !scope_.containers.empty()) && !Containers()) return false;
    if ((scope_.image_list || !scope_.images.empty()) && !Images()) return false;
    if (scope_.networks) {
      *facts_.mutable_networks() = CollectNetworks(env_, api_prefix_);
      if (IsGone(facts_.networks().outcome())) return false;
    }
    Host();
    DeriveCounts(&facts_);
    StampObservedTime(env_, &facts_);
    return true;
  }

 private:
  static bool IsGone(const SourceOutcome& outcome) {
    return outcome.state() == SourceOutcome::UNAVAILABLE;
  }

  bool Daemon() {
    EngineReply reply = CollectEngine(env_, socket_path_);
    v1::UnitsFacts units = CollectUnits(env_, plan_);
    v1::DaemonFacts daemon = CollectDaemon(env_, reply.engine, units);
    if (!IsSameEngine(facts_, reply, daemon, api_prefix_)) return false;
    *facts_.mutable_engine() = std::move(reply.engine);
    *facts_.mutable_units() = std::move(units);
    *facts_.mutable_daemon() = std::move(daemon);
    *facts_.mutable_machine() = CollectMachine(env_, facts_.daemon());
    *facts_.mutable_swarm() = CollectSwarm(env_, api_prefix_, std::move(reply.swarm_from_info),
                                           facts_.engine(), facts_.daemon());
    scope_.files = scope_.mounts = scope_.users = scope_.listeners = true;
    return true;
  }

  bool Swarm() {
    EngineReply reply = CollectEngine(env_, socket_path_);
    if (!IsSameEngine(facts_, reply, facts_.daemon(), api_prefix_)) return false;
    *facts_.mutable_engine() = std::move(reply.engine);
    *facts_.mutable_swarm() = CollectSwarm(env_, api_prefix_, std::move(reply.swarm_from_info),
                                           facts_.engine(), facts_.daemon());
    return true;
  }

  bool Volumes() {
    v1::VolumesFacts volumes = CollectVolumes(env_, api_prefix_);
    if (IsGone(volumes.outcome())) return false;
    // Whether they are known at all decides over every volume.
    if (IsOk(volumes.outcome()) != IsOk(facts_.volumes().outcome())) scope_.container_list = true;
    const std::set<std::string> changed = ChangedVolumes(facts_.volumes(), volumes);
    *facts_.mutable_volumes() = std::move(volumes);
    ResolveVolumes(env_, facts_.daemon(), facts_.volumes(), changed, facts_.mutable_containers());
    return true;
  }

  bool Containers() {
    if (!scope_.container_list && IsListed(facts_.containers().outcome())) {
      const std::string before = PublishedPorts(facts_.containers(), scope_.containers);
      const absl::Status status =
          RefreshContainers(env_, api_prefix_, plan_, facts_.engine(), facts_.daemon(),
                            facts_.volumes(), scope_.containers, facts_.mutable_containers());
      if (absl::IsUnavailable(status)) return false;
      if (PublishedPorts(facts_.containers(), scope_.containers) != before) {
        scope_.listeners = true;
      }
      if (status.ok()) return true;
    }
    *facts_.mutable_containers() = CollectContainers(env_, api_prefix_, plan_, facts_.engine(),
                                                     facts_.daemon(), facts_.volumes());
    scope_.listeners = true;
    return !IsGone(facts_.containers().outcome());
  }

  bool Images() {
    v1::ImagesFacts images = RefreshImages(env_, api_prefix_, facts_.images(), scope_.images);
    *facts_.mutable_images() = std::move(images);
    return !IsGone(facts_.images().outcome());
  }

  // What the host alone can tell, each after what it depends on.
  void Host() {
    if (scope_.audit) {
      v1::AuditFacts audit = CollectAudit(env_);
      scope_.mounts |= Stable(audit.daemon_config()) != Stable(facts_.audit().daemon_config());
      *facts_.mutable_audit() = std::move(audit);
    }
    if (scope_.mounts) {
      *facts_.mutable_mounts() =
          CollectMounts(env_, facts_.engine(), facts_.daemon(), facts_.audit());
    }
    if (scope_.files) {
      const std::set<uint32_t> groups = SocketGroups(facts_.files());
      *facts_.mutable_files() =
          CollectFiles(env_, plan_, facts_.engine(), facts_.daemon(), facts_.units());
      scope_.users |= SocketGroups(facts_.files()) != groups;
    }
    if (scope_.users) {
      *facts_.mutable_users() = CollectUsers(env_, facts_.daemon(), facts_.files(), facts_.units());
    }
    if (scope_.listeners) {
      *facts_.mutable_listeners() = CollectListeners(env_, facts_.daemon());
    }
  }

  host::HostEnv& env_;
  const v1::CollectionPlan& plan_;
  const std::string& socket_path_;
  Scope scope_;
  const std::string api_prefix_;
  v1::HostFacts& facts_;
};

}  // namespace

bool Scope::empty() const { return *this == Scope(); }

void Scope::Merge(const Scope& other) {
  containers.insert(other.containers.begin(), other.containers.end());
  images.insert(other.images.begin(), other.images.end());
  for (bool Scope::*part :
       {&Scope::all, &Scope::container_list, &Scope::image_list, &Scope::networks, &Scope::volumes,
        &Scope::swarm, &Scope::daemon, &Scope::files, &Scope::audit, &Scope::mounts, &Scope::users,
        &Scope::listeners}) {
    this->*part = this->*part || other.*part;
  }
}

void Refresh(host::HostEnv& env, const v1::CollectionPlan& plan, const std::string& socket_path,
             const std::map<std::string, std::string>& labels, const Scope& scope,
             v1::HostFacts& facts) {
  const absl::StatusOr<std::string> api_prefix = SettleVersion(facts.engine());
  const bool can_refresh = !scope.all && IsComplete(facts) && api_prefix.ok();
  if (can_refresh && Refresher(env, plan, socket_path, scope, *api_prefix, facts).Run()) return;
  facts = CollectAll(env, plan, socket_path, labels);
}

}  // namespace plimsoll::sources
