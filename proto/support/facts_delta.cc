#include "proto/support/facts_delta.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace plimsoll::support {
namespace {

using Keys = std::set<std::string>;

// Merges one keyed list: what `removed` names goes, what `changed` has comes or replaces; sorted by
// key. A list that is sorted already, as all of ours are, is changed in place.
template <class T>
void MergeKeyed(const google::protobuf::RepeatedPtrField<T>& changed, const Keys& removed,
                google::protobuf::RepeatedPtrField<T>* list) {
  if (changed.empty() && removed.empty()) return;
  const auto by_key = [](const T& a, const T& b) { return KeyOf(a) < KeyOf(b); };
  if (!std::is_sorted(list->begin(), list->end(), by_key)) {
    std::sort(list->begin(), list->end(), by_key);
  }
  if (!removed.empty()) {
    list->erase(std::remove_if(list->begin(), list->end(),
                               [&](const T& object) { return removed.contains(KeyOf(object)); }),
                list->end());
  }
  const int kept = list->size();
  bool grown = false;
  for (const T& object : changed) {
    const auto end = list->begin() + kept;
    const auto it = std::lower_bound(list->begin(), end, object, by_key);
    if (it != end && KeyOf(*it) == KeyOf(object)) {
      *it = object;
    } else {
      *list->Add() = object;
      grown = true;
    }
  }
  if (!grown) return;
  std::stable_sort(list->pointer_begin(), list->pointer_end(),
                   [](const T* a, const T* b) { return KeyOf(*a) < KeyOf(*b); });
  // Of a key that `changed` has twice, the last holds.
  for (int i = list->size() - 1; i > 0; --i) {
    if (KeyOf(list->Get(i - 1)) == KeyOf(list->Get(i))) list->DeleteSubrange(i - 1, 1);
  }
}

// Replaces a section as a whole where `changed` has it.
#define REPLACE_SECTION(name) \
  if (changed.has_##name()) *facts.mutable_##name() = changed.name();

// Replaces everything of a keyed section but its objects, which are merged.
#define MERGE_SECTION(name, objects, Facts)                                                   \
  if (changed.has_##name() || !removals[v1::HostFacts::Facts##FieldNumber].empty()) {         \
    auto* section = facts.mutable_##name();                                                   \
    auto kept = std::move(*section->mutable_##objects());                                     \
    MergeKeyed(changed.name().objects(), removals[v1::HostFacts::Facts##FieldNumber], &kept); \
    if (changed.has_##name()) {                                                               \
      *section = changed.name();                                                              \
    }                                                                                         \
    *section->mutable_##objects() = std::move(kept);                                          \
  }

}  // namespace

absl::Status ApplyDelta(const v1::FactsDelta& delta, v1::HostFacts& facts) {
  const v1::HostFacts& changed = delta.changed();
  std::map<int, Keys> removals;
  for (const v1::Removal& removal : delta.removals()) {
    switch (removal.section()) {
      case v1::HostFacts::kFilesFieldNumber:
      case v1::HostFacts::kImagesFieldNumber:
      case v1::HostFacts::kContainersFieldNumber:
      case v1::HostFacts::kVolumesFieldNumber:
      case v1::HostFacts::kNetworksFieldNumber:
        removals[removal.section()].insert(removal.key());
        break;
      default:
        return absl::InvalidArgumentError(
            absl::StrCat("removal from section ", removal.section(), ", which has no keys"));
    }
  }
  if (delta.base_digest().empty()) {
    facts = changed;
    return absl::OkStatus();
  }
  facts.set_collector_version(changed.collector_version());
  *facts.mutable_observed_time() = delta.observed_time();
  *facts.mutable_labels() = changed.labels();
  REPLACE_SECTION(machine)
  REPLACE_SECTION(engine)
  REPLACE_SECTION(daemon)
  REPLACE_SECTION(units)
  REPLACE_SECTION(audit)
  REPLACE_SECTION(mounts)
  REPLACE_SECTION(users)
  REPLACE_SECTION(swarm)
  REPLACE_SECTION(listeners)
  MERGE_SECTION(files, files, kFiles)
  MERGE_SECTION(images, images, kImages)
  MERGE_SECTION(containers, containers, kContainers)
  MERGE_SECTION(volumes, volumes, kVolumes)
  MERGE_SECTION(networks, networks, kNetworks)
  return absl::OkStatus();
}

#undef REPLACE_SECTION
#undef MERGE_SECTION

}  // namespace plimsoll::support
