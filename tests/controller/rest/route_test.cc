#include "controller/rest/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "tests/controller/rest/fake_api.h"

namespace plimsoll::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() { api_.AddTo(table_); }
  absl::StatusOr<RouteMatch> Find(const std::string& verb, const std::string& path) {
    allowed_.clear();
    return Router(table_, {{"GET", "/docs", "", "", nullptr},
                           {"GET", "/", "", "", nullptr},
                           {"POST", "/v1/hosts/special", "", "", nullptr}})
        .Find(verb, absl::StrSplit(path, '/', absl::SkipEmpty()), allowed_);
  }
  FakeApi api_;
  api::MethodTable table_{support::Clock::Real()};
  std::string allowed_;
};

TEST_F(RouterTest, FindsMethodsPagesAndVariables) {
  EXPECT_EQ(Find("GET", "v1/hosts")->method->path, "/v1/hosts");
  EXPECT_EQ(Find("HEAD", "v1/hosts")->method->path, "/v1/hosts");
  const auto match = Find("GET", "v1/hosts/web 1/report");
  ASSERT_TRUE(match.ok());
  EXPECT_THAT(match->variables, ElementsAre(Pair("host", "web 1")));
  EXPECT_EQ(Find("DELETE", "v1/hosts/h")->method->verb, "DELETE");
  EXPECT_THAT(Find("PUT", "v1/schedules/s")->variables, ElementsAre(Pair("schedule.id", "s")));
  EXPECT_TRUE(Find("GET", "docs").ok());
  EXPECT_TRUE(Find("GET", "").ok());
  // A fixed part is preferred.
  EXPECT_TRUE(Find("POST", "v1/hosts/special").ok());
}

TEST_F(RouterTest, SaysWhatIsMissing) {
  EXPECT_TRUE(absl::IsNotFound(Find("GET", "v1").status()));
  EXPECT_TRUE(absl::IsNotFound(Find("GET", "v1/nosuch").status()));
  EXPECT_TRUE(absl::IsNotFound(Find("GET", "v1/hosts/h/report/x").status()));
  EXPECT_TRUE(absl::IsUnimplemented(Find("POST", "v1/hosts/h").status()));
  EXPECT_EQ(allowed_, "DELETE, GET");
}

TEST_F(RouterTest, TwoRoutesOfOneShapeAreABug) {
  EXPECT_DEATH(Router(table_, {{"GET", "/v1/hosts", "", "", nullptr}}), "");
}

}  // namespace
}  // namespace plimsoll::rest
