// Which hosts carry which labels.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "controller/fleet/bitmap.h"
#include "controller/fleet/selector.h"

namespace plimsoll::fleet {

// Sets of slots by label. Not thread-safe while it changes.
class LabelTable {
 public:
  using LabelId = uint32_t;
  // Hosts by value, in the order of values.
  using Values = std::map<std::string, LabelId, std::less<>>;

  // The host carries the label now. The id means this label while any host carries it.
  LabelId Add(Slot slot, const std::string& key, const std::string& value);
  void Remove(Slot slot, LabelId label);

  const std::string& key(LabelId label) const { return *labels_[label].key; }
  const std::string& value(LabelId label) const { return *labels_[label].value; }
  const SlotSet& hosts(LabelId label) const { return labels_[label].hosts; }
  // Null: no host has such a label.
  const Values* ValuesOf(absl::string_view key) const;

  // Leaves in `among` those the selector means.
  void Filter(const Selector& selector, Bitmap& among) const;

 private:
  struct Label {
    // Borrow from keys_.
    const std::string* key = nullptr;
    const std::string* value = nullptr;
    SlotSet hosts;
  };
  std::map<std::string, Values, std::less<>> keys_;
  std::vector<Label> labels_;
  std::vector<LabelId> free_;
};

}  // namespace plimsoll::fleet
