#include "controller/store/change_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "controller/store/postgres/announce.h"
#include "tests/controller/store/postgres/store_test_base.h"

namespace plimsoll::store {
namespace {

// What a feed said, to be awaited.
class Heard {
 public:
  ChangeFeed::Callbacks Callbacks() {
    ChangeFeed::Callbacks callbacks;
    callbacks.hosts = [this](std::vector<std::string> ids) {
      absl::MutexLock lock(&mutex_);
      hosts_.insert(ids.begin(), ids.end());
    };
    callbacks.scan = [this](std::string id) {
      absl::MutexLock lock(&mutex_);
      scans_.insert(id);
    };
    callbacks.access = [this](std::vector<std::string> ids) {
      absl::MutexLock lock(&mutex_);
      access_.insert(ids.begin(), ids.end());
    };
    callbacks.authority = [this] {
      absl::MutexLock lock(&mutex_);
      ++authority_;
    };
    callbacks.policy = [this] {
      absl::MutexLock lock(&mutex_);
      ++policies_;
    };
    callbacks.connected = [this] {
      absl::MutexLock lock(&mutex_);
      ++connected_;
    };
    return callbacks;
  }
  bool AwaitConnected(int times) {
    return Await([this, times]()
                     ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return connected_ >= times; });
  }
  bool AwaitHost(const std::string& id) {
    return Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return hosts_.contains(id); });
  }
  bool AwaitScan(const std::string& id) {
    return Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return scans_.contains(id); });
  }
  bool AwaitAccess(const std::string& id) {
    return Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return access_.contains(id); });
  }
  bool AwaitAuthority(int times) {
    return Await([this, times]()
                     ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return authority_ >= times; });
  }
  bool AwaitPolicies(int times) {
    return Await([this, times]()
                     ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return policies_ >= times; });
  }
  bool HasHost(const std::string& id) {
    absl::MutexLock lock(&mutex_);
    return hosts_.contains(id);
  }
  void Forget() {
    absl::MutexLock lock(&mutex_);
    hosts_.clear();
    scans_.clear();
  }

 private:
  template <class F>
  bool Await(F condition) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&condition), absl::Seconds(20));
  }
  absl::Mutex mutex_;
  std::set<std::string> hosts_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> scans_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> access_ ABSL_GUARDED_BY(mutex_);
  int authority_ ABSL_GUARDED_BY(mutex_) = 0;
  int policies_ ABSL_GUARDED_BY(mutex_) = 0;
  int connected_ ABSL_GUARDED_BY(mutex_) = 0;
};

class ChangeFeedTest : public StoreTestBase {
 protected:
  void EndListeners() {
    Sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE '%LISTEN%'"
        " AND pid <> pg_backend_pid()");
  }
  Heard heard_;
};

TEST_F(ChangeFeedTest, TellsOfCentralLabelsAndSavedSelectors) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  ChangeFeed feed(url_, heard_.Callbacks());
  ASSERT_TRUE(heard_.AwaitConnected(1));
  const auto anything = [](const LabeledHost&) { return absl::OkStatus(); };
  ASSERT_TRUE(store_->hosts().SetLabels({"h1"}, {{{"tier", "db"}}, {}, ""}, anything).ok());
  EXPECT_TRUE(heard_.AwaitHost("h1"));
  EXPECT_FALSE(heard_.HasHost("h2"));
  v1::SavedSelector selector;
  selector.set_name("live");
  selector.set_expression("env=prod");
  ASSERT_TRUE(store_->selectors().Save(selector, "ann", At(0)).ok());
  EXPECT_TRUE(heard_.AwaitPolicies(1));
  ASSERT_TRUE(store_->selectors().Delete("live").ok());
  EXPECT_TRUE(heard_.AwaitPolicies(2));
}

TEST_F(ChangeFeedTest, TellsWhichTokensAndSessionsEnd) {
  v1::User user;
  user.set_id("u-1");
  user.set_name("ann");
  user.set_role(v1::ROLE_VIEWER);
  ASSERT_TRUE(store_->users().Create(user, "hash").ok());
  NewSession session;
  session.user_id = "u-1";
  session.password_hash = "hash";
  session.created = At(0);
  session.expires = At(1000);
  for (const char* id : {"ses-1", "ses-2"}) {
    session.id = id;
    session.secret_hash = absl::StrCat("hash of ", id);
    ASSERT_TRUE(store_->users().BeginSession(session).ok());
  }
  for (const char* id : {"t-1", "t-2"}) {
    Principal token;
    token.token_id = id;
    token.name = id;
    ASSERT_TRUE(store_->tokens()
                    .Create(token, absl::StrCat("hash of ", id), At(0), std::nullopt,
                            {.creator_id = "u-1", .credential = "ses-1"})
                    .ok());
  }
  ChangeFeed feed(url_, heard_.Callbacks());
  ASSERT_TRUE(heard_.AwaitConnected(1));
  ASSERT_TRUE(store_->tokens().Revoke("t-1").ok());
  EXPECT_TRUE(heard_.AwaitAccess("t-1"));
  ASSERT_TRUE(store_->users().EndSession("ses-1").ok());
  EXPECT_TRUE(heard_.AwaitAccess("ses-1"));
  // Whoever goes takes sessions and tokens along.
  ASSERT_TRUE(store_->users().Delete("u-1").ok());
  EXPECT_TRUE(heard_.AwaitAccess("ses-2"));
  EXPECT_TRUE(heard_.AwaitAccess("t-2"));
  EXPECT_TRUE(absl::IsUnauthenticated(store_->tokens().Find("hash of t-2", At(1)).status()));
}

TEST_F(ChangeFeedTest, TellsOfOtherAuthorities) {
  AuthorityStore& authorities = store_->authorities();
  ASSERT_TRUE(authorities.Join("a", "PEM", At(0), false).ok());
  ChangeFeed feed(url_, heard_.Callbacks());
  ASSERT_TRUE(heard_.AwaitConnected(1));
  AuthorityRecord next;
  next.fingerprint = "b";
  ASSERT_TRUE(authorities.Begin("a", "sealed", next, At(1)).ok());
  EXPECT_TRUE(heard_.AwaitAuthority(1));
  ASSERT_TRUE(authorities.Switch("", false, At(2)).ok());
  EXPECT_TRUE(heard_.AwaitAuthority(2));
  ASSERT_TRUE(authorities.Finish(false, At(3)).ok());
  EXPECT_TRUE(heard_.AwaitAuthority(3));
}

TEST_F(ChangeFeedTest, TellsWhatHappensToHostsAndScans) {
  ChangeFeed feed(url_, heard_.Callbacks());
  ASSERT_TRUE(heard_.AwaitConnected(1));
  // Enrolled and connected.
  const auto lease = AddHost(*store_, "h1", "alpha");
  ASSERT_TRUE(lease.ok());
  EXPECT_TRUE(heard_.AwaitHost("h1"));
  NewScan scan;
  scan.id = "s1";
  scan.create_time = At(0);
  scan.deadline = At(1000);
  scan.host_ids = {"h1"};
  ASSERT_TRUE(store_->scans().Create(scan).ok());
  const std::vector<std::function<absl::Status()>> changes = {
      [&] {
        TestEvaluation evaluation("h1", 1);
        return store_->reports().Put(evaluation.Done());
      },
      [&] {
        Reevaluation again;
        again.host_id = "h1";
        again.sequence = 1;
        again.judgements = {MakeJudgement(MakeBaseline("other"))};
        return store_->reports().PutReevaluations({again}, At(50)).status();
      },
      [&] { return store_->hosts().EndSession("h1", lease->epoch, At(60)); },
      [&] {
        SessionStart start;
        start.host_id = "h1";
        return store_->hosts().BeginSession(start).status();
      },
      [&] { return store_->controllers().ExpireDead(absl::Hours(1)).status(); },
      [&] { return store_->enrollment().RevokeHost("h1", "", At(70)); },
      [&] { return store_->hosts().Remove("h1", "", At(80)); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    heard_.Forget();
    const absl::Status status = changes[i]();
    ASSERT_TRUE(status.ok()) << i << status;
    EXPECT_TRUE(heard_.AwaitHost("h1")) << i;
  }
}

TEST_F(ChangeFeedTest, TellsOfAnsweredScansAndOfNothingThatFailed) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  NewScan scan;
  scan.id = "s1";
  scan.create_time = At(0);
  scan.deadline = At(1000);
  scan.host_ids = {"h1"};
  ASSERT_TRUE(store_->scans().Create(scan).ok());
  ChangeFeed feed(url_, heard_.Callbacks());
  ASSERT_TRUE(heard_.AwaitConnected(1));
  Sql("ALTER TABLE transition ADD CHECK (host_id <> 'h2')");
  TestEvaluation bad("h2", 1), good("h1", 1);
  good.value.scan_ids = {"s1"};
  EXPECT_FALSE(store_->reports().Put(bad.Done()).ok());
  EXPECT_TRUE(store_->reports().Put(good.Done()).ok());
  EXPECT_TRUE(heard_.AwaitScan("s1"));
  EXPECT_TRUE(heard_.AwaitHost("h1"));
  EXPECT_FALSE(heard_.HasHost("h2"));
}

TEST_F(ChangeFeedTest, ListensAgainAfterALostConnection) {
  ASSERT_TRUE(AddHost(*store_, "h1", "alpha").ok());
  ASSERT_TRUE(AddHost(*store_, "h2", "beta").ok());
  Moment since = *store_->fleet().Load([](HostState) {});
  ChangeFeed feed(url_, heard_.Callbacks());
  ASSERT_TRUE(heard_.AwaitConnected(1));
  EndListeners();
  // Missed, or heard by the connection that follows: looked up either way.
  TestEvaluation missed("h1", 1);
  ASSERT_TRUE(store_->reports().Put(missed.Done()).ok());
  ASSERT_TRUE(heard_.AwaitConnected(2));
  EXPECT_THAT(*store_->fleet().ChangedSince(since), ::testing::ElementsAre("h1"));
  TestEvaluation heard("h2", 1);
  ASSERT_TRUE(store_->reports().Put(heard.Done()).ok());
  EXPECT_TRUE(heard_.AwaitHost("h2"));
}

TEST_F(ChangeFeedTest, ManyHostsOfOneBatchArrive) {
  std::vector<std::unique_ptr<TestEvaluation>> batch;
  std::vector<const Evaluation*> pointers;
  ASSERT_TRUE(store_->reports().PutBaselines({MakeBaseline()}).ok());
  Sql("INSERT INTO host (id, hostname, enrolled)"
      " SELECT repeat('x', 60) || n, 'n', now() FROM generate_series(1, 300) n");
  for (int i = 1; i <= 300; ++i) {
    batch.emplace_back(new TestEvaluation(absl::StrCat(std::string(60, 'x'), i), 1));
    pointers.push_back(&batch.back()->Done());
  }
  ChangeFeed feed(url_, heard_.Callbacks());
  ASSERT_TRUE(heard_.AwaitConnected(1));
  ASSERT_TRUE(store_->reports().PutBatch(pointers).ok());
  for (int i = 1; i <= 300; ++i) {
    EXPECT_TRUE(heard_.AwaitHost(absl::StrCat(std::string(60, 'x'), i))) << i;
  }
}

TEST_F(ChangeFeedTest, StopsWhileItCannotConnect) {
  ChangeFeed feed("host=/nowhere dbname=none", heard_.Callbacks());
  ChangeFeed nonsense("not a url", heard_.Callbacks());
}

TEST(AnnounceTest, PayloadsAreBounded) {
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(absl::StrCat(std::string(32, 'a'), i));
  std::vector<std::string> back;
  for (const std::string& payload : PayloadsOf(ids)) {
    EXPECT_LT(payload.size(), 8000u);
    for (const std::string& id : IdsOf(payload)) back.push_back(id);
  }
  EXPECT_EQ(back, ids);
  EXPECT_TRUE(PayloadsOf({}).empty());
}

}  // namespace
}  // namespace plimsoll::store
