// GET /networks, and GET /networks/{id} for the default bridge, whose containers no listing shows.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "collector/sources/engine_api.h"
#include "collector/sources/outcome.h"
#include "collector/sources/sources.h"
#include "collector/sources/text.h"

namespace plimsoll::sources {
namespace {

using host::JsonErrors;
using host::JsonObject;

constexpr size_t kMaxNetworks = 10000;
constexpr int kMaxContainers = 10000;

v1::Network ReadNetwork(const JsonObject& from) {
  v1::Network network;
  network.set_id(CleanText(from.String("Id")));
  network.set_name(CleanText(from.String("Name")));
  network.set_driver(CleanText(from.String("Driver")));
  network.set_scope(CleanText(from.String("Scope")));
  network.set_internal(from.Bool("Internal").value_or(false));
  network.set_attachable(from.Bool("Attachable").value_or(false));
  network.set_ingress(from.Bool("Ingress").value_or(false));
  const JsonObject options = from.Object("Options");
  const auto bridge = [&](absl::string_view key) {
    return absl::StrCat("com.docker.network.bridge.", key);
  };
  const auto has = [&](const std::string& key) {
    return options.Has(key) == JsonObject::Presence::kPresent;
  };
  network.set_default_bridge(options.String(bridge("default_bridge")) == "true");
  if (const std::string key = bridge("enable_icc"); has(key)) {
    network.set_enable_icc(options.String(key) == "true");
  }
  if (const std::string key = bridge("name"); has(key)) {
    network.set_bridge_name(CleanText(options.String(key)));
  }
  if (const std::string key = bridge("host_binding_ipv4"); has(key)) {
    network.set_host_binding_ipv4(CleanText(options.String(key)));
  }
  // Any value encrypts, none at all too.
  network.set_encrypted(options.Has("encrypted") != JsonObject::Presence::kAbsent);
  return network;
}

void Inspect(host::HostEnv& env, const std::string& api_prefix, v1::Network* network) {
  OutcomeTimer timer(env.clock, network->mutable_inspect_outcome());
  const auto document = GetJson(env, absl::StrCat(api_prefix, "/networks/", network->id()));
  if (!document.ok()) return timer.Set(document.status());
  JsonErrors errors;
  for (const absl::string_view id : document->Object(errors).Object("Containers").Keys()) {
    if (network->container_ids_size() >= kMaxContainers) {
      timer.Set(v1::SourceOutcome::TRUNCATED,
                absl::StrCat("more than ", kMaxContainers, " containers on one network"));
      break;
    }
    network->add_container_ids(CleanText(id));
  }
  std::sort(network->mutable_container_ids()->begin(), network->mutable_container_ids()->end());
  timer.Set(errors.status());
}

void Collect(host::HostEnv& env, const std::string& api_prefix, v1::NetworksFacts* facts) {
  OutcomeTimer timer(env.clock, facts->mutable_outcome());
  if (api_prefix.empty()) return timer.Set(EngineSilent(env));
  const auto document = GetJson(env, absl::StrCat(api_prefix, "/networks"));
  if (!document.ok()) return timer.Set(document.status());
  JsonErrors errors;
  std::map<std::string, v1::Network> networks;
  for (const JsonObject& from : document->Objects(errors)) {
    v1::Network network = ReadNetwork(from);
    if (!IsObjectId(network.id())) {
      errors.Add("Id", "not an id");
    } else if (networks.size() < kMaxNetworks) {
      networks.emplace(network.id(), network);
    } else {
      timer.Set(v1::SourceOutcome::TRUNCATED,
                absl::StrCat("more than ", kMaxNetworks, " networks"));
      break;
    }
  }
  timer.Set(errors.status());
  for (auto& [id, network] : networks) {
    if (network.default_bridge()) Inspect(env, api_prefix, &network);
    facts->add_networks()->Swap(&network);
  }
}

}  // namespace

v1::NetworksFacts CollectNetworks(host::HostEnv& env, const std::string& api_prefix) {
  v1::NetworksFacts facts;
  Collect(env, api_prefix, &facts);
  return facts;
}

}  // namespace plimsoll::sources
