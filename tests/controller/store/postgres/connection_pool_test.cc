#include "controller/store/postgres/connection_pool.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::store {
namespace {

constexpr Statement kTable = {"test_table", "CREATE TABLE t (n integer PRIMARY KEY)"};
constexpr Statement kInsert = {"test_insert", "INSERT INTO t VALUES ($1)"};
constexpr Statement kUpdate = {"test_update", "UPDATE t SET n = n + 10 WHERE n = $1"};
constexpr Statement kCount = {"test_count", "SELECT count(*) FROM t"};
constexpr Statement kDivide = {"test_divide", "SELECT 1 / $1::integer"};
constexpr Statement kKillOthers = {
    "test_kill_others",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"};
constexpr Statement kSettings = {
    "test_settings",
    "SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),"
    " current_setting('idle_in_transaction_session_timeout'), current_setting('jit'),"
    " current_setting('client_min_messages'), current_setting('timezone'),"
    " current_setting('default_transaction_isolation'))"};
constexpr Statement kKillSelf = {"test_kill", "SELECT pg_terminate_backend(pg_backend_pid())"};

class ConnectionPoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    url_ = testing::FreshDatabase();
    auto pool = ConnectionPool::Open(url_, 2, absl::Milliseconds(50));
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
    ASSERT_TRUE(Run([](Transaction& tx) { tx.Exec(kTable); }).ok());
  }

  template <class F>
  absl::Status Run(F f) {
    return pool_->Transact("test", [&](Transaction& tx) {
      f(tx);
      return absl::OkStatus();
    });
  }

  int64_t Count() {
    return *pool_->Transact("count", [](Transaction& tx) -> absl::StatusOr<int64_t> {
      return tx.Exec(kCount)[0][0].as<int64_t>();
    });
  }

  std::string url_;
  std::unique_ptr<ConnectionPool> pool_;
};

TEST_F(ConnectionPoolTest, CommitsWhatSucceedsAndNothingElse) {
  ASSERT_TRUE(Run([](Transaction& tx) { tx.Exec(kInsert, 1); }).ok());
  EXPECT_EQ(Count(), 1);
  const absl::Status failed = pool_->Transact("test", [](Transaction& tx) -> absl::Status {
    tx.Exec(kInsert, 2);
    return absl::NotFoundError("no");
  });
  EXPECT_EQ(failed, absl::NotFoundError("no"));
  EXPECT_EQ(Count(), 1);
}

TEST_F(ConnectionPoolTest, MapsExceptions) {
  ASSERT_TRUE(Run([](Transaction& tx) { tx.Exec(kInsert, 1); }).ok());
  const absl::Status unique = Run([](Transaction& tx) { tx.Exec(kInsert, 1); });
  EXPECT_TRUE(absl::IsAlreadyExists(unique)) << unique;
  // The detail, which quotes the value, is left out.
  EXPECT_EQ(unique.message().find("(1)"), absl::string_view::npos) << unique;
  EXPECT_TRUE(absl::IsInternal(Run([](Transaction& tx) { tx.Exec(kDivide, 0); })));
  EXPECT_TRUE(absl::IsUnavailable(Run([](Transaction& tx) { tx.Exec(kKillSelf); })));
  EXPECT_TRUE(absl::IsInternal(Run([](Transaction&) { throw 1; })));
  EXPECT_EQ(Count(), 1);
}

TEST_F(ConnectionPoolTest, SettingsOutliveARestartOfTheServer) {
  const auto settings = [this] {
    return *pool_->Transact("test", [](Transaction& tx) -> absl::StatusOr<std::string> {
      return tx.Exec(kSettings)[0][0].as<std::string>();
    });
  };
  const std::string kExpected = "1min 20s 1min off warning UTC read committed";
  EXPECT_EQ(settings(), kExpected);
  // The connection lies idle while somebody ends it.
  auto other = ConnectionPool::Open(url_, 1);
  ASSERT_TRUE(other.ok()) << other.status();
  int64_t others = 1;
  // Each time it says how many there were.
  while (others > 0) {
    const auto killed = (*other)->Transact(
        "end the others",
        [](Transaction& tx) -> absl::StatusOr<int64_t> { return tx.Exec(kKillOthers).size(); });
    ASSERT_TRUE(killed.ok()) << killed.status();
    others = *killed;
  }
  EXPECT_EQ(settings(), kExpected);
}

TEST_F(ConnectionPoolTest, DeadlockIsAborted) {
  ASSERT_TRUE(Run([](Transaction& tx) { tx.Exec(kInsert, 1), tx.Exec(kInsert, 2); }).ok());
  absl::Notification first_has, second_has;
  absl::Status first;
  std::thread thread([&] {
    first = Run([&](Transaction& tx) {
      tx.Exec(kUpdate, 1);
      first_has.Notify();
      second_has.WaitForNotification();
      tx.Exec(kUpdate, 2);
    });
  });
  const absl::Status second = Run([&](Transaction& tx) {
    tx.Exec(kUpdate, 2);
    second_has.Notify();
    first_has.WaitForNotification();
    tx.Exec(kUpdate, 1);
  });
  thread.join();
  EXPECT_TRUE(absl::IsAborted(first) != absl::IsAborted(second)) << first << second;
  EXPECT_TRUE(first.ok() != second.ok()) << first << second;
}

TEST_F(ConnectionPoolTest, SaysWhenAllConnectionsAreBusy) {
  absl::Status third;
  const absl::Status first = Run([&](Transaction&) {
    EXPECT_TRUE(Run([&](Transaction&) { third = Run([](Transaction&) {}); }).ok());
  });
  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsUnavailable(third)) << third;
  EXPECT_TRUE(Run([](Transaction&) {}).ok());
}

}  // namespace
}  // namespace plimsoll::store
