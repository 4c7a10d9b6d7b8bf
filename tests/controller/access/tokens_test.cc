#include "controller/access/tokens.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"

namespace plimsoll::access {
namespace {

TEST(TokensTest, SecretsAre256RandomBitsBehindTheirPrefix) {
  std::set<std::string> secrets;
  for (const absl::string_view prefix : {kEnrollmentPrefix, kApiTokenPrefix, kSessionPrefix}) {
    for (int i = 0; i < 50; ++i) {
      const std::string secret = NewSecret(prefix);
      ASSERT_TRUE(absl::StartsWith(secret, prefix)) << secret;
      std::string bytes;
      ASSERT_TRUE(absl::WebSafeBase64Unescape(secret.substr(4), &bytes)) << secret;
      EXPECT_EQ(bytes.size(), 32u);
      EXPECT_EQ(secret.find('='), std::string::npos);
      secrets.insert(secret);
    }
  }
  EXPECT_EQ(secrets.size(), 150u);
}

TEST(TokensTest, TheHashIsBlake2b256) {
  // `printf abc | b2sum -l 256`
  EXPECT_EQ(HashSecret("abc"), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  EXPECT_EQ(HashSecret(""), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

}  // namespace
}  // namespace plimsoll::access
