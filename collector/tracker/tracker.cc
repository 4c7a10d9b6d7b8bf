#include "collector/tracker/tracker.h"

#include <algorithm>
#include <utility>

#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"

namespace plimsoll::tracker {
namespace {

using support::KeyOf;

// Compares messages without volatile fields; equal bytes settle most comparisons without a copy.
class Comparer {
 public:
  template <class Message>
  bool Same(const Message& a, const Message& b) {
    a.SerializeToString(&bytes_of_a_);
    b.SerializeToString(&bytes_of_b_);
    if (bytes_of_a_ == bytes_of_b_) return true;
    Message stable_a = a;
    Message stable_b = b;
    support::ClearVolatileOutcomes(stable_a);
    support::ClearVolatileOutcomes(stable_b);
    return support::SerializeStable(stable_a) == support::SerializeStable(stable_b);
  }

 private:
  std::string bytes_of_a_;
  std::string bytes_of_b_;
};

template <class List>
void SortByKey(List* list) {
  const auto in_order = [](const auto& a, const auto& b) { return KeyOf(a) >= KeyOf(b); };
  if (std::adjacent_find(list->begin(), list->end(), in_order) == list->end()) return;
  std::stable_sort(list->pointer_begin(), list->pointer_end(),
                   [](const auto* a, const auto* b) { return KeyOf(*a) < KeyOf(*b); });
  int kept = 0;
  for (int i = 0; i < list->size(); ++i) {
    if (i + 1 < list->size() && KeyOf(list->Get(i)) == KeyOf(list->Get(i + 1))) continue;
    list->SwapElements(kept++, i);
  }
  list->DeleteSubrange(kept, list->size() - kept);
}

// Takes the objects out of a keyed section for as long as it lives, so that the rest can be looked
// at and copied alone.
template <class List>
class WithoutObjects {
 public:
  explicit WithoutObjects(List* list) : list_(list) { list_->Swap(&objects_); }
  ~WithoutObjects() { list_->Swap(&objects_); }
  WithoutObjects(const WithoutObjects&) = delete;
  WithoutObjects& operator=(const WithoutObjects&) = delete;
  const List& objects() const { return objects_; }

 private:
  List* const list_;
  List objects_;
};

// Walks two lists sorted by key side by side: `gone(key)`, `changed(object)`.
template <class List, class Gone, class Changed>
void Walk(const List& was, const List& is, Comparer& comparer, Gone gone, Changed changed) {
  auto old = was.begin();
  auto now = is.begin();
  while (old != was.end() || now != is.end()) {
    if (now == is.end() || (old != was.end() && KeyOf(*old) < KeyOf(*now))) {
      gone(KeyOf(*old++));
    } else if (old == was.end() || KeyOf(*now) < KeyOf(*old)) {
      changed(*now++);
    } else {
      if (!comparer.Same(*old, *now)) changed(*now);
      ++old;
      ++now;
    }
  }
}

bool SameHead(const v1::HostFacts& a, const v1::HostFacts& b) {
  if (a.collector_version() != b.collector_version()) return false;
  if (a.labels_size() != b.labels_size()) return false;
  return std::all_of(a.labels().begin(), a.labels().end(), [&](const auto& label) {
    const auto other = b.labels().find(label.first);
    return other != b.labels().end() && other->second == label.second;
  });
}

#define PLIMSOLL_PLAIN_SECTIONS(X) \
  X(machine)                       \
  X(engine)                        \
  X(daemon)                        \
  X(units)                         \
  X(audit)                         \
  X(mounts)                        \
  X(users)                         \
  X(swarm)                         \
  X(listeners)
#define PLIMSOLL_KEYED_SECTIONS(X) \
  X(files, Files)                  \
  X(images, Images)                \
  X(containers, Containers)        \
  X(volumes, Volumes)              \
  X(networks, Networks)

bool LostSection(const v1::HostFacts& was, const v1::HostFacts& now) {
#define PLIMSOLL_LOST(name, ...) \
  if (was.has_##name() && !now.has_##name()) return true;
  PLIMSOLL_PLAIN_SECTIONS(PLIMSOLL_LOST)
  PLIMSOLL_KEYED_SECTIONS(PLIMSOLL_LOST)
#undef PLIMSOLL_LOST
  return false;
}

// Fills `delta` with what differs between the sections; false: nothing does. The lists of both lose
// their objects for a moment.
bool Compare(v1::HostFacts& was, v1::HostFacts& now, v1::FactsDelta& delta) {
  Comparer comparer;
  v1::HostFacts& changed = *delta.mutable_changed();
  bool differs = false;
#define PLIMSOLL_COMPARE(name)                                                             \
  if (now.has_##name() && (!was.has_##name() || !comparer.Same(was.name(), now.name()))) { \
    *changed.mutable_##name() = now.name();                                                \
    differs = true;                                                                        \
  }
  PLIMSOLL_PLAIN_SECTIONS(PLIMSOLL_COMPARE)
#undef PLIMSOLL_COMPARE
#define PLIMSOLL_COMPARE(name, Name)                                                  \
  if (now.has_##name()) {                                                             \
    const bool is_new = !was.has_##name();                                            \
    v1::Name##Facts nothing;                                                          \
    v1::Name##Facts* const before = is_new ? &nothing : was.mutable_##name();         \
    const WithoutObjects old_rest(before->mutable_##name());                          \
    const WithoutObjects new_rest(now.mutable_##name()->mutable_##name());            \
    v1::Name##Facts section;                                                          \
    Walk(                                                                             \
        old_rest.objects(), new_rest.objects(), comparer,                             \
        [&](const std::string& key) {                                                 \
          v1::Removal& removal = *delta.add_removals();                               \
          removal.set_section(v1::HostFacts::k##Name##FieldNumber);                   \
          removal.set_key(key);                                                       \
          differs = true;                                                             \
        },                                                                            \
        [&](const auto& object) { *section.add_##name() = object; });                 \
    if (is_new || section.name##_size() > 0 || !comparer.Same(*before, now.name())) { \
      v1::Name##Facts& sent = *changed.mutable_##name();                              \
      sent = now.name();                                                              \
      sent.mutable_##name()->Swap(section.mutable_##name());                          \
      differs = true;                                                                 \
    }                                                                                 \
  }
  PLIMSOLL_KEYED_SECTIONS(PLIMSOLL_COMPARE)
#undef PLIMSOLL_COMPARE
  return differs;
}

}  // namespace

Tracker::Tracker(v1::HostFacts facts) : facts_(std::move(facts)) {
  SortKeyedLists(facts_);
  tree_ = support::FactsDigestTree(facts_);
  digest_ = tree_.Digest();
}

std::optional<v1::FactsDelta> Tracker::Update(v1::HostFacts& now) {
  SortKeyedLists(now);
  if (empty() || LostSection(facts_, now)) return Replace(now);
  v1::FactsDelta delta;
  const bool same_head = SameHead(facts_, now);
  if (!Compare(facts_, now, delta) && same_head) return std::nullopt;
  delta.mutable_changed()->set_collector_version(now.collector_version());
  *delta.mutable_changed()->mutable_labels() = now.labels();
  *delta.mutable_observed_time() = now.observed_time();
  delta.set_base_digest(digest_);
  if (!support::ApplyDelta(delta, facts_).ok()) return Replace(now);
  tree_.Apply(delta, facts_);
  digest_ = tree_.Digest();
  delta.set_new_digest(digest_);
  return delta;
}

v1::FactsDelta Tracker::Replace(const v1::HostFacts& now) {
  facts_ = now;
  tree_ = support::FactsDigestTree(facts_);
  digest_ = tree_.Digest();
  v1::FactsDelta delta;
  delta.set_new_digest(digest_);
  *delta.mutable_observed_time() = now.observed_time();
  *delta.mutable_changed() = now;
  return delta;
}

void SortKeyedLists(v1::HostFacts& facts) {
#define PLIMSOLL_SORT(name, Name) \
  if (facts.has_##name()) SortByKey(facts.mutable_##name()->mutable_##name());
  PLIMSOLL_KEYED_SECTIONS(PLIMSOLL_SORT)
#undef PLIMSOLL_SORT
}

#undef PLIMSOLL_PLAIN_SECTIONS
#undef PLIMSOLL_KEYED_SECTIONS

}  // namespace plimsoll::tracker
