#include "controller/store/store.h"

#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::store {
namespace {

TEST(StoreTest, OpensAnEmptyDatabaseAndOpensItAgain) {
  const std::string url = testing::FreshDatabase();
  for (int i = 0; i < 2; ++i) {
    auto store = Store::Open({.url = url});
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_TRUE((*store)->Ping().ok());
  }
}

TEST(StoreTest, ControllersThatStartTogetherMigrateOnce) {
  const std::string url = testing::FreshDatabase();
  std::vector<absl::Status> statuses(4);
  std::vector<std::thread> threads;
  for (absl::Status& status : statuses) {
    threads.emplace_back([&] { status = Store::Open({.url = url}).status(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
}

TEST(StoreTest, RefusesANewerSchema) {
  const std::string url = testing::FreshDatabase();
  ASSERT_TRUE(Store::Open({.url = url}).ok());
  pqxx::connection connection(url);
  pqxx::nontransaction(connection).exec("INSERT INTO schema_version VALUES (9999, 'future')");
  const absl::Status status = Store::Open({.url = url}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("9999"), absl::string_view::npos) << status;
}

TEST(StoreTest, RefusesADatabaseThatIsNotUtf8) {
  const std::string url = testing::FreshDatabase();
  pqxx::connection connection(url);
  pqxx::nontransaction(connection)
      .exec("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
  const std::string name = pqxx::connection(url).dbname();
  const absl::Status status =
      Store::Open({.url = absl::StrReplaceAll(url, {{name, "latin"}})}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST(StoreTest, NeverTellsThePassword) {
  const struct {
    const char* url;
    absl::StatusCode code;
  } cases[] = {
      {"host=/nowhere user=u password=hunter2 dbname=d", absl::StatusCode::kUnavailable},
      {"postgresql://u:hunter2@127.0.0.1:1/d", absl::StatusCode::kUnavailable},
      {"postgresql://u:hunter2@[127.0.0.1/d", absl::StatusCode::kInvalidArgument},
      {"host=x pass=hunter2", absl::StatusCode::kInvalidArgument},
      {"hunter2", absl::StatusCode::kInvalidArgument},
      // The server repeats the name of a database that does not exist.
      {"password=hunter2 dbname=hunter2", absl::StatusCode::kUnavailable},
  };
  const std::string good = testing::FreshDatabase();
  for (const auto& c : cases) {
    const std::string url = absl::StrReplaceAll(
        c.url, {{"password=hunter2 dbname=hunter2",
                 good.substr(0, good.find("dbname=")) + "password=hunter2 dbname=hunter2"}});
    const absl::Status status = Store::Open({.url = url}).status();
    EXPECT_EQ(status.code(), c.code) << c.url << ": " << status;
    EXPECT_EQ(status.message().find("hunter2"), absl::string_view::npos) << status;
  }
}

TEST(StoreTest, SurvivesTheLossOfItsConnections) {
  const std::string url = testing::FreshDatabase();
  auto store = Store::Open({.url = url, .pool_size = 2});
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE((*store)->controllers().LeaveOthers("me").ok());
  pqxx::connection connection(url);
  pqxx::nontransaction(connection)
      .exec(
          "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
          " WHERE datname = current_database() AND pid <> pg_backend_pid()");
  // Prepared statements are there again too.
  EXPECT_TRUE((*store)->controllers().LeaveOthers("me").ok());
  EXPECT_TRUE((*store)->Ping().ok());
}

TEST(StoreTest, ServesMoreThreadsThanConnections) {
  auto store = Store::Open({.url = testing::FreshDatabase(), .pool_size = 2});
  ASSERT_TRUE(store.ok()) << store.status();
  std::vector<absl::Status> statuses(12);
  std::vector<std::thread> threads;
  for (absl::Status& status : statuses) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20 && status.ok(); ++i) status = (*store)->Ping();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace plimsoll::store
