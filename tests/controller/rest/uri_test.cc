#include "controller/rest/uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace plimsoll::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ParseTarget, TakesPathAndQueryApart) {
  const auto target = ParseTarget("/v1/hosts/web%2D1%20x?page_size=5&labels.env=a%26b&q=a+b&flag");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_THAT(target->segments, ElementsAre("v1", "hosts", "web-1 x"));
  EXPECT_THAT(target->query, ElementsAre(Pair("page_size", "5"), Pair("labels.env", "a&b"),
                                         Pair("q", "a b"), Pair("flag", "")));
  EXPECT_THAT(ParseTarget("/")->segments, IsEmpty());
}

// A slash in a name stays inside its part: nothing is reached by spelling a path otherwise.
TEST(ParseTarget, AnEncodedSlashDivides_Nothing) {
  EXPECT_THAT(ParseTarget("/v1/hosts/a%2Fb")->segments, ElementsAre("v1", "hosts", "a/b"));
}

TEST(ParseTarget, RefusesWhatIsNoPath) {
  for (const char* target : {"",
                             "v1/hosts",
                             "http://x/v1",
                             "*",
                             "//x/y",
                             "/v1//hosts",
                             "/v1/./hosts",
                             "/v1/../hosts",
                             "/v1/%2e%2e/hosts",
                             "/v1/%2E",
                             "/v1/",
                             "/v1/%",
                             "/v1/%zz",
                             "/v1/a%00b",
                             "/v1/%ff",
                             "/v1/%c0%af",
                             "/v1/%ed%a0%80",
                             "/v1?a=%00",
                             "/v1?a=%80",
                             "/v1#x",
                             "/v1/a b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseTarget(target).status())) << target;
  }
  std::string many = "/v1?";
  for (int i = 0; i < 101; ++i) absl::StrAppend(&many, "a", i, "=1&");
  EXPECT_FALSE(ParseTarget(many).ok());
}

}  // namespace
}  // namespace plimsoll::rest
