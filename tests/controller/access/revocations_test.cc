#include "controller/access/revocations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace plimsoll::access {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST(RevocationsTest, TellsEveryListenerUntilItIsRemoved) {
  Revocations revocations;
  std::vector<std::string> heard;
  const int first = revocations.Add([&](const std::string& id) { heard.push_back("1 " + id); });
  revocations.Add([&](const std::string& id) { heard.push_back("2 " + id); });
  revocations.Announce("h1");
  EXPECT_THAT(heard, UnorderedElementsAre("1 h1", "2 h1"));
  heard.clear();
  revocations.Remove(first);
  revocations.Remove(first);
  revocations.Announce("h2");
  EXPECT_THAT(heard, ElementsAre("2 h2"));
}

TEST(RevocationsTest, AListenerMayCallBack) {
  Revocations revocations;
  int calls = 0;
  int handle = 0;
  handle = revocations.Add([&](const std::string&) {
    ++calls;
    revocations.Remove(handle);
  });
  revocations.Announce("h1");
  revocations.Announce("h1");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace plimsoll::access
