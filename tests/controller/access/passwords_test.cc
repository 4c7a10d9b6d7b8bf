#include "controller/access/passwords.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::access {
namespace {

TEST(PasswordsTest, AHashIsArgon2idAndFitsItsPasswordOnly) {
  PasswordHasher hasher(PasswordCost::kLeast);
  const auto hash = hasher.Hash("correct horse battery");
  ASSERT_TRUE(hash.ok()) << hash.status();
  EXPECT_TRUE(absl::StartsWith(*hash, "$argon2id$")) << *hash;
  EXPECT_FALSE(absl::StrContains(*hash, "horse"));
  EXPECT_NE(hasher.Hash("correct horse battery").value(), *hash);
  EXPECT_TRUE(hasher.Verify(*hash, "correct horse battery").value());
  EXPECT_FALSE(hasher.Verify(*hash, "correct horse batterz").value());
  EXPECT_FALSE(hasher.Verify(*hash, "").value());
  EXPECT_FALSE(hasher.Verify("", "correct horse battery").value());
  EXPECT_FALSE(hasher.Verify("not a hash", "not a hash").value());
}

TEST(PasswordsTest, WhatIsStoredByDefaultTakesMemory) {
  const auto hash = PasswordHasher().Hash("correct horse battery");
  ASSERT_TRUE(hash.ok()) << hash.status();
  EXPECT_TRUE(absl::StrContains(*hash, "m=65536,t=2,")) << *hash;
}

TEST(PasswordsTest, ManyAtOnceAreRefusedNotQueued) {
  PasswordHasher hasher;
  std::atomic<int> done = 0;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 32; ++i) {
    threads.emplace_back([&] {
      const auto fits = hasher.Verify("", "a guess");
      ++(fits.ok() ? done : refused);
      if (!fits.ok()) {
        EXPECT_TRUE(absl::IsResourceExhausted(fits.status())) << fits.status();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(done, 2);
  EXPECT_GE(refused, 1);
  // Afterwards there is room again.
  EXPECT_TRUE(hasher.Verify("", "a guess").ok());
}

TEST(PasswordsTest, BoundsOfAPassword) {
  EXPECT_TRUE(CheckPassword("p", "ann", "twelve bytes").ok());
  EXPECT_TRUE(CheckPassword("p", "ann", "zw\xc3\xb6lf Zeichen").ok());
  for (const std::string& bad :
       {std::string("eleven byte"), std::string(1025, 'x'), std::string("twelve\0bytes", 12),
        std::string("invalid \xff utf-8"), std::string("cut off here \xc3"),
        std::string("Long.User.Name")}) {
    const absl::Status status = CheckPassword("new_password", "long.user.name", bad);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bad;
    EXPECT_TRUE(absl::StartsWith(status.message(), "new_password: ")) << status;
    EXPECT_FALSE(absl::StrContains(status.message(), bad)) << status;
  }
}

TEST(PasswordsTest, OneTimePasswordsDifferAndAreGoodEnough) {
  std::set<std::string> all;
  for (int i = 0; i < 100; ++i) {
    const std::string password = OneTimePassword();
    EXPECT_TRUE(CheckPassword("p", "admin", password).ok()) << password;
    EXPECT_EQ(password.find_first_of("01ilo"), std::string::npos) << password;
    all.insert(password);
  }
  EXPECT_EQ(all.size(), 100u);
}

}  // namespace
}  // namespace plimsoll::access
