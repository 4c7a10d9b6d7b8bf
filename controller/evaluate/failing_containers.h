// Which containers fail, told apart by configuration and not by name.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "plimsoll/v1/baseline.pb.h"
#include "plimsoll/v1/container_facts.pb.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/report.pb.h"
#include "plimsoll/v1/stored.pb.h"

namespace plimsoll::evaluate {

// First 8 bytes, big endian, of the SHA-256 of what containers of one configuration have in common:
// the image and all settings; not what each instance has of its own (id, name, times, state,
// process, host ports the engine chose, ids of networks and namespaces, anonymous volumes, outcomes
// of readings). Pure; equal on every host.
uint64_t ContainerFingerprint(const v1::Container& container);

// The same over what a waiver that is bound to facts remembers of a container
// (Waiver.bound_to_facts).
uint64_t GrantedFingerprint(const v1::Container& container);

// First 8 bytes, big endian, of the SHA-256 of `bytes`.
uint64_t DigestPrefix(absl::string_view bytes);

// Fingerprints of one host's containers, each computed once. Not thread-safe.
class ContainerFingerprints {
 public:
  uint64_t Of(const v1::Container& container);
  // The container changed or is gone. Whoever keeps this across changes of the facts calls it for
  // every container that a delta upserts or removes.
  void Forget(const std::string& container_id) { known_.erase(container_id); }
  void Clear() { known_.clear(); }

 private:
  // By container id.
  absl::flat_hash_map<std::string, uint64_t> known_;
  // Keeps its memory from one container to the next.
  v1::Container scratch_;
};

// The containers of `facts` that a FAIL finding of `report` names, counted by configuration and by
// the rules they fail. `report` is of `facts` under `baseline`: rules are named by their place in
// `baseline`. Sorted, so that equal inputs give equal bytes. Pure; thread-safe.
v1::FailingContainers FailingContainersOf(const v1::HostFacts& facts, const v1::Baseline& baseline,
                                          const v1::HostReport& report);
// The same with fingerprints that are known or will be needed again.
v1::FailingContainers FailingContainersOf(const v1::HostFacts& facts, const v1::Baseline& baseline,
                                          const v1::HostReport& report,
                                          ContainerFingerprints& fingerprints);

}  // namespace plimsoll::evaluate
