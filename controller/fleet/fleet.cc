#include "controller/fleet/fleet.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace plimsoll::fleet {
namespace {

// Without the database a host that seems silent is called stale all the same, this much later.
constexpr int64_t kLeastGrace = 60'000'000;
constexpr size_t kShownBytes = 256;

}  // namespace

uint64_t PolicyKeyOf(const store::HostState& state) {
  uint64_t key = state.verdicts.empty() ? 0 : state.verdicts.front().policy_key;
  for (const store::HostVerdicts& verdicts : state.verdicts) {
    if (verdicts.policy_key != key) key = 0;
  }
  return key;
}

Fleet::Fleet(const std::vector<v1::Baseline>& baselines, absl::Duration stale_after)
    : stale_after_(absl::ToInt64Microseconds(stale_after)) {
  for (const v1::Baseline& baseline : baselines) {
    baselines_.push_back(std::make_unique<BaselineColumns>(baseline));
  }
}

const BaselineColumns* Fleet::Find(const std::string& baseline_id) const {
  for (const auto& baseline : baselines_) {
    if (baseline->document().id() == baseline_id) return baseline.get();
  }
  return nullptr;
}

bool Fleet::AddDocument(const v1::Baseline& other) {
  for (const auto& baseline : baselines_) {
    if (baseline->document().id() != other.id()) continue;
    baseline->AddDocument(other);
    return true;
  }
  return false;
}

void Fleet::Set(const store::HostState& state, absl::Time read) {
  if (state.removed) return Remove(state.host.id());
  ++version_;
  const Slot slot = hosts_.Set(state);
  if (stale_.words() < hosts_.words()) {
    stale_.Resize(hosts_.words());
    read_.resize(hosts_.words() * 64, kNever);
    policy_keys_.resize(hosts_.words() * 64);
    for (const auto& baseline : baselines_) baseline->Resize(hosts_.words());
  }
  for (const auto& baseline : baselines_) {
    const auto verdicts = std::find_if(state.verdicts.begin(), state.verdicts.end(),
                                       [&](const store::HostVerdicts& each) {
                                         return each.baseline_id == baseline->document().id();
                                       });
    baseline->Set(slot, verdicts == state.verdicts.end() ? nullptr : &*verdicts);
  }
  read_[slot] = absl::ToUnixMicros(read);
  policy_keys_[slot] = PolicyKeyOf(state);
  stale_.Assign(slot, IsStale(slot, read_[slot]));
}

void Fleet::Remove(const std::string& host_id) {
  Slot slot = 0;
  if (!hosts_.Find(host_id, slot)) return;
  ++version_;
  for (const auto& baseline : baselines_) baseline->Set(slot, nullptr);
  stale_.Clear(slot);
  hosts_.Remove(slot);
}

void Fleet::Hear(const std::string& host_id, absl::Time time) {
  Slot slot = 0;
  if (!hosts_.Find(host_id, slot)) return;
  hosts_.Hear(slot, absl::ToUnixMicros(time));
  // It was heard of just now; whether it is stale by some other clock the tick will say.
  if (stale_.Test(slot)) {
    stale_.Clear(slot);
    ++version_;
  }
}

bool Fleet::IsStale(Slot slot, int64_t now) const {
  const int64_t age = now - hosts_.heard(slot);
  if (age <= stale_after_) return false;
  return read_[slot] >= hosts_.heard(slot) + stale_after_ ||
         age > stale_after_ + std::max(stale_after_ / 5, kLeastGrace);
}

std::vector<std::string> Fleet::Tick(absl::Time now, size_t limit,
                                     std::vector<std::string>* turned) {
  const int64_t micros = absl::ToUnixMicros(now);
  std::vector<std::string> silent;
  hosts_.present().ForEach([&](Slot slot) {
    const int64_t age = micros - hosts_.heard(slot);
    const bool stale = IsStale(slot, micros);
    if (stale != stale_.Test(slot)) {
      stale_.Assign(slot, stale);
      ++version_;
      if (turned != nullptr) turned->emplace_back(hosts_.id(slot));
    }
    // Ever more rarely for a host that is long gone.
    if (age > stale_after_ / 10 * 8 && micros - read_[slot] > std::max(stale_after_, age) / 10 &&
        silent.size() < limit) {
      silent.emplace_back(hosts_.id(slot));
    }
  });
  return silent;
}

Bitmap Fleet::Select(const Selection& selection) const {
  Bitmap selected(hosts_.words());
  if (selection.host_id.empty()) {
    selected = hosts_.present();
    selected.AndNot(hosts_.revoked());
  } else if (Slot slot = 0; hosts_.Find(selection.host_id, slot)) {
    selected.Set(slot);
  }
  hosts_.labels().Filter(selection.selector, selected);
  return selected;
}

Bitmap Fleet::Counted(const BaselineColumns& baseline, const Bitmap& selected) const {
  Bitmap counted = selected;
  if (counted.words() == 0) return counted;
  counted.And(baseline.reported());
  counted.AndNot(stale_);
  counted.AndNot(hosts_.quarantined());
  return counted;
}

v1::Host Fleet::Describe(Slot slot) const {
  v1::Host host = hosts_.Describe(slot);
  host.set_stale(stale_.Test(slot));
  for (const auto& baseline : baselines_) {
    if (!baseline->reported().Test(slot)) continue;
    AddTo(baseline->score(slot), (*host.mutable_counts())[baseline->document().id()]);
  }
  return host;
}

absl::StatusOr<Slot> Fleet::FindNamed(const std::string& id_or_name) const {
  Slot slot = 0;
  if (hosts_.Find(id_or_name, slot)) return slot;
  std::vector<Slot> named = hosts_.FindName(id_or_name);
  // A revoked host leaves its name to its successor.
  named.erase(std::remove_if(named.begin(), named.end(),
                             [this](Slot each) { return hosts_.revoked().Test(each); }),
              named.end());
  if (named.size() == 1) return named[0];
  const std::string shown = absl::CHexEscape(id_or_name.substr(0, kShownBytes));
  if (named.empty()) return absl::NotFoundError(absl::StrCat("no host \"", shown, "\""));
  named.resize(std::min<size_t>(named.size(), 20));
  return absl::FailedPreconditionError(absl::StrCat(
      "several hosts are named \"", shown,
      "\"; use an id: ", absl::StrJoin(named, ", ", [this](std::string* out, Slot each) {
        absl::StrAppend(out, std::string(hosts_.id(each)));
      })));
}

absl::StatusOr<std::vector<std::string>> Fleet::Resolve(const v1::HostSelector& selector,
                                                        const SavedSelectors& saved) const {
  const bool narrowed =
      !selector.hosts().empty() || !selector.labels().empty() || !selector.expression().empty();
  if (selector.all() == narrowed) {
    return absl::InvalidArgumentError(
        narrowed ? "selector: all hosts, or some; not both"
                 : "selector: selects no host; say all, hosts, labels or an expression");
  }
  Selection selection;
  auto parsed = SelectorOf({selector.labels().begin(), selector.labels().end()},
                           selector.expression(), saved);
  if (!parsed.ok()) return parsed.status();
  selection.selector = *std::move(parsed);
  Bitmap selected(hosts_.words());
  for (const std::string& name : selector.hosts()) {
    auto slot = FindNamed(name);
    if (!slot.ok()) return slot.status();
    selected.Set(*slot);
  }
  if (selector.hosts().empty()) {
    selected = Select(selection);
  } else {
    hosts_.labels().Filter(selection.selector, selected);
    selected.AndNot(hosts_.revoked());
  }
  std::vector<std::string> ids;
  selected.ForEach([&](Slot slot) { ids.emplace_back(hosts_.id(slot)); });
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace plimsoll::fleet
