#include "controller/api/paging.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace plimsoll::api {
namespace {

using Parts = std::vector<std::string>;

TEST(PageSize, HasADefaultAndLimits) {
  EXPECT_EQ(*PageSize(0), 100);
  EXPECT_EQ(*PageSize(1), 1);
  EXPECT_EQ(*PageSize(1000), 1000);
  for (const int wrong : {-1, 1001, INT32_MAX, INT32_MIN}) {
    const absl::Status status = PageSize(wrong).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong;
    EXPECT_NE(status.message().find("1 to 1000"), absl::string_view::npos) << status;
  }
}

TEST(PageToken, ComesBackAsItWas) {
  for (const Parts& parts : {Parts{"web-1", "h-1"}, Parts{"", "h-1"}, Parts{"a b/ü", ""},
                             Parts{"\xff\xfe", "\n"}, Parts{"only"}}) {
    const std::string token = EncodePageToken(parts);
    EXPECT_FALSE(token.empty());
    EXPECT_EQ(token.find_first_of("+/ \n"), std::string::npos) << token;
    const auto decoded = DecodePageToken(token, parts.size());
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, parts);
  }
}

TEST(PageToken, IsEmptyWhereThereIsNoPosition) {
  EXPECT_EQ(EncodePageToken({"", ""}), "");
  EXPECT_EQ(EncodePageToken({""}), "");
  EXPECT_EQ(*DecodePageToken("", 2), Parts({"", ""}));
}

TEST(PageToken, RefusesWhatItDidNotMake) {
  for (const std::string& token :
       {std::string("!"), std::string("not base64 at all"), EncodePageToken({"one"}),
        EncodePageToken({"one", "two", "three"}), std::string(5000, 'A'),
        absl::WebSafeBase64Escape(std::string(8000, '\0'))}) {
    EXPECT_TRUE(absl::IsInvalidArgument(DecodePageToken(token, 2).status())) << token;
  }
}

}  // namespace
}  // namespace plimsoll::api
