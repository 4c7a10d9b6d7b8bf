// One container, from the engine's listing and inspect replies.
#pragma once

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "collector/host/json.h"
#include "plimsoll/v1/container_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::sources {

// Keys of the labels that may leave the host: the built-in list and the plan's.
using LabelKeys = absl::flat_hash_set<std::string>;
LabelKeys AllowedLabels(const v1::CollectionPlan& plan);

// Fields that the listing gives: up to `status`. The id is taken as it is; the caller checks it.
v1::Container ReadListedContainer(const host::JsonObject& from);

// Fills `container`, whose `id` is set, from an inspect reply; `mounts` without what only the host
// knows (`real_source`, `resolution`, `source_type`). Neither environment, commands, label values
// off the list, log options nor seccomp documents are taken. Lists longer than 1024 are cut, and
// RESOURCE_EXHAUSTED returned. Error: DATA_LOSS naming the field; what could be read is filled in.
absl::Status ReadInspectedContainer(absl::string_view body, const LabelKeys& labels,
                                    v1::Container* container);

// container_options.cc: the parts of HostConfig with a grammar of their own.

// SecurityOpt entries, split as the engine does it: at the first "=", else at the first ":".
void ReadSecurityOptions(const host::JsonObject& host_config,
                         v1::Container::SecurityOptions* options);

// NetworkSettings.Ports (live) and HostConfig.PortBindings (configured), sorted; and the number of
// ports that are exposed and in neither. Of a range of host ports the first is taken. False when
// there were more than 4096.
bool ReadPorts(const host::JsonObject& inspect, v1::Container* container);

}  // namespace plimsoll::sources
