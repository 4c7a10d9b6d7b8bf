#include "controller/evaluate/checks/version_number.h"

#include <gtest/gtest.h>

namespace plimsoll::evaluate {
namespace {

TEST(VersionNumber, ReadsWhatEnginesPrint) {
  struct Row {
    const char* text;
    int major, minor, patch;
    const char* suffix;
    bool vendor;
  };
  for (const Row& row :
       {Row{"20.10.24+dfsg1", 20, 10, 24, "+dfsg1", true},
        Row{"19.03.15-ce", 19, 3, 15, "-ce", false}, Row{"v24.0.7", 24, 0, 7, "", false},
        Row{"24.0.5~ubuntu1", 24, 0, 5, "~ubuntu1", true},
        Row{"18.09.1-ee-2", 18, 9, 1, "-ee-2", false}, Row{"24.0", 24, 0, 0, "", false}}) {
    const auto version = ParseVersion(row.text);
    ASSERT_TRUE(version.has_value()) << row.text;
    EXPECT_EQ(version->major, row.major) << row.text;
    EXPECT_EQ(version->minor, row.minor) << row.text;
    EXPECT_EQ(version->patch, row.patch) << row.text;
    EXPECT_EQ(version->suffix, row.suffix) << row.text;
    EXPECT_EQ(version->is_vendor_build(), row.vendor) << row.text;
  }
}

TEST(VersionNumber, RefusesWhatIsNone) {
  for (const char* text : {"", "v", "24", "dev", "24.", "a.b.c", "24.0.", "24.x.1", ".1.2",
                           "99999999999999999999.0.0", "1.99999999999.0"}) {
    EXPECT_FALSE(ParseVersion(text).has_value()) << text;
  }
}

TEST(VersionNumber, ComparesNumericallyByComponent) {
  const char* const ascending[] = {"17.12.1-ce",     "19.03.15",       "20.10.9",
                                   "20.10.24+dfsg1", "23.0.0-alpha.9", "23.0.0-beta.1",
                                   "23.0.0-rc.1",    "23.0.0-rc.2",    "23.0.0-rc10",
                                   "23.0.0",         "23.0.1"};
  for (size_t i = 0; i + 1 < std::size(ascending); ++i) {
    EXPECT_LT(*ParseVersion(ascending[i]), *ParseVersion(ascending[i + 1]))
        << ascending[i] << " " << ascending[i + 1];
  }
  EXPECT_EQ(*ParseVersion("20.10.24+dfsg1"), *ParseVersion("v20.10.24"));
}

TEST(VersionNumber, BranchesAreNumbers) {
  EXPECT_TRUE(ParseVersion("19.03.15")->is_of_branch("19.03"));
  EXPECT_TRUE(ParseVersion("20.10.24+dfsg1")->is_of_branch("20.10"));
  EXPECT_FALSE(ParseVersion("20.10.24")->is_of_branch("20.1"));
  EXPECT_FALSE(ParseVersion("20.10.24")->is_of_branch("twenty"));
}

TEST(VersionNumber, KnowsDevelopmentBuilds) {
  EXPECT_TRUE(ParseVersion("0.0.0-dev")->is_development());
  EXPECT_TRUE(ParseVersion("27.0.0-master.20240101")->is_development());
  EXPECT_FALSE(ParseVersion("27.0.0-rc.1")->is_development());
}

TEST(VersionNumber, AtLeast) {
  EXPECT_EQ(VersionAtLeast("20.10.0", 20, 10), std::optional<bool>(true));
  EXPECT_EQ(VersionAtLeast("20.9.9", 20, 10), std::optional<bool>(false));
  EXPECT_EQ(VersionAtLeast("100.0.0", 20, 10), std::optional<bool>(true));
  EXPECT_EQ(VersionAtLeast("?", 20, 10), std::nullopt);
}

}  // namespace
}  // namespace plimsoll::evaluate
