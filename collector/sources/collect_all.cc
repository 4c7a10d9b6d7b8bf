#include "collector/sources/collect_all.h"

#include <map>
#include <string>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"
#include "proto/support/version.h"

namespace plimsoll::sources {
namespace {

// What the engine alone can tell; `plan` and the daemon help where the sources ask the host as
// well.
void CollectObjects(host::HostEnv& env, const v1::CollectionPlan& plan, EngineReply& reply,
                    v1::HostFacts* facts) {
  if (reply.api_prefix.empty()) {
    const v1::SourceOutcome& why = facts->engine().outcome();
    *facts->mutable_volumes()->mutable_outcome() = why;
    *facts->mutable_containers()->mutable_outcome() = why;
    *facts->mutable_images()->mutable_outcome() = why;
    *facts->mutable_networks()->mutable_outcome() = why;
    *facts->mutable_swarm()->mutable_outcome() = why;
    return;
  }
  *facts->mutable_volumes() = CollectVolumes(env, reply.api_prefix);
  *facts->mutable_containers() = CollectContainers(env, reply.api_prefix, plan, facts->engine(),
                                                   facts->daemon(), facts->volumes());
  *facts->mutable_images() = CollectImages(env, reply.api_prefix);
  *facts->mutable_networks() = CollectNetworks(env, reply.api_prefix);
  *facts->mutable_swarm() = CollectSwarm(env, reply.api_prefix, std::move(reply.swarm_from_info),
                                         facts->engine(), facts->daemon());
}

// What the host alone can tell. Runs beside CollectObjects: it asks the engine for nothing, and the
// sections it writes are its own.
void CollectHost(host::HostEnv& env, const v1::CollectionPlan& plan, v1::HostFacts* facts) {
  const v1::EngineFacts& engine = facts->engine();
  const v1::DaemonFacts& daemon = facts->daemon();
  const v1::UnitsFacts& units = facts->units();
  *facts->mutable_machine() = CollectMachine(env, daemon);
  *facts->mutable_audit() = CollectAudit(env);
  *facts->mutable_mounts() = CollectMounts(env, engine, daemon, facts->audit());
  *facts->mutable_files() = CollectFiles(env, plan, engine, daemon, units);
  *facts->mutable_users() = CollectUsers(env, daemon, facts->files(), units);
  *facts->mutable_listeners() = CollectListeners(env, daemon);
}

}  // namespace

v1::HostFacts CollectAll(host::HostEnv& env, const v1::CollectionPlan& plan,
                         const std::string& socket_path,
                         const std::map<std::string, std::string>& labels) {
  v1::HostFacts facts;
  facts.set_collector_version(support::kVersion);
  for (const auto& [key, value] : labels) (*facts.mutable_labels())[key] = CleanText(value);

  EngineReply reply = CollectEngine(env, socket_path);
  *facts.mutable_engine() = std::move(reply.engine);
  *facts.mutable_units() = CollectUnits(env, plan);
  *facts.mutable_daemon() = CollectDaemon(env, facts.engine(), facts.units());
  // A message of its own for the second thread: two threads never touch one message.
  v1::HostFacts of_host = facts;
  std::thread host_sources([&] { CollectHost(env, plan, &of_host); });
  CollectObjects(env, plan, reply, &facts);
  host_sources.join();
  facts.mutable_machine()->Swap(of_host.mutable_machine());
  facts.mutable_audit()->Swap(of_host.mutable_audit());
  facts.mutable_mounts()->Swap(of_host.mutable_mounts());
  facts.mutable_files()->Swap(of_host.mutable_files());
  facts.mutable_users()->Swap(of_host.mutable_users());
  facts.mutable_listeners()->Swap(of_host.mutable_listeners());
  DeriveCounts(&facts);
  StampObservedTime(env, &facts);
  return facts;
}

void DeriveCounts(v1::HostFacts* facts) {
  absl::flat_hash_map<std::string, int> counts;
  for (const v1::Container& container : facts->containers().containers()) {
    ++counts[container.image_id()];
  }
  for (v1::Image& image : *facts->mutable_images()->mutable_images()) {
    const auto count = counts.find(image.id());
    image.set_container_count(count == counts.end() ? 0 : count->second);
  }
  // A listing knows better, and the section of the engine stays as it is when a container starts.
  if (facts->containers().outcome().state() == v1::SourceOutcome::OK) {
    facts->mutable_engine()->clear_container_count();
    facts->mutable_engine()->clear_running_container_count();
  }
  if (facts->images().outcome().state() == v1::SourceOutcome::OK) {
    facts->mutable_engine()->clear_image_count();
  }
}

void StampObservedTime(host::HostEnv& env, v1::HostFacts* facts) {
  const absl::Time now = env.clock.Now();
  const int64_t seconds = absl::ToUnixSeconds(now);
  facts->mutable_observed_time()->set_seconds(seconds);
  facts->mutable_observed_time()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(now - absl::FromUnixSeconds(seconds))));
}

}  // namespace plimsoll::sources
