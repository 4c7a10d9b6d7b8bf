#include "collector/tracker/scope_queue.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace plimsoll::tracker {
namespace {

using sources::Scope;

const absl::Time kStart = absl::FromUnixSeconds(1800000000);

Scope Container(const std::string& id) {
  Scope scope;
  scope.containers.insert(id);
  return scope;
}

Scope Flag(bool Scope::*flag) {
  Scope scope;
  scope.*flag = true;
  return scope;
}

TEST(ScopeQueue, TheFirstChangeAfterASilenceIsDueAtOnce) {
  ScopeQueue queue({});
  EXPECT_EQ(queue.NextDue(), absl::InfiniteFuture());
  queue.Add(Container("a"), kStart);
  EXPECT_EQ(queue.NextDue(), kStart);
  EXPECT_EQ(queue.Take(kStart), Container("a"));
  EXPECT_EQ(queue.NextDue(), absl::InfiniteFuture());
  EXPECT_TRUE(queue.Take(kStart + absl::Hours(1)).empty());
  queue.Add(Container("a"), kStart + absl::Hours(1));
  EXPECT_EQ(queue.NextDue(), kStart + absl::Hours(1));
}

TEST(ScopeQueue, WhatFollowsWithinTheQuietComesTogether) {
  ScopeQueue queue({});
  queue.Add(Container("a"), kStart);
  queue.Take(kStart);
  const absl::Time soon = kStart + absl::Milliseconds(1);
  queue.Add(Container("b"), soon);
  queue.Add(Container("c"), soon + absl::Milliseconds(2));
  queue.Add(Flag(&Scope::networks), soon + absl::Milliseconds(3));
  EXPECT_EQ(queue.NextDue(), kStart + absl::Milliseconds(20));
  EXPECT_TRUE(queue.Take(kStart + absl::Milliseconds(19)).empty());
  const Scope scope = queue.Take(kStart + absl::Milliseconds(20));
  EXPECT_EQ(scope.containers, (std::set<std::string>{"b", "c"}));
  EXPECT_TRUE(scope.networks);
}

TEST(ScopeQueue, TwoHundredContainersAtOnceAreFewScopes) {
  ScopeQueue queue({});
  int scopes = 0;
  std::set<std::string> named;
  absl::Time now = kStart;
  // Five events each, one every 2 ms: two seconds.
  for (int event = 0; event < 1000; ++event, now += absl::Milliseconds(2)) {
    queue.Add(Container(absl::StrCat("c", event / 5)), now);
    if (queue.NextDue() > now) continue;
    named.merge(queue.Take(now).containers);
    ++scopes;
  }
  now += absl::Seconds(1);
  named.merge(queue.Take(now).containers);
  EXPECT_EQ(named.size(), 200u);
  EXPECT_LE(scopes, 16);
  EXPECT_EQ(queue.NextDue(), absl::InfiniteFuture());
}

TEST(ScopeQueue, ABurstHoldsACreatedContainerUpForTheQuietOnly) {
  ScopeQueue queue({});
  absl::Time now = kStart;
  for (int i = 0; i < 500; ++i, now += absl::Milliseconds(2)) {
    queue.Add(Container(absl::StrCat("c", i)), now);
    if (queue.NextDue() <= now) queue.Take(now);
  }
  queue.Take(now = queue.NextDue());
  now += absl::Milliseconds(1);
  queue.Add(Container("busy"), now);
  EXPECT_GT(queue.NextDue(), now + absl::Milliseconds(100));
  queue.Add(Container("new"), now, true);
  EXPECT_EQ(queue.NextDue(), now + absl::Milliseconds(19));
  EXPECT_EQ(queue.Take(queue.NextDue()), Container("new"));
}

TEST(ScopeQueue, NothingSlowGoesWithWhatIsUrgent) {
  ScopeQueue queue({});
  queue.Add(Flag(&Scope::daemon), kStart);
  queue.Add(Flag(&Scope::volumes), kStart);
  queue.Add(Container("running"), kStart);
  queue.Add(Container("new"), kStart, true);
  const Scope first = queue.Take(kStart);
  EXPECT_EQ(first.containers, (std::set<std::string>{"new", "running"}));
  EXPECT_TRUE(first.volumes);
  EXPECT_FALSE(first.daemon);
  EXPECT_EQ(queue.NextDue(), kStart);
  EXPECT_EQ(queue.Take(kStart), Flag(&Scope::daemon));
}

TEST(ScopeQueue, AFlappingContainerIsHeldBackAndItsLastStateIsSeen) {
  ScopeQueue queue({});
  absl::Time now = kStart;
  std::vector<absl::Time> looks;
  // Ten minutes of an event every 50 ms, ending between two looks.
  const absl::Time end = kStart + absl::Minutes(10) + absl::Seconds(3);
  for (; now < end; now += absl::Milliseconds(50)) {
    queue.Add(Container("flaps"), now);
    if (queue.Take(now).containers.contains("flaps")) looks.push_back(now);
  }
  for (size_t i = 0; i + 20 < looks.size(); ++i) {
    EXPECT_GT(looks[i + 20] - looks[i], absl::Seconds(59)) << i;
  }
  EXPECT_GE(looks.size(), 100u);
  // After the last change it is named once more, soon, and others are not held up by it.
  queue.Add(Container("calm"), now);
  EXPECT_LE(queue.NextDue(), now + absl::Milliseconds(200));
  EXPECT_EQ(queue.Take(now + absl::Milliseconds(200)), Container("calm"));
  ASSERT_LE(queue.NextDue(), now + absl::Seconds(7));
  EXPECT_EQ(queue.Take(queue.NextDue()), Container("flaps"));
  EXPECT_EQ(queue.NextDue(), absl::InfiniteFuture());
}

TEST(ScopeQueue, EverythingTakesWhatIsPendingAlong) {
  ScopeQueue queue({});
  queue.Add(Container("a"), kStart);
  queue.Take(kStart);
  queue.Add(Container("b"), kStart + absl::Milliseconds(1));
  queue.Add(Flag(&Scope::all), kStart + absl::Milliseconds(1));
  EXPECT_TRUE(queue.Take(kStart + absl::Milliseconds(30)).all);
  EXPECT_EQ(queue.NextDue(), absl::InfiniteFuture());
}

TEST(ScopeQueue, TooManyObjectsBecomeTheirList) {
  ScopeQueue::Options options;
  options.max_pending = 100;
  ScopeQueue queue(options);
  for (int i = 0; i < 200; ++i) queue.Add(Container(absl::StrCat("c", i)), kStart);
  const Scope scope = queue.Take(kStart);
  EXPECT_TRUE(scope.container_list);
  EXPECT_LE(scope.containers.size(), 100u);
  EXPECT_EQ(queue.NextDue(), absl::InfiniteFuture());
}

TEST(ScopeQueue, AClockPutBackDelaysNothing) {
  ScopeQueue queue({});
  queue.Add(Container("a"), kStart);
  queue.Take(kStart);
  queue.Add(Container("b"), kStart + absl::Milliseconds(1));
  const absl::Time before = kStart - absl::Hours(3);
  queue.Add(Container("c"), before);
  EXPECT_EQ(queue.NextDue(), before);
  EXPECT_EQ(queue.Take(before).containers, (std::set<std::string>{"b", "c"}));
}

}  // namespace
}  // namespace plimsoll::tracker
