#include "collector/sources/text.h"

#include <gtest/gtest.h>

#include <string>

namespace plimsoll::sources {
namespace {

TEST(CleanText, ReplacesWhatIsNotUtf8) {
  const struct {
    std::string in, out;
  } kCases[] = {
      {"plain", "plain"},
      {"gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F"},
      {"\xF0\x9F\x90\xB3", "\xF0\x9F\x90\xB3"},
      {"a\xFFz", "a\xEF\xBF\xBDz"},
      {std::string("a\0z", 3), "a\xEF\xBF\xBDz"},
      {"\xC3", "\xEF\xBF\xBD"},
      {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
  };
  for (const auto& c : kCases) EXPECT_EQ(CleanText(c.in), c.out) << c.in;
}

TEST(CleanText, CutsBetweenCharacters) {
  EXPECT_EQ(CleanText(std::string(300, 'x')).size(), 255u);
  EXPECT_EQ(CleanText("ab\xC3\xBC", 3), "ab");
  EXPECT_EQ(CleanText("ab\xC3\xBC", 4), "ab\xC3\xBC");
}

TEST(StripUserInfo, LeavesNoCredentials) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const struct {
    std::string in, out;
  } kCases[] = {
      {"bb:1", "bb:1"},
      {"registry:5000/team/app:1", "registry:5000/team/app:1"},
      {"user:pw@registry/app", "registry/app"},
      {"https://user:p@w/x@registry/app", "registry/app"},
      {"app@" + digest, "app@" + digest},
      {"user:pw@registry/app@" + digest, "registry/app@" + digest},
      {"user@sha256:short", "sha256:short"},
      {"@" + digest, "@" + digest},
      {"", ""},
  };
  for (const auto& c : kCases) EXPECT_EQ(std::string(StripUserInfo(c.in)), c.out) << c.in;
}

TEST(CleanPath, IsLexical) {
  const struct {
    std::string in, out;
  } kCases[] = {
      {"/etc/", "/etc"}, {"/srv/../etc", "/etc"}, {"//a//./b", "/a/b"},
      {"/", "/"},        {"/../../x", "/x"},      {"rel/../x", "rel/../x"},
      {"", ""},
  };
  for (const auto& c : kCases) EXPECT_EQ(CleanPath(c.in), c.out) << c.in;
}

}  // namespace
}  // namespace plimsoll::sources
