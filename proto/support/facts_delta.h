// Deltas of facts: how a change is applied. Both sides of the collector's stream use it.
#pragma once

#include "absl/status/status.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "plimsoll/v1/host_facts.pb.h"

namespace plimsoll::support {

// Applies `delta` to `facts`: sections present in `changed` replace those of `facts`; in keyed
// sections (files, images, containers, volumes, networks) outcomes are replaced, objects are
// upserted by key and `removals` taken out, and the order is by key. An empty base digest means
// `changed` is everything. Digests are not checked here. INVALID_ARGUMENT: a removal names no keyed
// section; `facts` is then unchanged. Pure.
absl::Status ApplyDelta(const v1::FactsDelta& delta, v1::HostFacts& facts);

// The key of each object of a keyed section, e.g. Container.id.
template <class T>
const std::string& KeyOf(const T& object) {
  return object.id();
}
inline const std::string& KeyOf(const v1::FileFact& file) { return file.path(); }
inline const std::string& KeyOf(const v1::Volume& volume) { return volume.name(); }

}  // namespace plimsoll::support
