#include "collector/sources/container_parse.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "collector/sources/engine_api.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using host::JsonErrors;
using host::JsonObject;

constexpr int kMaxItems = 1024;
constexpr size_t kMaxReferenceBytes = 512;
constexpr size_t kMaxLabelBytes = 1024;

// True once a list was cut.
bool Full(int size, bool* cut) {
  if (size >= kMaxItems) *cut = true;
  return size >= kMaxItems;
}

v1::Container::Status StatusOf(absl::string_view text) {
  if (text == "created") return v1::Container::CREATED;
  if (text == "running") return v1::Container::RUNNING;
  if (text == "paused") return v1::Container::PAUSED;
  if (text == "restarting") return v1::Container::RESTARTING;
  if (text == "removing") return v1::Container::REMOVING;
  if (text == "exited") return v1::Container::EXITED;
  if (text == "dead") return v1::Container::DEAD;
  return v1::Container::STATUS_UNSPECIFIED;
}

std::string NameOf(absl::string_view name) { return CleanText(absl::StripPrefix(name, "/")); }
std::string ReferenceOf(absl::string_view reference) {
  return CleanText(StripUserInfo(reference), kMaxReferenceBytes);
}

template <typename Repeated>
void AddTexts(const std::vector<absl::string_view>& texts, Repeated* out, bool* cut) {
  for (const absl::string_view text : texts) {
    if (Full(out->size(), cut)) return;
    *out->Add() = CleanText(text);
  }
}

void ReadState(const JsonObject& state, JsonErrors& errors, v1::Container* to) {
  if (!state.String("Status").empty()) {
    to->set_status(StatusOf(state.String("Status")));
    if (to->status() == v1::Container::STATUS_UNSPECIFIED) {
      errors.Add("State.Status", "not a state this collector knows");
    }
  }
  if (const int64_t pid = state.Int("Pid").value_or(0); pid > 0) to->set_pid(pid);
  to->set_exit_code(static_cast<int32_t>(state.Int("ExitCode").value_or(0)));
  google::protobuf::Timestamp started;
  if (ParseTime(state.String("StartedAt"), &started)) *to->mutable_start_time() = started;
  const JsonObject health = state.Object("Health");
  if (health.exists()) to->set_health_status(CleanText(health.String("Status")));
}

void ReadConfig(const JsonObject& config, const LabelKeys& labels, v1::Container* to) {
  to->set_user(CleanText(config.String("User")));
  to->set_healthcheck(HealthcheckOf(config));
  if (!config.String("Image").empty()) to->set_image_ref(ReferenceOf(config.String("Image")));
  const JsonObject all = config.Object("Labels");
  for (const std::string& key : labels) {
    if (all.Has(key) != JsonObject::Presence::kPresent) continue;
    (*to->mutable_labels())[CleanText(key)] = CleanText(all.String(key), kMaxLabelBytes);
  }
}

void ReadModes(const JsonObject& from, v1::Container* to) {
  to->set_network_mode(CleanText(from.String("NetworkMode")));
  to->set_pid_mode(CleanText(from.String("PidMode")));
  to->set_ipc_mode(CleanText(from.String("IpcMode")));
  to->set_uts_mode(CleanText(from.String("UTSMode")));
  to->set_userns_mode(CleanText(from.String("UsernsMode")));
  to->set_cgroupns_mode(CleanText(from.String("CgroupnsMode")));
}

void ReadLimits(const JsonObject& from, v1::Container* to, bool* cut) {
  to->set_memory_limit_bytes(from.Int("Memory").value_or(0));
  to->set_memory_reservation_bytes(from.Int("MemoryReservation").value_or(0));
  if (const auto limit = from.Int("PidsLimit")) to->set_pids_limit(*limit);
  for (const JsonObject& ulimit : from.Objects("Ulimits")) {
    if (Full(to->ulimits_size(), cut)) break;
    v1::Container::Ulimit* added = to->add_ulimits();
    added->set_name(CleanText(ulimit.String("Name")));
    added->set_soft(ulimit.Int("Soft").value_or(0));
    added->set_hard(ulimit.Int("Hard").value_or(0));
  }
  to->set_cgroup_parent(CleanText(from.String("CgroupParent"), kMaxPathBytes));
}

void ReadDevices(const JsonObject& from, v1::Container* to, bool* cut) {
  for (const JsonObject& device : from.Objects("Devices")) {
    if (Full(to->devices_size(), cut)) break;
    v1::Container::Device* added = to->add_devices();
    added->set_host_path(CleanText(device.String("PathOnHost"), kMaxPathBytes));
    added->set_container_path(CleanText(device.String("PathInContainer"), kMaxPathBytes));
    added->set_permissions(CleanText(device.String("CgroupPermissions")));
  }
  AddTexts(from.Strings("DeviceCgroupRules"), to->mutable_device_cgroup_rules(), cut);
  for (const JsonObject& request : from.Objects("DeviceRequests")) {
    if (Full(to->device_requests_size(), cut)) break;
    v1::Container::DeviceRequest* added = to->add_device_requests();
    added->set_driver(CleanText(request.String("Driver")));
    added->set_count(static_cast<int32_t>(request.Int("Count").value_or(0)));
    for (const auto& list : request.StringLists("Capabilities")) {
      if (Full(added->capabilities_size(), cut)) break;
      added->add_capabilities(CleanText(absl::StrJoin(list, ",")));
    }
  }
}

void ReadHostConfig(const JsonObject& from, v1::Container* to, bool* cut) {
  if (const auto flag = from.Bool("Privileged")) to->set_privileged(*flag);
  if (const auto flag = from.Bool("ReadonlyRootfs")) to->set_readonly_rootfs(*flag);
  to->set_publish_all_ports(from.Bool("PublishAllPorts").value_or(false));
  AddTexts(from.Strings("CapAdd"), to->mutable_cap_add(), cut);
  AddTexts(from.Strings("CapDrop"), to->mutable_cap_drop(), cut);
  ReadSecurityOptions(from, to->mutable_security_options());
  ReadModes(from, to);
  ReadLimits(from, to, cut);
  const JsonObject restart = from.Object("RestartPolicy");
  to->set_restart_policy(CleanText(restart.String("Name")));
  to->set_restart_maximum_retry_count(
      static_cast<int32_t>(restart.Int("MaximumRetryCount").value_or(0)));
  to->set_log_driver(CleanText(from.Object("LogConfig").String("Type")));
  ReadDevices(from, to, cut);
}

// Destinations whose bind the client asked not to recurse; only HostConfig.Mounts tells.
std::map<std::string, bool> NonRecursiveTargets(const JsonObject& host_config) {
  std::map<std::string, bool> targets;
  for (const JsonObject& mount : host_config.Objects("Mounts")) {
    if (mount.Object("BindOptions").Bool("NonRecursive").value_or(false)) {
      targets[CleanPath(mount.String("Target"))] = true;
    }
  }
  return targets;
}

void ReadMounts(const JsonObject& inspect, v1::Container* to, bool* cut) {
  const auto non_recursive = NonRecursiveTargets(inspect.Object("HostConfig"));
  std::vector<v1::Container::Mount> mounts;
  for (const JsonObject& from : inspect.Objects("Mounts")) {
    if (Full(static_cast<int>(mounts.size()), cut)) break;
    v1::Container::Mount& mount = mounts.emplace_back();
    mount.set_type(CleanText(from.String("Type")));
    mount.set_name(CleanText(from.String("Name")));
    mount.set_driver(CleanText(from.String("Driver")));
    mount.set_source(CleanText(from.String("Source"), kMaxPathBytes));
    mount.set_destination(CleanText(from.String("Destination"), kMaxPathBytes));
    mount.set_read_write(from.Bool("RW").value_or(true));
    mount.set_propagation(CleanText(from.String("Propagation")));
    mount.set_non_recursive(non_recursive.count(CleanPath(from.String("Destination"))) > 0);
  }
  std::stable_sort(mounts.begin(), mounts.end(),
                   [](const auto& a, const auto& b) { return a.destination() < b.destination(); });
  for (v1::Container::Mount& mount : mounts) to->add_mounts()->Swap(&mount);
}

void ReadNetworks(const JsonObject& networks, v1::Container* to, bool* cut) {
  std::map<std::string, std::string> ids;
  for (const absl::string_view name : networks.Keys()) {
    ids[CleanText(name)] = CleanText(networks.Object(name).String("NetworkID"));
  }
  for (const auto& [name, id] : ids) {
    if (Full(to->networks_size(), cut)) return;
    v1::Container::NetworkAttachment* added = to->add_networks();
    added->set_name(name);
    added->set_id(id);
  }
}

}  // namespace

LabelKeys AllowedLabels(const v1::CollectionPlan& plan) {
  LabelKeys keys = {"com.docker.swarm.service.id", "com.docker.swarm.service.name",
                    "com.docker.swarm.task.id",    "com.docker.swarm.node.id",
                    "com.docker.compose.project",  "com.docker.compose.service",
                    "io.kubernetes.pod.name",      "io.kubernetes.pod.namespace",
                    "io.kubernetes.container.name"};
  keys.insert(plan.label_keys().begin(), plan.label_keys().end());
  return keys;
}

v1::Container ReadListedContainer(const JsonObject& from) {
  v1::Container to;
  to.set_id(CleanText(from.String("Id")));
  // "/web" is its own name; "/db/web" the name another container has for it through a link.
  for (const absl::string_view name : from.Strings("Names")) {
    if (to.name().empty() || !absl::StrContains(absl::StripPrefix(name, "/"), "/")) {
      to.set_name(NameOf(name));
      if (!absl::StrContains(to.name(), "/")) break;
    }
  }
  to.set_image_id(CleanText(from.String("ImageID")));
  to.set_image_ref(ReferenceOf(from.String("Image")));
  google::protobuf::Timestamp created;
  if (SetUnixTime(from.Int("Created").value_or(0), &created)) *to.mutable_create_time() = created;
  to.set_status(StatusOf(from.String("State")));
  return to;
}

absl::Status ReadInspectedContainer(absl::string_view body, const LabelKeys& labels,
                                    v1::Container* container) {
  const auto document = host::JsonDocument::Parse(body);
  if (!document.ok()) return document.status();
  JsonErrors errors;
  const JsonObject from = document->Object(errors);
  if (from.String("Id") != container->id()) {
    errors.Add("Id", "not the container asked for");
    return errors.status();
  }
  bool cut = false;
  if (!from.String("Name").empty()) container->set_name(NameOf(from.String("Name")));
  if (!from.String("Image").empty()) container->set_image_id(CleanText(from.String("Image")));
  google::protobuf::Timestamp created;
  if (ParseTime(from.String("Created"), &created)) *container->mutable_create_time() = created;
  ReadState(from.RequiredObject("State"), errors, container);
  ReadConfig(from.RequiredObject("Config"), labels, container);
  ReadHostConfig(from.RequiredObject("HostConfig"), container, &cut);
  container->set_apparmor_profile(CleanText(from.String("AppArmorProfile")));
  container->set_process_label(CleanText(from.String("ProcessLabel")));
  ReadMounts(from, container, &cut);
  if (!ReadPorts(from, container)) cut = true;
  ReadNetworks(from.Object("NetworkSettings").Object("Networks"), container, &cut);
  if (errors.status().ok() && cut) {
    return absl::ResourceExhaustedError("a list of this container is too long and was cut");
  }
  return errors.status();
}

}  // namespace plimsoll::sources
