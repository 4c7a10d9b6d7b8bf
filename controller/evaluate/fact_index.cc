#include "controller/evaluate/fact_index.h"

namespace plimsoll::evaluate {
namespace {

template <typename Map>
typename Map::mapped_type Find(const Map& map, absl::string_view key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : it->second;
}

}  // namespace

FactIndex::FactIndex(const v1::HostFacts& facts) {
  files_.reserve(facts.files().files_size());
  canonical_files_.reserve(facts.files().files_size());
  for (const v1::FileFact& file : facts.files().files()) {
    files_.emplace(file.path(), &file);
    if (!file.canonical_path().empty()) canonical_files_.emplace(file.canonical_path(), &file);
  }
  for (const v1::Unit& unit : facts.units().units()) units_.emplace(unit.name(), &unit);
  containers_.reserve(2 * facts.containers().containers_size());
  // Ids first: a container may carry another one's id as its name.
  for (const v1::Container& c : facts.containers().containers()) containers_.emplace(c.id(), &c);
  for (const v1::Container& c : facts.containers().containers()) {
    if (!c.name().empty()) containers_.emplace(c.name(), &c);
  }
  images_.reserve(facts.images().images_size());
  for (const v1::Image& image : facts.images().images()) images_.emplace(image.id(), &image);
  volumes_.reserve(facts.volumes().volumes_size());
  for (const v1::Volume& volume : facts.volumes().volumes())
    volumes_.emplace(volume.name(), &volume);
  networks_.reserve(2 * facts.networks().networks_size());
  for (const v1::Network& network : facts.networks().networks()) {
    networks_.emplace(network.id(), &network);
    if (network.default_bridge() && default_bridge_ == nullptr) default_bridge_ = &network;
  }
  for (const v1::Network& network : facts.networks().networks()) {
    networks_.emplace(network.name(), &network);
  }
  for (const v1::Service& service : facts.swarm().services())
    services_.emplace(service.id(), &service);
  for (const auto& option : facts.engine().security_options()) {
    security_options_.emplace(option.name(), &option);
  }
}

const v1::FileFact* FactIndex::File(absl::string_view path) const {
  const v1::FileFact* file = Find(files_, path);
  return file != nullptr ? file : Find(canonical_files_, path);
}

const v1::Unit* FactIndex::Unit(absl::string_view name) const { return Find(units_, name); }

const v1::Container* FactIndex::Container(absl::string_view id_or_name) const {
  return Find(containers_, id_or_name);
}

const v1::Image* FactIndex::Image(absl::string_view id) const { return Find(images_, id); }

const v1::Volume* FactIndex::Volume(absl::string_view name) const { return Find(volumes_, name); }

const v1::Network* FactIndex::Network(absl::string_view id_or_name) const {
  return Find(networks_, id_or_name);
}

const v1::Service* FactIndex::Service(absl::string_view id) const { return Find(services_, id); }

const v1::EngineFacts::SecurityOption* FactIndex::SecurityOption(absl::string_view name) const {
  return Find(security_options_, name);
}

}  // namespace plimsoll::evaluate
