// A store on a fresh database, and a look past it at the rows.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::store {

class StoreTestBase : public ::testing::Test {
 protected:
  void SetUp() override {
    url_ = plimsoll::testing::FreshDatabase();
    auto store = Store::Open({.url = url_, .pool_size = 4});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  // Runs SQL of the test's own, outside the store.
  pqxx::result Sql(const std::string& sql) {
    pqxx::connection connection(url_);
    return pqxx::nontransaction(connection).exec(sql);
  }
  int64_t Count(const std::string& table) {
    return Sql("SELECT count(*) FROM " + table)[0][0].as<int64_t>();
  }

  // Transitions of the host as "rule from>to", newest first.
  std::vector<std::string> History(const std::string& rule = "", const std::string& host = "h1") {
    std::vector<std::string> lines;
    TransitionQuery query;
    query.host_id = host;
    query.baseline_id = "base";
    query.rule_id = rule;
    const auto page = store_->reports().ListTransitions(query);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return lines;
    for (const v1::Transition& t : page->transitions) {
      lines.push_back(absl::StrCat(
          t.rule_id(), " ",
          t.cause() == v1::Transition::FIRST ? "-" : v1::Verdict::Status_Name(t.from()), ">",
          v1::Verdict::Status_Name(t.to())));
    }
    return lines;
  }

  std::string url_;
  std::unique_ptr<Store> store_;
};

}  // namespace plimsoll::store
