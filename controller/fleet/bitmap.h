// Sets of host slots: dense for arithmetic, sparse where few hosts are meant.
#pragma once

#include <stddef.h>

#include <cstdint>
#include <vector>

namespace plimsoll::fleet {

// Place of a host in the columns; used again after the host is gone.
using Slot = uint32_t;

// A dense set of slots. Combining takes bitmaps of equal size. Not thread-safe while it changes.
class Bitmap {
 public:
  Bitmap() = default;
  // Holds slots below `words` * 64; empty.
  explicit Bitmap(size_t words) : words_(words) {}

  // Grows or shrinks; new slots are not in the set.
  void Resize(size_t words) { words_.resize(words); }
  size_t words() const { return words_.size(); }
  const uint64_t* data() const { return words_.data(); }
  uint64_t* data() { return words_.data(); }

  void Set(Slot slot) { words_[slot / 64] |= uint64_t{1} << (slot % 64); }
  void Clear(Slot slot) { words_[slot / 64] &= ~(uint64_t{1} << (slot % 64)); }
  void Assign(Slot slot, bool in) { in ? Set(slot) : Clear(slot); }
  bool Test(Slot slot) const { return (words_[slot / 64] >> (slot % 64)) & 1; }

  void And(const Bitmap& other);
  void AndNot(const Bitmap& other);
  void Or(const Bitmap& other);
  // Number of slots in the set.
  int64_t Count() const;
  bool Empty() const;

  // Calls `visit(slot)` in ascending order.
  template <class Visit>
  void ForEach(Visit visit) const {
    for (size_t i = 0; i < words_.size(); ++i) {
      for (uint64_t left = words_[i]; left != 0; left &= left - 1) {
        visit(static_cast<Slot>(i * 64 + __builtin_ctzll(left)));
      }
    }
  }

 private:
  std::vector<uint64_t> words_;
};

// A set that costs what it holds: few slots as a sorted list, many as a bitmap.
class SlotSet {
 public:
  // Nothing happens when the slot is in already, or is not.
  void Add(Slot slot);
  void Remove(Slot slot);
  size_t size() const { return size_; }
  // Adds the set to `to`, which has room for every slot.
  void AddTo(Bitmap& to) const;

  // Calls `visit(slot)` in ascending order.
  template <class Visit>
  void ForEach(Visit visit) const {
    if (dense_.words() > 0) return dense_.ForEach(visit);
    for (const Slot slot : sparse_) visit(slot);
  }

 private:
  // One of the two is empty.
  std::vector<Slot> sparse_;
  Bitmap dense_;
  size_t size_ = 0;
};

// How many of `among` are in three planes and in the first two at once.
struct PlaneCounts {
  int64_t first = 0;
  int64_t second = 0;
  int64_t both = 0;
  int64_t third = 0;
};

// The inner loop of every summary: reads each plane once. All of `words` words. Uses the machine's
// instruction for counting bits where it has one.
PlaneCounts CountPlanes(const uint64_t* among, const uint64_t* first, const uint64_t* second,
                        const uint64_t* third, size_t words);

}  // namespace plimsoll::fleet
