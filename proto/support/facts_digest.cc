#include "proto/support/facts_digest.h"

#include <set>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"

namespace plimsoll::support {
namespace {

constexpr absl::string_view kNul("\0", 1);

using Keys = std::set<std::string>;

// Serialised without volatile fields; `message` loses them.
std::string Stable(google::protobuf::Message& message) {
  ClearVolatileOutcomes(message);
  return SerializeStable(message);
}

template <class T>
std::string ObjectDigest(const T& object) {
  T copy = object;
  return Sha256(Stable(copy));
}

// The object of that key in a list sorted by key; null when there is none.
template <class List>
const auto* FindSorted(const List& list, const std::string& key) {
  const auto it = std::lower_bound(
      list.begin(), list.end(), key,
      [](const auto& object, const std::string& wanted) { return KeyOf(object) < wanted; });
  return it != list.end() && KeyOf(*it) == key ? &*it : nullptr;
}

}  // namespace

void FactsDigestTree::Section::Finish() {
  std::string bytes = rest;
  for (const auto& [key, object] : objects) absl::StrAppend(&bytes, key, kNul, object);
  digest = Sha256(bytes);
}

void FactsDigestTree::SetHead(const v1::HostFacts& facts) {
  head_ = absl::StrCat(facts.collector_version(), kNul);
  const std::map<std::string, std::string> labels(facts.labels().begin(), facts.labels().end());
  for (const auto& [key, value] : labels) absl::StrAppend(&head_, key, "=", value, kNul);
}

#define PLIMSOLL_PLAIN_SECTIONS(X) \
  X(machine, Machine)              \
  X(engine, Engine)                \
  X(daemon, Daemon)                \
  X(units, Units)                  \
  X(audit, Audit)                  \
  X(mounts, Mounts)                \
  X(users, Users)                  \
  X(swarm, Swarm)                  \
  X(listeners, Listeners)
#define PLIMSOLL_KEYED_SECTIONS(X) \
  X(files, Files)                  \
  X(images, Images)                \
  X(containers, Containers)        \
  X(volumes, Volumes)              \
  X(networks, Networks)

FactsDigestTree::FactsDigestTree(const v1::HostFacts& facts) {
  SetHead(facts);
#define PLIMSOLL_ADD(name, Name)                                       \
  if (facts.has_##name()) {                                            \
    Section& section = sections_[v1::HostFacts::k##Name##FieldNumber]; \
    auto copy = facts.name();                                          \
    section.rest = Stable(copy);                                       \
    section.Finish();                                                  \
  }
  PLIMSOLL_PLAIN_SECTIONS(PLIMSOLL_ADD)
#undef PLIMSOLL_ADD
#define PLIMSOLL_ADD(name, Name)                                       \
  if (facts.has_##name()) {                                            \
    Section& section = sections_[v1::HostFacts::k##Name##FieldNumber]; \
    auto copy = facts.name();                                          \
    copy.clear_##name();                                               \
    section.rest = Stable(copy);                                       \
    for (const auto& object : facts.name().name())                     \
      section.objects[KeyOf(object)] = ObjectDigest(object);           \
    section.Finish();                                                  \
  }
  PLIMSOLL_KEYED_SECTIONS(PLIMSOLL_ADD)
#undef PLIMSOLL_ADD
}

void FactsDigestTree::Apply(const v1::FactsDelta& delta, const v1::HostFacts& after) {
  if (delta.base_digest().empty()) {
    *this = FactsDigestTree(after);
    return;
  }
  SetHead(after);
  const v1::HostFacts& changed = delta.changed();
  std::map<int, Keys> touched;
  for (const v1::Removal& removal : delta.removals())
    touched[removal.section()].insert(removal.key());
#define PLIMSOLL_UPDATE(name, Name)                                    \
  if (changed.has_##name()) {                                          \
    Section& section = sections_[v1::HostFacts::k##Name##FieldNumber]; \
    auto copy = changed.name();                                        \
    section.rest = Stable(copy);                                       \
    section.Finish();                                                  \
  }
  PLIMSOLL_PLAIN_SECTIONS(PLIMSOLL_UPDATE)
#undef PLIMSOLL_UPDATE
#define PLIMSOLL_UPDATE(name, Name)                                              \
  {                                                                              \
    Keys& keys = touched[v1::HostFacts::k##Name##FieldNumber];                   \
    for (const auto& object : changed.name().name()) keys.insert(KeyOf(object)); \
    if (changed.has_##name() || !keys.empty()) {                                 \
      Section& section = sections_[v1::HostFacts::k##Name##FieldNumber];         \
      if (changed.has_##name()) {                                                \
        auto copy = changed.name();                                              \
        copy.clear_##name();                                                     \
        section.rest = Stable(copy);                                             \
      }                                                                          \
      for (const std::string& key : keys) {                                      \
        const auto* object = FindSorted(after.name().name(), key);               \
        if (object == nullptr) {                                                 \
          section.objects.erase(key);                                            \
        } else {                                                                 \
          section.objects[key] = ObjectDigest(*object);                          \
        }                                                                        \
      }                                                                          \
      section.Finish();                                                          \
    }                                                                            \
  }
  PLIMSOLL_KEYED_SECTIONS(PLIMSOLL_UPDATE)
#undef PLIMSOLL_UPDATE
}

#undef PLIMSOLL_PLAIN_SECTIONS
#undef PLIMSOLL_KEYED_SECTIONS

std::string FactsDigestTree::Digest() const {
  std::string bytes = head_;
  for (const auto& [number, section] : sections_) {
    absl::StrAppend(&bytes, number, kNul, section.digest);
  }
  return Sha256(bytes);
}

}  // namespace plimsoll::support
