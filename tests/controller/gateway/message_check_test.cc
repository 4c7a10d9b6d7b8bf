#include "controller/gateway/message_check.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include "tests/support/sample_facts.h"

namespace plimsoll::gateway {
namespace {

absl::Status Check(const std::string& bytes, int64_t limit) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return CheckDecodedSize(stream, limit);
}

v1::FromCollector Snapshot(const v1::HostFacts& facts) {
  v1::FromCollector message;
  *message.mutable_facts_delta()->mutable_changed() = facts;
  return message;
}

TEST(MessageCheckTest, TheEstimateIsAboutTheTruthForRealHosts) {
  for (const int containers : {0, 1, 50, 500}) {
    const v1::FromCollector message =
        Snapshot(plimsoll::testing::SampleHost(containers, plimsoll::testing::Habit::kUsual));
    const std::string bytes = message.SerializeAsString();
    // What is decoded takes what it takes; the estimate stays within half and twice of it.
    v1::FromCollector decoded;
    ASSERT_TRUE(decoded.ParseFromString(bytes));
    const auto used = static_cast<int64_t>(decoded.SpaceUsedLong());
    EXPECT_TRUE(Check(bytes, used * 2).ok()) << containers;
    EXPECT_TRUE(absl::IsResourceExhausted(Check(bytes, used / 2))) << containers;
    // Far below what a session allows for (16 times the length and some).
    EXPECT_LT(used, static_cast<int64_t>(bytes.size()) * 8) << containers;
  }
}

TEST(MessageCheckTest, AFewBytesMayNotAskForMuchMemory) {
  v1::HostFacts facts;
  for (int i = 0; i < 100'000; ++i) facts.mutable_containers()->add_containers();
  const std::string bytes = Snapshot(facts).SerializeAsString();
  EXPECT_LT(bytes.size(), 210'000u);
  const absl::Status status = Check(bytes, static_cast<int64_t>(bytes.size()) * 16);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

TEST(MessageCheckTest, GarbageIsNoMessage) {
  EXPECT_TRUE(Check("", 1000).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Check("garbage", 1000)));
  EXPECT_TRUE(absl::IsInvalidArgument(Check(std::string(100, '\xff'), 100'000)));
  const std::string group = "\x0b\x0c";
  EXPECT_TRUE(absl::IsInvalidArgument(Check(group, 1000)));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep = std::string("\x12") + static_cast<char>(deep.size()) + deep;
  EXPECT_FALSE(Check(deep, 10'000).ok() && deep.size() > 200);
}

TEST(MessageCheckTest, CountsObjectsBySection) {
  v1::HostFacts facts;
  for (int i = 0; i < 3; ++i) facts.mutable_volumes()->add_volumes();
  EXPECT_TRUE(CheckObjectCounts(facts, 3).ok());
  EXPECT_TRUE(CheckObjectCounts(facts, 0).ok()) << "no limit";
  const absl::Status status = CheckObjectCounts(facts, 2);
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(status.message(), ::testing::HasSubstr("volumes"));
}

TEST(MessageCheckTest, SortsAndKeepsTheLastOfAKey) {
  v1::HostFacts facts;
  const struct {
    const char* id;
    const char* name;
  } given[] = {{"b", "1"}, {"a", "2"}, {"b", "3"}, {"c", "4"}, {"a", "5"}};
  for (const auto& g : given) {
    v1::Container& container = *facts.mutable_containers()->add_containers();
    container.set_id(g.id);
    container.set_name(g.name);
  }
  SortKeyedSections(facts);
  std::string text;
  for (const auto& c : facts.containers().containers()) text += c.id() + c.name() + " ";
  EXPECT_EQ(text, "a5 b3 c4 ");
  EXPECT_FALSE(facts.has_files());
}

TEST(MessageCheckTest, ScanIdsAreIds) {
  google::protobuf::RepeatedPtrField<std::string> ids;
  *ids.Add() = "s-0123456789abcdef";
  EXPECT_TRUE(CheckScanIds(ids).ok());
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a\0b", 3), std::string(200, 'x')}) {
    google::protobuf::RepeatedPtrField<std::string> one;
    *one.Add() = bad;
    EXPECT_TRUE(absl::IsInvalidArgument(CheckScanIds(one))) << bad;
  }
  for (int i = 0; i < 300; ++i) *ids.Add() = "s";
  EXPECT_TRUE(absl::IsInvalidArgument(CheckScanIds(ids)));
}

TEST(MessageCheckTest, TextIsCutBetweenCharacters) {
  EXPECT_EQ(CleanText("web-1", 255), "web-1");
  EXPECT_EQ(CleanText(absl::string_view("a\0b\n\x1b[31mc", 10), 255), "ab[31mc");
  EXPECT_EQ(CleanText("ääää", 5), "ää");
  EXPECT_EQ(CleanText("ääää", 4), "ää");
  EXPECT_EQ(CleanText("\xf0\x9f\x90\xb3", 3), "");
}

}  // namespace
}  // namespace plimsoll::gateway
