#include "controller/fleet/label_table.h"

namespace plimsoll::fleet {

LabelTable::LabelId LabelTable::Add(Slot slot, const std::string& key, const std::string& value) {
  const auto named = keys_.try_emplace(key).first;
  const auto [valued, is_new] = named->second.try_emplace(value, 0);
  if (is_new) {
    if (free_.empty()) {
      valued->second = static_cast<LabelId>(labels_.size());
      labels_.emplace_back();
    } else {
      valued->second = free_.back();
      free_.pop_back();
    }
    labels_[valued->second].key = &named->first;
    labels_[valued->second].value = &valued->first;
  }
  labels_[valued->second].hosts.Add(slot);
  return valued->second;
}

void LabelTable::Remove(Slot slot, LabelId id) {
  Label& label = labels_[id];
  label.hosts.Remove(slot);
  if (label.hosts.size() > 0) return;
  const auto named = keys_.find(*label.key);
  named->second.erase(named->second.find(*label.value));
  if (named->second.empty()) keys_.erase(named);
  label = Label();
  free_.push_back(id);
}

const LabelTable::Values* LabelTable::ValuesOf(absl::string_view key) const {
  const auto named = keys_.find(std::string_view(key.data(), key.size()));
  return named == keys_.end() ? nullptr : &named->second;
}

void LabelTable::Filter(const Selector& selector, Bitmap& among) const {
  using Kind = Requirement::Kind;
  for (const Requirement& requirement : selector) {
    if (requirement.kind == Kind::kSaved) {
      // Nobody has looked it up: it means nobody.
      among = Bitmap(among.words());
      return;
    }
    Bitmap having(among.words());
    if (const Values* values = ValuesOf(requirement.key); values != nullptr) {
      if (requirement.values.empty()) {
        for (const auto& [value, label] : *values) labels_[label].hosts.AddTo(having);
      }
      for (const std::string& wanted : requirement.values) {
        const auto valued = values->find(wanted);
        if (valued != values->end()) labels_[valued->second].hosts.AddTo(having);
      }
    }
    if (requirement.kind == Kind::kIn || requirement.kind == Kind::kExists) {
      among.And(having);
    } else {
      among.AndNot(having);
    }
  }
}

}  // namespace plimsoll::fleet
