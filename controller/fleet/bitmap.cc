#include "controller/fleet/bitmap.h"

#include <algorithm>

namespace plimsoll::fleet {
namespace {

// A list of this many slots is as large as a bitmap of 130,000.
constexpr size_t kLargestSparse = 4096;

// Inlined into functions that differ in the instructions they may use.
__attribute__((always_inline)) inline PlaneCounts CountAll(const uint64_t* among,
                                                           const uint64_t* first,
                                                           const uint64_t* second,
                                                           const uint64_t* third, size_t words) {
  PlaneCounts counts;
  for (size_t i = 0; i < words; ++i) {
    const uint64_t wanted = among[i];
    const uint64_t a = first[i] & wanted;
    const uint64_t b = second[i] & wanted;
    counts.first += __builtin_popcountll(a);
    counts.second += __builtin_popcountll(b);
    counts.both += __builtin_popcountll(a & b);
    counts.third += __builtin_popcountll(third[i] & wanted);
  }
  return counts;
}

using Counter = PlaneCounts (*)(const uint64_t*, const uint64_t*, const uint64_t*, const uint64_t*,
                                size_t);

PlaneCounts CountPortable(const uint64_t* among, const uint64_t* first, const uint64_t* second,
                          const uint64_t* third, size_t words) {
  return CountAll(among, first, second, third, words);
}

#if defined(__x86_64__)
__attribute__((target("popcnt"))) PlaneCounts CountPopcnt(const uint64_t* among,
                                                          const uint64_t* first,
                                                          const uint64_t* second,
                                                          const uint64_t* third, size_t words) {
  return CountAll(among, first, second, third, words);
}
Counter Choose() { return __builtin_cpu_supports("popcnt") ? &CountPopcnt : &CountPortable; }
#else
Counter Choose() { return &CountPortable; }
#endif

}  // namespace

void Bitmap::And(const Bitmap& other) {
  for (size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
}

void Bitmap::AndNot(const Bitmap& other) {
  for (size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
}

void Bitmap::Or(const Bitmap& other) {
  for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
}

int64_t Bitmap::Count() const {
  int64_t count = 0;
  for (const uint64_t word : words_) count += __builtin_popcountll(word);
  return count;
}

bool Bitmap::Empty() const {
  return std::all_of(words_.begin(), words_.end(), [](uint64_t word) { return word == 0; });
}

void SlotSet::Add(Slot slot) {
  if (dense_.words() == 0) {
    const auto at = std::lower_bound(sparse_.begin(), sparse_.end(), slot);
    if (at != sparse_.end() && *at == slot) return;
    sparse_.insert(at, slot);
    ++size_;
    if (sparse_.size() <= kLargestSparse) return;
    dense_.Resize(sparse_.back() / 64 + 1);
    for (const Slot each : sparse_) dense_.Set(each);
    sparse_ = {};
    return;
  }
  if (slot / 64 >= dense_.words()) dense_.Resize(slot / 64 + 1);
  size_ += dense_.Test(slot) ? 0 : 1;
  dense_.Set(slot);
}

void SlotSet::Remove(Slot slot) {
  if (dense_.words() == 0) {
    const auto at = std::lower_bound(sparse_.begin(), sparse_.end(), slot);
    if (at == sparse_.end() || *at != slot) return;
    sparse_.erase(at);
    --size_;
    return;
  }
  if (slot / 64 >= dense_.words() || !dense_.Test(slot)) return;
  dense_.Clear(slot);
  // Half of the bound, so that a set at the bound does not go to and fro.
  if (--size_ > kLargestSparse / 2) return;
  sparse_.reserve(size_);
  dense_.ForEach([this](Slot each) { sparse_.push_back(each); });
  dense_ = Bitmap();
}

void SlotSet::AddTo(Bitmap& to) const {
  for (size_t i = 0; i < dense_.words(); ++i) to.data()[i] |= dense_.data()[i];
  for (const Slot slot : sparse_) to.Set(slot);
}

PlaneCounts CountPlanes(const uint64_t* among, const uint64_t* first, const uint64_t* second,
                        const uint64_t* third, size_t words) {
  static const Counter counter = Choose();
  return counter(among, first, second, third, words);
}

}  // namespace plimsoll::fleet
