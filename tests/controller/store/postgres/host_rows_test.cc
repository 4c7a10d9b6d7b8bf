#include "controller/store/postgres/host_rows.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "controller/store/postgres/report_rows.h"

namespace plimsoll::store {
namespace {

std::map<std::string, std::string> Labels(absl::string_view json) {
  google::protobuf::Map<std::string, std::string> labels;
  ParseLabels(json, labels);
  return {labels.begin(), labels.end()};
}

TEST(HostRowsTest, LabelsAsPostgresWritesThem) {
  using Map = std::map<std::string, std::string>;
  EXPECT_EQ(Labels("{}"), Map());
  EXPECT_EQ(Labels(R"({"a": "b"})"), (Map{{"a", "b"}}));
  EXPECT_EQ(Labels(R"({"": "", "k\"\\/": "\b\f\n\r\t\u0001", "x": "}, \"y\": \""})"),
            (Map{{"", ""}, {"k\"\\/", "\b\f\n\r\t\x01"}, {"x", "}, \"y\": \""}}));
  // Cut off or of another kind: what was read before.
  for (const char* bad : {"", "{", "{\"a", "{\"a\": 1}", "{\"a\": \"b", "{\"a\": \"\\u12\"}",
                          "{\"a\": \"\\", "null", "[]"}) {
    EXPECT_EQ(Labels(bad), Map()) << bad;
  }
}

TEST(ReportRowsTest, TimesArePackedAsDifferences) {
  const int64_t now = 1700000000000000;
  std::vector<int64_t> times(73, now);
  times[3] = now - 5;
  times[9] = 0;
  times[10] = -7;
  EXPECT_EQ(UnpackTimes(PackTimes(times)), times);
  EXPECT_LT(PackTimes(times).size(), 140u);
  EXPECT_TRUE(UnpackTimes(PackTimes({})).empty());
  EXPECT_TRUE(UnpackTimes("\xFF").empty());
}

}  // namespace
}  // namespace plimsoll::store
