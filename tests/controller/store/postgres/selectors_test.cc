#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

class SelectorsTest : public StoreTestBase {
 protected:
  static v1::SavedSelector Selector(const std::string& name, const std::string& expression) {
    v1::SavedSelector selector;
    selector.set_name(name);
    selector.set_expression(expression);
    return selector;
  }
};

TEST_F(SelectorsTest, AreSavedReplacedAndEnded) {
  v1::SavedSelector wanted = Selector("live", "env=prod");
  wanted.set_description("what customers see");
  wanted.set_managed_by("platform");
  const auto made = store_->selectors().Save(wanted, "ann", At(10));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->description(), "what customers see");
  EXPECT_EQ(made->managed_by(), "platform");
  EXPECT_EQ(made->updated_by(), "ann");
  EXPECT_EQ(made->update_time().seconds(), absl::ToUnixSeconds(At(10)));
  wanted.set_expression("env=prod,!canary");
  wanted.set_etag(made->etag());
  const auto replaced = store_->selectors().Save(wanted, "bob", At(20));
  ASSERT_TRUE(replaced.ok()) << replaced.status();
  EXPECT_EQ(replaced->expression(), "env=prod,!canary");
  const absl::Status old = store_->selectors().Save(wanted, "eve", At(30)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(old)) << old;
  ASSERT_TRUE(store_->selectors().Save(Selector("all-web", "tier=web"), "ann", At(30)).ok());
  const auto all = store_->selectors().List();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->at(0).name(), "all-web");
  EXPECT_EQ(all->at(1).updated_by(), "bob");
  ASSERT_TRUE(store_->selectors().Delete("live").ok());
  EXPECT_TRUE(absl::IsNotFound(store_->selectors().Delete("live")));
  EXPECT_TRUE(absl::IsNotFound(store_->selectors().Get("live").status()));
  // An old etag stays old.
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->selectors().Save(wanted, "eve", At(40)).status()));
}

TEST_F(SelectorsTest, AreBounded) {
  Sql("INSERT INTO saved_selector SELECT 's' || i, 'env', '', '', 1, now(), 'ann'"
      " FROM generate_series(1, 500) AS i");
  const absl::Status full = store_->selectors().Save(Selector("live", "env"), "a", At(1)).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_TRUE(store_->selectors().Save(Selector("s1", "tier"), "a", At(1)).ok());
}

}  // namespace
}  // namespace plimsoll::store
