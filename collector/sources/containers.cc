// GET /containers/json?all=1 and one inspect each; what the host knows is read as replies come in.
#include "collector/sources/containers.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/sources/container_mounts.h"
#include "collector/sources/container_parse.h"
#include "collector/sources/container_runtime.h"
#include "collector/sources/daemon_process.h"
#include "collector/sources/engine_api.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

constexpr size_t kMaxContainers = 10000;
constexpr size_t kMaxStateFileBytes = 16 << 20;

// True unless /info was read and names no security module.
bool MayHaveLsm(const v1::EngineFacts& engine) {
  if (engine.info_outcome().state() != v1::SourceOutcome::OK) return true;
  for (const auto& option : engine.security_options()) {
    if (option.name() == "apparmor" || option.name() == "selinux") return true;
  }
  return false;
}

bool HasProcess(const v1::Container& container) {
  return container.has_pid() && (container.status() == v1::Container::RUNNING ||
                                 container.status() == v1::Container::PAUSED ||
                                 container.status() == v1::Container::RESTARTING);
}

// Completes one container at a time from its inspect reply and the host's files.
class Inspector {
 public:
  Inspector(host::HostEnv& env, const v1::CollectionPlan& plan, const v1::EngineFacts& engine,
            const v1::DaemonFacts& daemon, const v1::VolumesFacts& volumes)
      : env_(env),
        labels_(AllowedLabels(plan)),
        data_root_(engine.docker_root_dir()),
        with_lsm_(MayHaveLsm(engine)),
        daemon_view_(daemon.pid() > 0 ? env.files_of_process(daemon.pid()) : nullptr),
        daemon_files_(daemon_view_ != nullptr ? *daemon_view_ : env.files),
        mounts_(daemon_files_, volumes) {}

  void Complete(absl::StatusOr<absl::string_view> body, v1::Container* container) {
    {
      OutcomeTimer timer(env_.clock, container->mutable_outcome());
      if (!body.ok()) return timer.Set(body.status());
      timer.Set(Annotate(ReadInspectedContainer(*body, labels_, container), "inspect"));
    }
    for (v1::Container::Mount& mount : *container->mutable_mounts()) mounts_.Resolve(&mount);
    ReadStateFile(container);
    if (HasProcess(*container)) {
      ReadRuntime(env_.files, env_.clock, container->pid(), container->id(), with_lsm_,
                  container->mutable_runtime());
    }
  }

 private:
  void ReadStateFile(v1::Container* container) {
    OutcomeTimer timer(env_.clock, container->mutable_state_file_outcome());
    if (data_root_.empty()) return;
    const std::string path =
        absl::StrCat(data_root_, "/containers/", container->id(), "/config.v2.json");
    const absl::StatusOr<std::string> text = daemon_files_.ReadFile(path, kMaxStateFileBytes);
    if (!text.ok()) return timer.Set(text.status());
    const auto flag = host::ReadTopLevelBool(*text, "NoNewPrivileges");
    if (!flag.ok()) return timer.Set(Annotate(flag.status(), path));
    if (flag->has_value()) container->set_state_file_no_new_privileges(**flag);
    timer.Set(absl::OkStatus());
  }

  host::HostEnv& env_;
  const LabelKeys labels_;
  const std::string data_root_;
  const bool with_lsm_;
  const std::unique_ptr<host::FileSystem> daemon_view_;
  const host::FileSystem& daemon_files_;
  MountResolver mounts_;
};

// The listing, sorted by id, each container once.
std::vector<v1::Container> List(host::HostEnv& env, const std::string& api_prefix,
                                v1::SourceOutcome* outcome) {
  OutcomeTimer timer(env.clock, outcome);
  std::vector<v1::Container> containers;
  const absl::StatusOr<host::JsonDocument> document =
      api_prefix.empty() ? EngineSilent(env)
                         : GetJson(env, absl::StrCat(api_prefix, "/containers/json?all=1"));
  if (!document.ok()) {
    timer.Set(document.status());
    return containers;
  }
  host::JsonErrors errors;
  std::map<std::string, v1::Container> listed;
  for (const host::JsonObject& from : document->Objects(errors)) {
    v1::Container container = ReadListedContainer(from);
    if (!IsObjectId(container.id())) {
      errors.Add("Id", "not an id");
    } else if (listed.size() < kMaxContainers) {
      listed.emplace(container.id(), container);
    } else {
      timer.Set(v1::SourceOutcome::TRUNCATED,
                absl::StrCat("more than ", kMaxContainers, " containers"));
      break;
    }
  }
  timer.Set(Annotate(errors.status(), "container listing"));
  for (auto& [id, container] : listed) containers.push_back(std::move(container));
  return containers;
}

}  // namespace

v1::ContainersFacts CollectContainers(host::HostEnv& env, const std::string& api_prefix,
                                      const v1::CollectionPlan& plan, const v1::EngineFacts& engine,
                                      const v1::DaemonFacts& daemon,
                                      const v1::VolumesFacts& volumes) {
  v1::ContainersFacts facts;
  std::vector<v1::Container> containers = List(env, api_prefix, facts.mutable_outcome());
  Inspector inspector(env, plan, engine, daemon, volumes);
  std::vector<std::string> paths;
  for (const v1::Container& container : containers) {
    paths.push_back(absl::StrCat(api_prefix, "/containers/", container.id(), "/json"));
  }
  std::vector<bool> vanished(containers.size(), false);
  env.docker.GetEach(paths, [&](size_t index, absl::StatusOr<absl::string_view> body) {
    vanished[index] = absl::IsNotFound(body.status());
    if (!vanished[index]) inspector.Complete(body, &containers[index]);
  });
  for (size_t i = 0; i < containers.size(); ++i) {
    if (!vanished[i]) facts.add_containers()->Swap(&containers[i]);
  }
  return facts;
}

absl::Status RefreshContainers(host::HostEnv& env, const std::string& api_prefix,
                               const v1::CollectionPlan& plan, const v1::EngineFacts& engine,
                               const v1::DaemonFacts& daemon, const v1::VolumesFacts& volumes,
                               const std::set<std::string>& ids, v1::ContainersFacts* facts) {
  std::map<std::string, v1::Container> known;
  for (v1::Container& container : *facts->mutable_containers()) {
    known[container.id()].Swap(&container);
  }
  facts->clear_containers();
  Inspector inspector(env, plan, engine, daemon, volumes);
  std::vector<std::string> wanted;
  std::vector<std::string> paths;
  for (const std::string& id : ids) {
    if (!IsObjectId(id)) continue;
    wanted.push_back(id);
    paths.push_back(absl::StrCat(api_prefix, "/containers/", id, "/json"));
  }
  absl::Status status;
  env.docker.GetEach(paths, [&](size_t index, absl::StatusOr<absl::string_view> body) {
    const std::string& id = wanted[index];
    if (absl::IsNotFound(body.status())) {
      known.erase(id);
      return;
    }
    const auto before = known.find(id);
    const bool is_new = before == known.end();
    if (!body.ok() && (is_new || !absl::IsDeadlineExceeded(body.status()))) {
      status.Update(body.status());
      return;
    }
    v1::Container container;
    container.set_id(id);
    if (!is_new) {
      // What the listing said stands in where the inspect says nothing.
      container.set_name(before->second.name());
      container.set_image_id(before->second.image_id());
      container.set_image_ref(before->second.image_ref());
      if (before->second.has_create_time()) {
        *container.mutable_create_time() = before->second.create_time();
      }
      container.set_status(before->second.status());
    }
    inspector.Complete(body, &container);
    if (is_new && container.outcome().state() == v1::SourceOutcome::MALFORMED) {
      status.Update(absl::DataLossError(container.outcome().message()));
      return;
    }
    known[id] = std::move(container);
  });
  for (auto& [id, container] : known) facts->add_containers()->Swap(&container);
  return status;
}

void ResolveVolumes(host::HostEnv& env, const v1::DaemonFacts& daemon,
                    const v1::VolumesFacts& volumes, const std::set<std::string>& changed,
                    v1::ContainersFacts* facts) {
  if (changed.empty()) return;
  const DaemonFiles files(env, daemon.pid());
  MountResolver resolver(*files, volumes);
  for (v1::Container& container : *facts->mutable_containers()) {
    for (v1::Container::Mount& mount : *container.mutable_mounts()) {
      if (mount.type() != "volume" || !changed.contains(mount.name())) continue;
      mount.clear_real_source();
      mount.clear_source_type();
      mount.clear_resolution();
      mount.clear_volume_propagation();
      resolver.Resolve(&mount);
    }
  }
}

}  // namespace plimsoll::sources
