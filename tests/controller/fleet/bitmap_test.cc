#include "controller/fleet/bitmap.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace plimsoll::fleet {
namespace {

TEST(BitmapTest, PlanesAreCountedAmongTheWanted) {
  std::mt19937_64 random(1);
  for (const size_t words : {0, 1, 3, 4, 17, 64}) {
    Bitmap among(words), first(words), second(words), third(words);
    for (size_t i = 0; i < words; ++i) {
      for (Bitmap* each : {&among, &first, &second, &third}) each->data()[i] = random();
    }
    PlaneCounts expected;
    among.ForEach([&](Slot slot) {
      expected.first += first.Test(slot);
      expected.second += second.Test(slot);
      expected.both += first.Test(slot) && second.Test(slot);
      expected.third += third.Test(slot);
    });
    const PlaneCounts counts =
        CountPlanes(among.data(), first.data(), second.data(), third.data(), words);
    EXPECT_EQ(counts.first, expected.first) << words;
    EXPECT_EQ(counts.second, expected.second) << words;
    EXPECT_EQ(counts.both, expected.both) << words;
    EXPECT_EQ(counts.third, expected.third) << words;
  }
}

// Grows through the bound between list and bitmap, and shrinks back, more than once.
TEST(SlotSetTest, IsASetWhateverItsForm) {
  std::mt19937 random(2);
  SlotSet set;
  std::set<Slot> expected;
  for (int round = 0; round < 60000; ++round) {
    const bool growing = (round / 15000) % 2 == 0;
    const Slot slot = random() % 9000;
    if (random() % 10 < (growing ? 9u : 1u)) {
      set.Add(slot);
      expected.insert(slot);
    } else {
      set.Remove(slot);
      expected.erase(slot);
    }
    if (round % 1000 != 0) continue;
    ASSERT_EQ(set.size(), expected.size()) << round;
    std::vector<Slot> visited;
    set.ForEach([&visited](Slot each) { visited.push_back(each); });
    ASSERT_EQ(visited, std::vector<Slot>(expected.begin(), expected.end())) << round;
    Bitmap bitmap(9000 / 64 + 1);
    set.AddTo(bitmap);
    ASSERT_EQ(bitmap.Count(), static_cast<int64_t>(expected.size()));
  }
}

}  // namespace
}  // namespace plimsoll::fleet
