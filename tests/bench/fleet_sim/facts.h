// The facts of simulated hosts: recorded ones, multiplied and varied. Hosts share templates; each
// keeps only what is its own, a few KiB.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::fleet_sim {

// Equal inputs give equal numbers, well spread.
uint64_t Mix(uint64_t a, uint64_t b);

// What hosts have in common. Immutable once made, so thread-safe.
struct Template {
  // Everything but containers.
  v1::HostFacts facts;
  // Recorded containers, to be multiplied.
  std::vector<v1::Container> containers;
  // Digests of all sections but machine and containers, by field number (facts_digest.h).
  std::map<int, std::string> section_digests;
  // The containers' section without its objects, as its digest takes it.
  std::string containers_rest;
};

// Templates out of recorded hosts, several variants of each. Errors name the file.
absl::StatusOr<std::vector<Template>> MakeTemplates(const std::vector<std::string>& files,
                                                    int containers, uint64_t seed);

// What is sent of a change, and the digest it leads to.
struct Change {
  v1::HostFacts changed;
  std::vector<v1::Removal> removals;
};

// The facts of one simulated host. Not thread-safe.
class HostState {
 public:
  // `index` counts hosts from 0. Borrows `source`. `protocol` says how facts are digested.
  HostState(const Template& source, int index, int containers, uint64_t seed, int protocol);

  const std::string& hostname() const { return hostname_; }
  const std::map<std::string, std::string>& labels() const { return labels_; }

  int protocol() const { return protocol_; }
  // As a session agreed; digests taken before mean nothing any more.
  void set_protocol(int protocol) { protocol_ = protocol; }

  // All facts as they are now, without an observed time.
  v1::HostFacts Facts() const;
  // 32 raw bytes. Cheap for protocol 2, all facts' worth for 1.
  std::string Digest() const;

  // One container changes: its settings.
  Change ChangeSettings(uint64_t random);
  // One container becomes privileged, or no longer is.
  Change TogglePrivileged(uint64_t random);
  // One container goes and another takes its place.
  Change Replace(uint64_t random);

  // Tries changes of every kind on a copy. INTERNAL: digests are not those that the product takes
  // of the same facts, or a change does not lead from facts to facts, which is a bug here.
  absl::Status Verify() const;

 private:
  // Containers are made from this when they are sent.
  struct Slot {
    uint32_t revision = 0;
    // Containers this place has had.
    uint16_t generation = 0;
    bool privileged = false;
  };
  std::string ContainerId(int slot) const;
  v1::Container MakeContainer(int slot) const;
  void Redigest(int slot);
  Change ChangeOf(int slot);

  const Template& template_;
  const uint64_t seed_;
  int protocol_;
  std::string hostname_;
  std::map<std::string, std::string> labels_;
  std::string machine_digest_;
  std::vector<Slot> slots_;
  // What the digest of the containers' section is taken over, kept as it stands: for each slot id,
  // NUL and digest after containers_rest.
  std::string containers_section_;
};

}  // namespace plimsoll::fleet_sim
