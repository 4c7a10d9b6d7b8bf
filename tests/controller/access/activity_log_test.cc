#include "controller/access/activity_log.h"

#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "controller/store/store.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::access {
namespace {

class ActivityLogTest : public ::testing::Test {
 protected:
  v1::Activity By(const std::string& who, const std::string& peer = "") {
    store::Principal principal;
    principal.token_id = who;
    principal.name = who;
    principal.peer = peer;
    return ActivityBy(principal, "HostService.ListHosts", "", absl::PermissionDeniedError("no"));
  }
  std::vector<v1::Activity> All() {
    EXPECT_TRUE(log_->Flush(absl::Seconds(30)));
    auto entries = store_->activity().List({.limit = 1000});
    EXPECT_TRUE(entries.ok()) << entries.status();
    return entries.ok() ? *std::move(entries) : std::vector<v1::Activity>();
  }

  support::FakeClock clock_{absl::FromUnixSeconds(1800000000)};
  const std::string url_ = plimsoll::testing::FreshDatabase();
  std::unique_ptr<store::Store> store_ = *store::Store::Open({.url = url_, .pool_size = 4});
  std::unique_ptr<ActivityLog> log_ = std::make_unique<ActivityLog>(store_->activity(), clock_);
};

TEST_F(ActivityLogTest, WhatWasRecordedIsThere) {
  ASSERT_TRUE(log_->Record(By("ann")).ok());
  const auto entries = store_->activity().List({});
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().actor_name(), "ann");
  EXPECT_EQ(entries->front().actor_kind(), v1::Activity::TOKEN);
  EXPECT_EQ(entries->front().outcome(), "PERMISSION_DENIED");
  EXPECT_EQ(entries->front().message(), "no");
  EXPECT_EQ(entries->front().time().seconds(), 1800000000);
}

TEST_F(ActivityLogTest, ManyThreadsMakeOneChain) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      for (int k = 0; k < 25; ++k) {
        EXPECT_TRUE(log_->Record(By(absl::StrCat("user-", i))).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto entries = All();
  ASSERT_EQ(entries.size(), 200u);
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].sequence(), static_cast<int64_t>(200 - i));
    if (i > 0) {
      EXPECT_EQ(entries[i - 1].previous_hash(), entries[i].hash());
    }
  }
}

TEST_F(ActivityLogTest, AFloodIsCountedNotWritten) {
  for (int i = 0; i < 500; ++i) log_->Note(By("flood"));
  log_->Note(By("other"));
  EXPECT_EQ(All().size(), 21u);
  clock_.Advance(absl::Minutes(2));
  log_->Sweep();
  const auto entries = All();
  ASSERT_EQ(entries.size(), 22u);
  EXPECT_EQ(entries[0].actor_name(), "flood");
  EXPECT_TRUE(absl::StartsWith(entries[0].message(), "480 more were left out"))
      << entries[0].message();
  // And it starts anew.
  log_->Note(By("flood"));
  EXPECT_EQ(All().size(), 23u);
}

TEST_F(ActivityLogTest, NobodyIsCountedByAddress) {
  store::Principal nobody;
  nobody.kind = store::CallerKind::kNobody;
  for (int i = 0; i < 60; ++i) {
    nobody.peer = absl::StrCat("10.0.0.", i % 2);
    log_->Note(ActivityBy(nobody, "SessionService.SignIn", "", absl::UnauthenticatedError("no")));
  }
  EXPECT_EQ(All().size(), 40u);
}

TEST_F(ActivityLogTest, WhatWasNotedIsWrittenBeforeItEnds) {
  for (int i = 0; i < 30; ++i) log_->Note(By("ann"));
  log_.reset();
  const auto entries = store_->activity().List({});
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(entries->size(), 21u);
  EXPECT_TRUE(absl::StartsWith(entries->front().message(), "10 more were left out"));
}

TEST_F(ActivityLogTest, WhoRecordsDoesNotWaitBehindWhatCannotBeWritten) {
  const std::string database = pqxx::connection(url_).dbname();
  pqxx::connection server(absl::StrReplaceAll(url_, {{"dbname=" + database, "dbname=postgres"}}));
  const auto allow = [&](const char* connections) {
    pqxx::nontransaction(server).exec("ALTER DATABASE " + database + " ALLOW_CONNECTIONS " +
                                      connections);
  };
  allow("false");
  pqxx::nontransaction(server).exec(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '" + database +
      "'");
  // More than are written at a time.
  for (int i = 0; i < 300; ++i) log_->Note(By(absl::StrCat("user-", i)));
  const absl::Status status = log_->Record(By("ann"));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  allow("true");
  // What was noted comes, what was refused does not.
  const auto entries = All();
  EXPECT_EQ(entries.size(), 300u);
  for (const v1::Activity& entry : entries) EXPECT_NE(entry.actor_name(), "ann");
}

}  // namespace
}  // namespace plimsoll::access
