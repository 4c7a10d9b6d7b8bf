// The swarm beyond /info: services on managers, and two addresses that only docker-state.json
// tells.
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "collector/sources/engine_api.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using host::JsonErrors;
using host::JsonObject;

constexpr size_t kMaxServices = 10000;
constexpr int kMaxPorts = 1024;
constexpr size_t kMaxStateFileBytes = 1 << 20;

uint32_t PortNumber(const JsonObject& from, absl::string_view key) {
  const uint64_t number = from.Uint(key).value_or(0);
  return number <= 65535 ? static_cast<uint32_t>(number) : 0;
}

v1::Service::RestartCondition ConditionOf(absl::string_view condition, JsonErrors& errors) {
  if (condition.empty()) return v1::Service::RESTART_CONDITION_UNSPECIFIED;
  if (condition == "none") return v1::Service::NONE;
  if (condition == "on-failure") return v1::Service::ON_FAILURE;
  if (condition != "any") errors.Add("RestartPolicy.Condition", "not a condition known here");
  return v1::Service::ANY;
}

v1::Service ReadService(const JsonObject& from, JsonErrors& errors) {
  v1::Service service;
  service.set_id(CleanText(from.String("ID")));
  const JsonObject spec = from.Object("Spec");
  service.set_name(CleanText(spec.String("Name")));
  const JsonObject policy = spec.Object("TaskTemplate").Object("RestartPolicy");
  service.set_restart_condition(ConditionOf(policy.String("Condition"), errors));
  if (const auto attempts = policy.Uint("MaxAttempts")) service.set_max_attempts(*attempts);
  if (const auto window = policy.Int("Window")) service.set_window_ns(*window);
  const JsonObject endpoint = from.Object("Endpoint");
  const bool in_force = endpoint.Has("Ports") == JsonObject::Presence::kPresent;
  for (const JsonObject& port :
       in_force ? endpoint.Objects("Ports") : spec.Object("EndpointSpec").Objects("Ports")) {
    if (service.ports_size() >= kMaxPorts) break;
    v1::Service::Port* to = service.add_ports();
    to->set_publish_mode(CleanText(port.String("PublishMode")));
    to->set_published_port(PortNumber(port, "PublishedPort"));
    to->set_target_port(PortNumber(port, "TargetPort"));
    to->set_protocol(CleanText(port.String("Protocol")));
  }
  return service;
}

void CollectServices(host::HostEnv& env, const std::string& api_prefix, v1::SwarmFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_services_outcome());
  if (!facts->control_available() || api_prefix.empty()) return;
  const auto document = GetJson(env, absl::StrCat(api_prefix, "/services"));
  if (!document.ok()) return timer.Set(document.status());
  JsonErrors errors;
  std::map<std::string, v1::Service> services;
  for (const JsonObject& from : document->Objects(errors)) {
    v1::Service service = ReadService(from, errors);
    if (!IsObjectId(service.id())) {
      errors.Add("ID", "not an id");
    } else if (services.size() < kMaxServices) {
      services.emplace(service.id(), service);
    } else {
      timer.Set(v1::SourceOutcome::TRUNCATED,
                absl::StrCat("more than ", kMaxServices, " services"));
      break;
    }
  }
  for (auto& [id, service] : services) facts->add_services()->Swap(&service);
  timer.Set(errors.status());
}

void CollectState(host::HostEnv& env, const v1::EngineFacts& engine, const v1::DaemonFacts& daemon,
                  v1::SwarmFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_state_file_outcome());
  if (engine.docker_root_dir().empty()) return;
  const std::string path = absl::StrCat(engine.docker_root_dir(), "/swarm/docker-state.json");
  const std::unique_ptr<host::FileSystem> view =
      daemon.pid() > 0 ? env.files_of_process(daemon.pid()) : nullptr;
  const host::FileSystem& files = view != nullptr ? *view : env.files;
  const absl::StatusOr<std::string> text = files.ReadFile(path, kMaxStateFileBytes);
  if (!text.ok()) return timer.Set(text.status());
  const auto document = host::JsonDocument::Parse(*text);
  if (!document.ok()) return timer.Set(Annotate(document.status(), path));
  JsonErrors errors;
  const JsonObject state = document->Object(errors);
  facts->set_listen_address(CleanText(StripUserInfo(state.String("ListenAddr"))));
  facts->set_advertise_address(CleanText(StripUserInfo(state.String("AdvertiseAddr"))));
  timer.Set(Annotate(errors.status(), path));
}

}  // namespace

v1::SwarmFacts CollectSwarm(host::HostEnv& env, const std::string& api_prefix,
                            v1::SwarmFacts from_info, const v1::EngineFacts& engine,
                            const v1::DaemonFacts& daemon) {
  CollectServices(env, api_prefix, &from_info);
  CollectState(env, engine, daemon, &from_info);
  return from_info;
}

}  // namespace plimsoll::sources
