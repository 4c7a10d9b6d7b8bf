// GET /version and GET /info.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/sources/engine_api.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using host::JsonDocument;
using host::JsonErrors;
using host::JsonObject;
using ApiVersion = std::pair<int, int>;

constexpr ApiVersion kNewestKnown = {1, 52};
constexpr int kMaxItems = 256;

std::optional<ApiVersion> ParseApiVersion(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('.', 1));
  ApiVersion version;
  if (!absl::SimpleAtoi(parts.first, &version.first) ||
      !absl::SimpleAtoi(parts.second, &version.second) || version.first < 0 || version.second < 0) {
    return std::nullopt;
  }
  return version;
}

template <typename Repeated>
void AddTexts(const std::vector<absl::string_view>& texts, Repeated* out) {
  for (const absl::string_view text : texts) {
    if (out->size() < kMaxItems) *out->Add() = CleanText(text);
  }
}

void ReadComponents(const JsonObject& version, v1::EngineFacts* facts) {
  bool docker = false;
  bool podman = false;
  facts->set_version(CleanText(version.String("Version")));
  for (const JsonObject& from : version.Objects("Components")) {
    if (facts->components_size() >= kMaxItems) break;
    v1::EngineFacts::Component* component = facts->add_components();
    component->set_name(CleanText(from.String("Name")));
    component->set_version(CleanText(from.String("Version")));
    if (!absl::StrContains(component->name(), "Engine")) continue;
    if (absl::StrContains(component->name(), "Podman Engine")) podman = true;
    if (!docker) facts->set_version(component->version());
    docker = true;
  }
  facts->set_is_docker_engine(docker && !podman);
}

}  // namespace

absl::StatusOr<std::string> SettleVersion(const v1::EngineFacts& facts) {
  const std::optional<ApiVersion> newest = ParseApiVersion(facts.api_version());
  if (!newest.has_value()) return absl::DataLossError("ApiVersion: expected a version number");
  const std::optional<ApiVersion> oldest =
      facts.min_api_version().empty() ? ApiVersion{0, 0} : ParseApiVersion(facts.min_api_version());
  if (!oldest.has_value()) return absl::DataLossError("MinAPIVersion: expected a version number");
  const ApiVersion use = std::min(*newest, kNewestKnown);
  if (use < *oldest) {
    return absl::UnimplementedError(
        absl::StrCat("the engine accepts API version ", oldest->first, ".", oldest->second,
                     " and later, this collector speaks ", use.first, ".", use.second,
                     " at most; use a newer collector"));
  }
  return absl::StrCat("/v", use.first, ".", use.second);
}

namespace {

absl::Status ReadVersion(const JsonDocument& document, v1::EngineFacts* facts) {
  JsonErrors errors;
  const JsonObject version = document.Object(errors);
  ReadComponents(version, facts);
  facts->set_product(CleanText(version.Object("Platform").String("Name")));
  facts->set_api_version(CleanText(version.String("ApiVersion")));
  facts->set_min_api_version(CleanText(version.String("MinAPIVersion")));
  facts->set_os(CleanText(version.String("Os")));
  facts->set_architecture(CleanText(version.String("Arch")));
  facts->set_kernel_version(CleanText(version.String("KernelVersion")));
  facts->set_build_time(CleanText(version.String("BuildTime")));
  if (const auto experimental = version.Bool("Experimental")) {
    facts->set_experimental(*experimental);
  }
  return errors.status();
}

void ReadSecurityOptions(const JsonObject& info, v1::EngineFacts* facts) {
  for (const absl::string_view entry : info.Strings("SecurityOptions")) {
    if (facts->security_options_size() >= kMaxItems) break;
    v1::EngineFacts::SecurityOption* option = facts->add_security_options();
    for (const absl::string_view part : absl::StrSplit(entry, ',')) {
      const std::pair<absl::string_view, absl::string_view> pair =
          absl::StrSplit(part, absl::MaxSplits('=', 1));
      if (pair.first == "name") {
        option->set_name(CleanText(pair.second));
      } else if (!absl::StrContains(part, '=')) {
        if (option->name().empty()) option->set_name(CleanText(part));
      } else if (option->values_size() < kMaxItems) {
        (*option->mutable_values())[CleanText(pair.first)] = CleanText(pair.second);
      }
    }
  }
}

void ReadRegistry(const JsonObject& config, v1::EngineFacts* facts) {
  if (!config.exists()) return;
  v1::EngineFacts::Registry* registry = facts->mutable_registry();
  AddTexts(config.Strings("InsecureRegistryCIDRs"), registry->mutable_insecure_cidrs());
  std::sort(registry->mutable_insecure_cidrs()->begin(), registry->mutable_insecure_cidrs()->end());
  std::map<std::string, bool> indexes;
  for (const auto& [key, index] : config.Object("IndexConfigs").ObjectMembers()) {
    // An index of unknown security counts as insecure only if the engine says so.
    const std::optional<bool> secure = index.Bool("Secure");
    if (!secure.has_value() || indexes.size() >= kMaxItems) continue;
    const auto [entry, added] = indexes.emplace(CleanText(StripUserInfo(key)), *secure);
    if (!added) entry->second = entry->second && *secure;
  }
  for (const auto& [name, secure] : indexes) {
    v1::EngineFacts::Registry::Index* index = registry->add_indexes();
    index->set_name(name);
    index->set_secure(secure);
  }
}

// host:port of the URL after "accessible on".
std::string EndpointOf(absl::string_view warning) {
  constexpr absl::string_view kBefore = "accessible on ";
  const size_t at = warning.find(kBefore);
  if (at == absl::string_view::npos) return "";
  warning.remove_prefix(at + kBefore.size());
  warning = warning.substr(0, warning.find_first_of(" \n\t"));
  warning = StripUserInfo(warning);
  return CleanText(warning.substr(0, warning.find('/')));
}

void ReadWarnings(const JsonObject& info, v1::EngineFacts* facts) {
  using Warning = v1::EngineFacts::Warning;
  std::map<std::pair<Warning::Code, std::string>, int> counts;
  for (const absl::string_view text : info.Strings("Warnings")) {
    Warning::Code code = Warning::OTHER;
    if (absl::StrContains(text, "API is accessible on")) {
      if (absl::StrContains(text, "without encryption")) code = Warning::API_UNENCRYPTED;
      if (absl::StrContains(text, "without TLS client verification"))
        code = Warning::API_UNVERIFIED;
    }
    ++counts[{code, code == Warning::OTHER ? std::string() : EndpointOf(text)}];
  }
  for (const auto& [key, count] : counts) {
    if (facts->warnings_size() >= kMaxItems) break;
    Warning* warning = facts->add_warnings();
    warning->set_code(key.first);
    warning->set_endpoint(key.second);
    warning->set_count(count);
  }
}

void ReadFirewall(const JsonObject& backend, v1::EngineFacts* facts) {
  if (!backend.exists()) return;
  v1::EngineFacts::Firewall* firewall = facts->mutable_firewall();
  firewall->set_driver(CleanText(backend.String("Driver")));
  for (const auto& pair : backend.StringLists("Info")) {
    if (pair.size() == 2 && pair[0] == "EnableUserlandProxy") {
      firewall->set_userland_proxy(pair[1] == "true");
    }
  }
}

absl::Status ReadInfo(const JsonObject& info, v1::EngineFacts* facts) {
  facts->set_id(CleanText(info.String("ID")));
  facts->set_name(CleanText(info.String("Name")));
  facts->set_storage_driver(CleanText(info.String("Driver")));
  for (const auto& pair : info.StringLists("DriverStatus")) {
    if (!pair.empty() && facts->driver_status_keys_size() < kMaxItems) {
      facts->add_driver_status_keys(CleanText(pair[0]));
    }
  }
  facts->set_cgroup_driver(CleanText(info.String("CgroupDriver")));
  facts->set_cgroup_version(CleanText(info.String("CgroupVersion")));
  facts->set_default_runtime(CleanText(info.String("DefaultRuntime")));
  facts->set_default_runtime_path(CleanText(
      info.Object("Runtimes").Object(info.String("DefaultRuntime")).String("path"), kMaxPathBytes));
  facts->set_init_binary(CleanText(info.String("InitBinary"), kMaxPathBytes));
  facts->set_docker_root_dir(CleanText(info.String("DockerRootDir"), kMaxPathBytes));
  facts->set_logging_driver(CleanText(info.String("LoggingDriver")));
  facts->set_operating_system(CleanText(info.String("OperatingSystem")));
  ReadSecurityOptions(info, facts);
  if (const auto value = info.Bool("Debug")) facts->set_debug(*value);
  if (const auto value = info.Bool("LiveRestoreEnabled")) facts->set_live_restore(*value);
  if (const auto value = info.Bool("ExperimentalBuild")) facts->set_experimental(*value);
  if (const auto value = info.Bool("MemoryLimit")) facts->set_memory_limit_supported(*value);
  if (const auto value = info.Bool("PidsLimit")) facts->set_pids_limit_supported(*value);
  const JsonObject plugins = info.Object("Plugins");
  AddTexts(plugins.Strings("Authorization"), facts->mutable_authorization_plugins());
  AddTexts(plugins.Strings("Log"), facts->mutable_log_plugins());
  ReadRegistry(info.Object("RegistryConfig"), facts);
  ReadWarnings(info, facts);
  ReadFirewall(info.Object("FirewallBackend"), facts);
  facts->set_container_count(info.Int("Containers").value_or(0));
  facts->set_running_container_count(info.Int("ContainersRunning").value_or(0));
  facts->set_image_count(info.Int("Images").value_or(0));
  facts->set_cpu_count(info.Int("NCPU").value_or(0));
  facts->set_memory_bytes(info.Int("MemTotal").value_or(0));
  // A reply without these is no /info of Docker, whatever it is.
  for (const absl::string_view key : {"Driver", "DockerRootDir", "LoggingDriver"}) {
    if (info.exists() && info.String(key).empty()) {
      return absl::DataLossError(absl::StrCat(key, ": expected a string, got none"));
    }
  }
  return absl::OkStatus();
}

v1::SwarmFacts::NodeState NodeStateOf(absl::string_view state) {
  if (state == "inactive") return v1::SwarmFacts::INACTIVE;
  if (state == "pending") return v1::SwarmFacts::PENDING;
  if (state == "active") return v1::SwarmFacts::ACTIVE;
  if (state == "error") return v1::SwarmFacts::ERROR;
  if (state == "locked") return v1::SwarmFacts::LOCKED;
  return v1::SwarmFacts::NODE_STATE_UNSPECIFIED;
}

absl::Status ReadSwarm(const JsonObject& swarm, v1::SwarmFacts* facts) {
  if (!swarm.exists()) return absl::DataLossError("Swarm: expected an object, got none");
  facts->set_local_node_state(NodeStateOf(swarm.String("LocalNodeState")));
  facts->set_control_available(swarm.Bool("ControlAvailable").value_or(false));
  facts->set_node_id(CleanText(swarm.String("NodeID")));
  facts->set_manager_count(static_cast<int32_t>(swarm.Int("Managers").value_or(0)));
  facts->set_node_count(static_cast<int32_t>(swarm.Int("Nodes").value_or(0)));
  const JsonObject cluster = swarm.Object("Cluster");
  if (!cluster.String("ID").empty()) facts->set_cluster_id(CleanText(cluster.String("ID")));
  const auto auto_lock = cluster.Object("Spec").Object("EncryptionConfig").Bool("AutoLockManagers");
  if (auto_lock.has_value()) facts->set_auto_lock_managers(*auto_lock);
  if (facts->local_node_state() == v1::SwarmFacts::NODE_STATE_UNSPECIFIED) {
    return absl::DataLossError("Swarm.LocalNodeState: not a state this collector knows");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CollectVersion(host::HostEnv& env, v1::EngineFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_outcome());
  const absl::StatusOr<JsonDocument> document = GetJson(env, "/version");
  if (!document.ok()) {
    timer.Set(document.status());
    return document.status();
  }
  const absl::Status read = ReadVersion(*document, facts);
  const absl::StatusOr<std::string> prefix = SettleVersion(*facts);
  timer.Set(Annotate(read, "GET /version"));
  timer.Set(Annotate(prefix.status(), "GET /version"));
  return prefix;
}

// Versions to try: the settled one, or where the engine refuses to tell its own, 1.41 (known to
// engines 20.10 to 28) and 1.44 (25 and later).
std::vector<std::string> PrefixesToTry(const absl::StatusOr<std::string>& settled) {
  if (settled.ok()) return {*settled};
  if (absl::IsPermissionDenied(settled.status())) return {"/v1.41", "/v1.44"};
  return {};
}

void CollectInfo(host::HostEnv& env, const absl::StatusOr<std::string>& settled,
                 EngineReply* reply) {
  OutcomeTimer timer(env.clock, reply->engine.mutable_info_outcome());
  OutcomeTimer swarm_timer(env.clock, reply->swarm_from_info.mutable_outcome());
  absl::StatusOr<JsonDocument> document = settled.ok() ? absl::UnknownError("") : settled.status();
  for (const std::string& prefix : PrefixesToTry(settled)) {
    document = GetJson(env, absl::StrCat(prefix, "/info"));
    if (settled.ok() || document.ok()) reply->api_prefix = prefix;
    if (!absl::IsInvalidArgument(document.status())) break;
  }
  if (!document.ok()) {
    timer.Set(document.status());
    swarm_timer.Set(document.status());
    return;
  }
  JsonErrors errors;
  const JsonObject info = document->Object(errors);
  absl::Status read = ReadInfo(info, &reply->engine);
  timer.Set(Annotate(errors.status().ok() ? read : errors.status(), "GET /info"));
  JsonErrors swarm_errors;
  read = ReadSwarm(document->Object(swarm_errors).Object("Swarm"), &reply->swarm_from_info);
  swarm_timer.Set(Annotate(swarm_errors.status().ok() ? read : swarm_errors.status(), "GET /info"));
}

}  // namespace

EngineReply CollectEngine(host::HostEnv& env, const std::string& socket_path) {
  EngineReply reply;
  reply.engine.set_socket_path(CleanText(socket_path, kMaxPathBytes));
  const absl::StatusOr<std::string> prefix = CollectVersion(env, &reply.engine);
  CollectInfo(env, prefix, &reply);
  return reply;
}

}  // namespace plimsoll::sources
