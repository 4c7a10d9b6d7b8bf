#include "tests/bench/fleet_sim/facts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"
#include "proto/support/facts_digest.h"
#include "proto/support/version.h"

namespace plimsoll::fleet_sim {
namespace {

constexpr absl::string_view kNul("\0", 1);
// Id, NUL and digest of a container.
constexpr size_t kEntrySize = 64 + 1 + 32;

template <size_t N>
const char* Choose(const char* const (&choices)[N], uint64_t random) {
  return choices[random % N];
}

// What a container of a real fleet may have otherwise than the recorded one; most have little.
void Vary(v1::Container& c, uint64_t random) {
  const auto one_in = [&random](uint64_t n) {
    random = Mix(random, n);
    return random % n == 0;
  };
  if (one_in(3)) c.clear_user();
  if (one_in(3)) c.set_readonly_rootfs(false);
  if (one_in(4)) c.clear_cap_drop();
  if (one_in(20)) c.add_cap_add("NET_ADMIN");
  if (one_in(4)) c.clear_security_options();
  if (one_in(3)) c.clear_memory_limit_bytes();
  if (one_in(3)) c.clear_pids_limit();
  if (one_in(2)) {
    c.set_restart_policy("always");
    c.clear_restart_maximum_retry_count();
  }
  if (one_in(30)) c.set_network_mode("host");
  if (one_in(60)) c.set_pid_mode("host");
  if (one_in(2)) c.set_healthcheck(v1::HEALTHCHECK_ABSENT);
  if (c.ports_size() > 0 && one_in(8)) c.mutable_ports(0)->set_host_ip("0.0.0.0");
}

}  // namespace

uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9E3779B97F4A7C15u + b + 0x632BE59BD9B4E019u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

HostState::HostState(const Template& source, int index, int containers, uint64_t seed, int protocol)
    : template_(source),
      seed_(Mix(seed, static_cast<uint64_t>(index))),
      protocol_(protocol),
      slots_(static_cast<size_t>(containers)),
      containers_section_(source.containers_rest) {
  static constexpr const char* kTiers[] = {"web", "app", "db", "cache", "batch"};
  static constexpr const char* kEnvironments[] = {"prod", "prod", "prod", "staging", "dev"};
  static constexpr const char* kRegions[] = {"eu-west", "eu-central", "us-east", "us-west",
                                             "ap-south"};
  labels_ = {{"env", Choose(kEnvironments, Mix(seed_, 1))},
             {"region", Choose(kRegions, Mix(seed_, 2))},
             {"team", absl::StrCat("team-", Mix(seed_, 3) % 40)},
             {"tier", Choose(kTiers, Mix(seed_, 4))}};
  hostname_ = absl::StrFormat("%s-%s-%06d", labels_["tier"], labels_["env"], index);
  v1::MachineFacts machine = template_.facts.machine();
  machine.set_hostname(hostname_);
  machine_digest_ = support::Sha256(support::SerializeStable(machine));
  containers_section_.resize(containers_section_.size() + slots_.size() * kEntrySize);
  for (int slot = 0; slot < containers; ++slot) Redigest(slot);
}

// The beginning keeps the order of slots, so that containers are sorted as they stand.
std::string HostState::ContainerId(int slot) const {
  const uint64_t step = 0x100000000u / slots_.size();
  const uint64_t own =
      Mix(Mix(seed_, static_cast<uint64_t>(slot)), slots_[static_cast<size_t>(slot)].generation);
  return absl::StrFormat("%08x%016x%016x%016x%08x", static_cast<uint64_t>(slot) * step, own,
                         Mix(own, 1), Mix(own, 2), Mix(own, 3) >> 32);
}

v1::Container HostState::MakeContainer(int slot) const {
  const Slot& state = slots_[static_cast<size_t>(slot)];
  v1::Container c = template_.containers[static_cast<size_t>(slot) % template_.containers.size()];
  c.set_id(ContainerId(slot));
  c.set_name(absl::StrCat("app-", slot / 5, "-", slot % 5));
  const auto& images = template_.facts.images().images();
  if (!images.empty()) c.set_image_id(images[slot / 5 % images.size()].id());
  Vary(c, Mix(Mix(seed_, 100), static_cast<uint64_t>(slot)));
  c.set_privileged(state.privileged || c.privileged());
  if (c.has_pid()) c.set_pid(2000 + slot * 100 + state.revision % 100);
  if (c.ports_size() > 0 && c.ports(0).host_port() != 0) {
    c.mutable_ports(0)->set_host_port(20000 + slot);
  }
  if (state.revision > 0) c.set_memory_limit_bytes(int64_t{64 + state.revision % 512} << 20);
  return c;
}

void HostState::Redigest(int slot) {
  const v1::Container container = MakeContainer(slot);
  containers_section_.replace(
      template_.containers_rest.size() + static_cast<size_t>(slot) * kEntrySize, kEntrySize,
      absl::StrCat(container.id(), kNul, support::Sha256(support::SerializeStable(container))));
}

v1::HostFacts HostState::Facts() const {
  v1::HostFacts facts = template_.facts;
  facts.mutable_labels()->insert(labels_.begin(), labels_.end());
  facts.mutable_machine()->set_hostname(hostname_);
  auto* containers = facts.mutable_containers()->mutable_containers();
  containers->Reserve(static_cast<int>(slots_.size()));
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    *containers->Add() = MakeContainer(static_cast<int>(slot));
  }
  return facts;
}

std::string HostState::Digest() const {
  if (protocol_ == 1) return support::FactsDigest(Facts());
  std::string head = absl::StrCat(template_.facts.collector_version(), kNul);
  for (const auto& [key, value] : labels_) absl::StrAppend(&head, key, "=", value, kNul);
  const std::string containers_digest = support::Sha256(containers_section_);
  // In the order of field numbers.
  const auto add = [&head](int number, const std::string& digest) {
    absl::StrAppend(&head, number, kNul, digest);
  };
  for (int number = 1; number <= v1::HostFacts::kListenersFieldNumber; ++number) {
    if (number == v1::HostFacts::kMachineFieldNumber) {
      add(number, machine_digest_);
    } else if (number == v1::HostFacts::kContainersFieldNumber) {
      add(number, containers_digest);
    } else if (const auto it = template_.section_digests.find(number);
               it != template_.section_digests.end()) {
      add(number, it->second);
    }
  }
  return support::Sha256(head);
}

Change HostState::ChangeOf(int slot) {
  Redigest(slot);
  Change change;
  change.changed.set_collector_version(template_.facts.collector_version());
  change.changed.mutable_labels()->insert(labels_.begin(), labels_.end());
  *change.changed.mutable_containers()->mutable_outcome() = template_.facts.containers().outcome();
  *change.changed.mutable_containers()->add_containers() = MakeContainer(slot);
  return change;
}

Change HostState::ChangeSettings(uint64_t random) {
  const int slot = static_cast<int>(random % slots_.size());
  ++slots_[static_cast<size_t>(slot)].revision;
  return ChangeOf(slot);
}

Change HostState::TogglePrivileged(uint64_t random) {
  const int slot = static_cast<int>(random % slots_.size());
  Slot& state = slots_[static_cast<size_t>(slot)];
  state.privileged = !state.privileged;
  ++state.revision;
  return ChangeOf(slot);
}

Change HostState::Replace(uint64_t random) {
  const int slot = static_cast<int>(random % slots_.size());
  v1::Removal removal;
  removal.set_section(v1::HostFacts::kContainersFieldNumber);
  removal.set_key(ContainerId(slot));
  Slot& state = slots_[static_cast<size_t>(slot)];
  ++state.generation;
  state.privileged = false;
  Change change = ChangeOf(slot);
  change.removals.push_back(std::move(removal));
  return change;
}

absl::Status HostState::Verify() const {
  HostState tried = *this;
  v1::HostFacts applied = tried.Facts();
  const auto holds = [&tried, &applied] {
    return tried.Digest() == (tried.protocol_ == 1 ? support::FactsDigest(applied)
                                                   : support::FactsDigestTree(applied).Digest());
  };
  bool all = holds();
  for (uint64_t i = 0; i < 6; ++i) {
    const Change change = i % 3 == 0   ? tried.ChangeSettings(i)
                          : i % 3 == 1 ? tried.TogglePrivileged(i)
                                       : tried.Replace(i);
    v1::FactsDelta delta;
    delta.set_base_digest("not empty");
    *delta.mutable_changed() = change.changed;
    delta.mutable_removals()->Assign(change.removals.begin(), change.removals.end());
    all = all && support::ApplyDelta(delta, applied).ok() && holds();
  }
  return all ? absl::OkStatus()
             : absl::InternalError(
                   "the simulator makes or digests facts otherwise than a collector");
}

}  // namespace plimsoll::fleet_sim
