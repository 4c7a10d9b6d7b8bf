#include "controller/store/postgres/sql_values.h"

#include <gtest/gtest.h>

namespace plimsoll::store {
namespace {

TEST(SqlValuesTest, TextIsAlwaysUtf8WithoutNul) {
  const std::string bad = "\xEF\xBF\xBD";
  const struct {
    std::string in;
    std::string out;
  } cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\xB3", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\xB3"},
      {std::string("a\0b", 3), "a" + bad + "b"},
      {"\xFFx", bad + "x"},
      {"\xC3", bad},
      {"\xC0\x80", bad + bad},
      {"\xE0\x80\x80", bad + bad + bad},
      {"\xED\xA0\x80", bad + bad + bad},
      {"\xF4\x90\x80\x80", bad + bad + bad + bad},
      {"\xF0\x9F\x90", bad + bad + bad},
  };
  for (const auto& c : cases) EXPECT_EQ(Text(c.in), c.out);
}

TEST(SqlValuesTest, TextIsCutAtACharacter) {
  EXPECT_EQ(Text("\xC3\xA4\xC3\xA4", 3), "\xC3\xA4");
  EXPECT_EQ(Text("abc", 3), "abc");
  EXPECT_EQ(Text("abcd", 3), "abc");
}

TEST(SqlValuesTest, Arrays) {
  EXPECT_EQ(TextArray({}), "{}");
  EXPECT_EQ(TextArray({"a", "", "NULL", "x\"},{\\"}), R"({"a","","NULL","x\"},{\\"})");
  EXPECT_EQ(IntArray({1, -2}), "{1,-2}");
}

TEST(SqlValuesTest, TimesStayWithinWhatPostgresKeeps) {
  EXPECT_EQ(Time(absl::UnixEpoch() + absl::Microseconds(1)), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(Time(absl::InfinitePast()), "0001-01-01T00:00:00.000000Z");
  EXPECT_EQ(Time(absl::InfiniteFuture()), "9999-12-31T00:00:00.000000Z");
}

TEST(SqlValuesTest, TimestampsBeforeTheEpoch) {
  const auto proto = TimestampOf(absl::FromUnixMicros(-1));
  EXPECT_EQ(proto.seconds(), -1);
  EXPECT_EQ(proto.nanos(), 999999000);
  EXPECT_EQ(TimeOf(proto), absl::FromUnixMicros(-1));
}

}  // namespace
}  // namespace plimsoll::store
