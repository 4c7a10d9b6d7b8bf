#include "controller/access/sign_in_throttle.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/field_errors.h"

namespace plimsoll::access {
namespace {

class SignInThrottleTest : public ::testing::Test {
 protected:
  // Fails as soon as it may, `times` times; returns how long that took.
  absl::Duration Guess(const std::string& name, const std::string& peer, int times) {
    const absl::Time begin = now_;
    for (int i = 0; i < times;) {
      if (throttle_.Admit(name, peer, now_).ok()) {
        throttle_.Failed(name, peer, now_);
        ++i;
      } else {
        now_ += absl::Seconds(1);
      }
    }
    return now_ - begin;
  }
  bool May(const std::string& name, const std::string& peer) {
    return throttle_.Admit(name, peer, now_).ok();
  }
  SignInThrottle throttle_;
  absl::Time now_ = absl::FromUnixSeconds(1800000000);
};

TEST_F(SignInThrottleTest, TheDelayGrowsAndHasABound) {
  EXPECT_EQ(Guess("ann", "10.0.0.1", 5), absl::ZeroDuration());
  const absl::Status status = throttle_.Admit("ann", "10.0.0.1", now_);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "in 1 s")) << status;
  EXPECT_EQ(support::RetryOf(status), absl::Seconds(1));
  EXPECT_EQ(Guess("ann", "10.0.0.1", 4), absl::Seconds(1 + 2 + 4 + 8));
  // A hundred guesses more take most of a day.
  EXPECT_GT(Guess("ann", "10.0.0.1", 100), absl::Hours(20));
  EXPECT_FALSE(May("ann", "10.0.0.1"));
  now_ += absl::Minutes(15);
  EXPECT_TRUE(May("ann", "10.0.0.1"));
}

TEST_F(SignInThrottleTest, OthersAreNotKeptWaiting) {
  Guess("ann", "10.0.0.1", 6);
  EXPECT_FALSE(May("ann", "10.0.0.1"));
  EXPECT_TRUE(May("ann", "10.0.0.2"));
  EXPECT_TRUE(May("bob", "10.0.0.1"));
}

TEST_F(SignInThrottleTest, OneAddressCannotTryManyNames) {
  for (int i = 0; i < 21; ++i) {
    EXPECT_TRUE(May(absl::StrCat("user-", i), "10.0.0.1")) << i;
    throttle_.Failed(absl::StrCat("user-", i), "10.0.0.1", now_);
  }
  EXPECT_FALSE(May("another", "10.0.0.1"));
  EXPECT_TRUE(May("another", "10.0.0.2"));
}

// Behind one address sit those who guess and those who work: a NAT, a balancer.
TEST_F(SignInThrottleTest, AKnownUserDoesNotWaitForOthersAtTheSameAddress) {
  throttle_.Succeeded("ann", "10.0.0.1");
  for (int i = 0; i < 40; ++i) throttle_.Failed(absl::StrCat("user-", i), "10.0.0.1", now_);
  EXPECT_FALSE(May("bob", "10.0.0.1"));
  EXPECT_TRUE(May("ann", "10.0.0.1"));
  // Guesses at her own password count.
  for (int i = 0; i < 6; ++i) throttle_.Failed("ann", "10.0.0.1", now_);
  EXPECT_FALSE(May("ann", "10.0.0.1"));
}

TEST_F(SignInThrottleTest, IPv6AddressesCountByNetwork) {
  for (int i = 0; i < 21; ++i) {
    throttle_.Failed(absl::StrCat("user-", i), absl::StrCat("2001:db8::", i + 1), now_);
  }
  EXPECT_FALSE(May("another", "2001:db8::ffff"));
  EXPECT_TRUE(May("another", "2001:db8:1::1"));
  for (int i = 0; i < 21; ++i) throttle_.Failed(absl::StrCat("user-", i), "::ffff:10.0.0.1", now_);
  EXPECT_FALSE(May("another", "::ffff:10.0.0.1"));
  EXPECT_TRUE(May("another", "::ffff:10.0.0.2"));
}

// Guessing from everywhere delays strangers for half a minute at most, and the person from her own
// address not at all.
TEST_F(SignInThrottleTest, NobodyIsLockedOutByOthersGuesses) {
  throttle_.Succeeded("admin", "10.1.1.1");
  for (int i = 0; i < 200; ++i) {
    throttle_.Failed("admin", absl::StrCat("10.2.", i / 100, ".", i % 100), now_);
  }
  EXPECT_FALSE(May("admin", "10.3.3.3"));
  EXPECT_TRUE(May("admin", "10.1.1.1"));
  now_ += absl::Seconds(30);
  EXPECT_TRUE(May("admin", "10.3.3.3"));
}

TEST_F(SignInThrottleTest, SuccessResetAndTimeForget) {
  Guess("ann", "10.0.0.1", 6);
  throttle_.Succeeded("ann", "10.0.0.1");
  EXPECT_TRUE(May("ann", "10.0.0.1"));
  Guess("bob", "10.0.0.9", 6);
  throttle_.Forget("bob");
  EXPECT_TRUE(May("bob", "10.0.0.9"));
  Guess("cid", "10.0.0.3", 5);
  now_ += absl::Hours(2);
  EXPECT_EQ(Guess("cid", "10.0.0.3", 5), absl::ZeroDuration());
}

}  // namespace
}  // namespace plimsoll::access
