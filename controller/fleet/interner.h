// Texts that many hosts share, kept once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace plimsoll::fleet {

// Numbers for texts, counted by use. Not thread-safe while it changes.
class Interner {
 public:
  // Number of `text`; each call is a use of its own.
  uint32_t Add(absl::string_view text) {
    const auto known = numbers_.find(text);
    if (known != numbers_.end()) {
      ++entries_[known->second]->uses;
      return known->second;
    }
    uint32_t number = static_cast<uint32_t>(entries_.size());
    if (free_.empty()) {
      entries_.emplace_back();
    } else {
      number = free_.back();
      free_.pop_back();
    }
    entries_[number] = std::make_unique<Entry>(Entry{std::string(text), 1});
    numbers_.emplace(entries_[number]->text, number);
    return number;
  }

  // Ends one use; the number of a text without any may come to mean another.
  void Release(uint32_t number) {
    if (--entries_[number]->uses > 0) return;
    numbers_.erase(entries_[number]->text);
    entries_[number].reset();
    free_.push_back(number);
  }

  // Lives as long as a use of it.
  const std::string& operator[](uint32_t number) const { return entries_[number]->text; }
  // Texts in use.
  size_t size() const { return numbers_.size(); }

 private:
  struct Entry {
    std::string text;
    uint64_t uses;
  };
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<uint32_t> free_;
  // Keys borrow from entries_.
  absl::flat_hash_map<absl::string_view, uint32_t> numbers_;
};

}  // namespace plimsoll::fleet
