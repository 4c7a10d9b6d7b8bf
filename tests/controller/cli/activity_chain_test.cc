#include "controller/cli/activity_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/activity_hash.h"

namespace plimsoll::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A good chain of ten entries, oldest first, which each test damages.
struct Chain {
  Chain() {
    std::string previous = support::kNoActivityHash;
    for (int i = 1; i <= 10; ++i) {
      v1::Activity& entry = entries.emplace_back();
      entry.set_sequence(i);
      entry.mutable_time()->set_seconds(1800000000 + i);
      entry.set_action("UserService.CreateUser");
      entry.set_object(absl::StrCat("users/u-", i));
      entry.set_previous_hash(previous);
      entry.set_hash(support::ActivityHash(entry));
      previous = entry.hash();
    }
    head.set_sequence(10);
    head.set_hash(previous);
    head.set_dropped_hash(support::kNoActivityHash);
  }
  // The entry of a row.
  v1::Activity& At(int row) { return entries[row - 1]; }
  // Chains row `from` and all after it anew, as somebody with the database may.
  void Rehash(int from) {
    for (size_t i = from - 1; i < entries.size(); ++i) {
      if (i > 0) entries[i].set_previous_hash(entries[i - 1].hash());
      entries[i].set_hash(support::ActivityHash(entries[i]));
    }
  }
  std::vector<std::string> Check(std::vector<NotedHead> noted = {}) const {
    ActivityChain chain(head, std::move(noted));
    for (auto it = entries.rbegin(); it != entries.rend(); ++it) chain.Take(*it);
    chain.Finish();
    return chain.problems();
  }
  std::vector<v1::Activity> entries;
  v1::ActivityHead head;
};

TEST(ActivityChainTest, AWholeChainHasNoProblems) {
  Chain chain;
  EXPECT_THAT(chain.Check(), IsEmpty());
  EXPECT_THAT(chain.Check({{4, chain.At(4).hash()}, {10, chain.At(10).hash()}}), IsEmpty());
  Chain none;
  none.entries.clear();
  none.head.set_sequence(0);
  none.head.set_hash(support::kNoActivityHash);
  EXPECT_THAT(none.Check(), IsEmpty());
}

TEST(ActivityChainTest, AnAlteredRowIsNamed) {
  for (int row = 1; row <= 10; ++row) {
    Chain chain;
    chain.At(row).set_object("users/u-x");
    EXPECT_THAT(chain.Check(), ElementsAre(HasSubstr(absl::StrCat("row ", row, " was altered"))));
    // With its own hash made to fit, the next row, or the end, gives it away.
    chain.At(row).set_hash(support::ActivityHash(chain.At(row)));
    const auto problems = chain.Check();
    ASSERT_FALSE(problems.empty()) << row;
    EXPECT_THAT(problems[0], HasSubstr(absl::StrCat("row ", row, " was replaced")));
  }
}

TEST(ActivityChainTest, ARemovedRowIsNamed) {
  for (int row = 1; row <= 10; ++row) {
    Chain chain;
    chain.entries.erase(chain.entries.begin() + row - 1);
    EXPECT_THAT(chain.Check(), ElementsAre(HasSubstr(absl::StrCat("row ", row, " is missing"))));
  }
  Chain chain;
  chain.entries.erase(chain.entries.begin() + 3, chain.entries.begin() + 6);
  EXPECT_THAT(chain.Check(), ElementsAre(HasSubstr("rows 4 to 6 are missing")));
  chain.entries.clear();
  EXPECT_THAT(chain.Check(), ElementsAre(HasSubstr("rows 1 to 10 are missing")));
}

TEST(ActivityChainTest, AnInsertedRowIsFound) {
  Chain chain;
  v1::Activity inserted = chain.At(5);
  inserted.set_action("UserService.DeleteUser");
  inserted.set_hash(support::ActivityHash(inserted));
  chain.entries.insert(chain.entries.begin() + 4, inserted);
  EXPECT_FALSE(chain.Check().empty());
}

// Somebody with the database writes everything anew from a row on, the controller's end included.
TEST(ActivityChainTest, OnlyANotedHeadTellsARewrittenTail) {
  Chain chain;
  const NotedHead noted{9, chain.At(9).hash()};
  chain.At(8).set_object("users/u-x");
  chain.Rehash(8);
  chain.head.set_hash(chain.At(10).hash());
  EXPECT_THAT(chain.Check(), IsEmpty());
  EXPECT_THAT(chain.Check({noted}), ElementsAre(HasSubstr("row 9 is not the one")));
}

TEST(ActivityChainTest, OnlyANotedHeadTellsACutOffTail) {
  Chain chain;
  const NotedHead noted{9, chain.At(9).hash()};
  chain.entries.resize(8);
  EXPECT_THAT(chain.Check(), ElementsAre(HasSubstr("rows 9 to 10 are missing at the end")));
  chain.head.set_sequence(8);
  chain.head.set_hash(chain.At(8).hash());
  EXPECT_THAT(chain.Check(), IsEmpty());
  EXPECT_THAT(chain.Check({noted}), ElementsAre(HasSubstr("the log was cut off")));
}

TEST(ActivityChainTest, WhatRetentionDroppedIsNotMissed) {
  Chain chain;
  const NotedHead early{2, chain.At(2).hash()};
  const NotedHead last{4, chain.At(4).hash()};
  chain.head.set_dropped_sequence(4);
  chain.head.set_dropped_hash(chain.At(4).hash());
  chain.entries.erase(chain.entries.begin(), chain.entries.begin() + 4);
  EXPECT_THAT(chain.Check({last}), IsEmpty());
  EXPECT_THAT(chain.Check({early}), ElementsAre(HasSubstr("dropped by retention")));
  chain.head.set_dropped_hash(std::string(64, 'b'));
  EXPECT_THAT(chain.Check(), ElementsAre(HasSubstr("row 5 does not follow")));
}

TEST(ActivityChainTest, RowsThatComeMeanwhileAreNoProblem) {
  Chain chain;
  chain.head.set_sequence(8);
  chain.head.set_hash(chain.At(8).hash());
  EXPECT_THAT(chain.Check(), IsEmpty());
}

TEST(ActivityChainTest, HeadsAreRead) {
  const std::string hash(64, 'A');
  const auto head = ParseHead("12:" + hash);
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->sequence, 12);
  EXPECT_EQ(head->hash, std::string(64, 'a'));
  for (const std::string& bad : {std::string(""), hash, "0:" + hash, "x:" + hash,
                                 "1:" + hash.substr(1), "1:" + std::string(64, 'g')}) {
    EXPECT_FALSE(ParseHead(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace plimsoll::cli
