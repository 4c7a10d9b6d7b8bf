// The committer alone: a function stands for the database, so that it can be made to fail.
#include "controller/gateway/committer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"

namespace plimsoll::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Keeps what was put, and answers as told.
class CommitterTest : public ::testing::Test {
 protected:
  void Start(Committer::Options options = {.threads = 1}) {
    committer_ = std::make_unique<Committer>(
        [this](const auto& batch) { return Put(batch); }, options, stats_,
        [this](std::vector<std::string> hosts) {
          absl::MutexLock lock(&mutex_);
          committed_.insert(committed_.end(), hosts.begin(), hosts.end());
        });
  }

  absl::StatusOr<std::vector<absl::Status>> Put(
      const std::vector<const store::Evaluation*>& batch) {
    if (!gate_.HasBeenNotified()) {
      entered_.store(true);
      gate_.WaitForNotification();
    }
    absl::MutexLock lock(&mutex_);
    std::string text;
    std::set<std::string> hosts;
    for (const store::Evaluation* e : batch) {
      absl::StrAppend(&text, e->host_id, ":", e->sequence, " ");
      EXPECT_TRUE(hosts.insert(e->host_id).second) << "one host twice in a batch";
    }
    tries_.push_back(text);
    if (!errors_.empty()) {
      const absl::Status error = errors_.front();
      errors_.erase(errors_.begin());
      if (!error.ok()) return error;
    }
    std::vector<absl::Status> results;
    for (const store::Evaluation* e : batch) {
      if (e->host_id == "poison") return absl::InternalError("bad bytes");
      results.push_back(e->host_id == "fenced" ? absl::AbortedError("lease") : absl::OkStatus());
    }
    return results;
  }

  void Add(const std::string& host, uint64_t sequence, size_t bytes = 1) {
    Committer::Change change;
    change.evaluation.host_id = host;
    change.evaluation.sequence = sequence;
    change.evaluation.content.assign(bytes, 'x');
    change.done = [this, host, sequence](const absl::Status& status) {
      absl::MutexLock lock(&mutex_);
      done_.push_back(
          absl::StrCat(host, ":", sequence, " ", absl::StatusCodeToString(status.code())));
    };
    committer_->Add(std::move(change));
  }

  // Lets the first commit block, so that what comes next piles up.
  void AddAndBlock(const std::string& host) {
    Add(host, 1);
    while (!entered_) std::this_thread::yield();
  }
  void Open() { gate_.Notify(); }
  void AwaitDone(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto ready = [&]()
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return done_.size() >= count; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&ready), absl::Seconds(30)));
  }

  GatewayStats stats_;
  absl::Notification gate_;
  std::atomic<bool> entered_{false};
  absl::Mutex mutex_;
  std::vector<absl::Status> errors_;
  std::vector<std::string> tries_;
  std::vector<std::string> done_;
  std::vector<std::string> committed_;
  std::unique_ptr<Committer> committer_;
};

TEST_F(CommitterTest, WhatComesDuringACommitIsTheNextBatch) {
  Start();
  AddAndBlock("a");
  for (const char* host : {"b", "c", "d"}) Add(host, 1);
  EXPECT_EQ(stats_.commits_waiting, 4);
  Open();
  AwaitDone(4);
  EXPECT_THAT(tries_, ElementsAre("a:1 ", "b:1 c:1 d:1 "));
  EXPECT_EQ(stats_.batches, 2);
  EXPECT_EQ(stats_.committed, 4);
  EXPECT_EQ(stats_.commits_waiting, 0);
  EXPECT_THAT(committed_, ElementsAre("a", "b", "c", "d"));
}

TEST_F(CommitterTest, BatchesAreBounded) {
  Start({.threads = 1, .max_hosts = 3, .max_bytes = 50'000});
  AddAndBlock("a");
  for (const char* host : {"b", "c", "d", "e"}) Add(host, 1);
  Add("large", 1, 100'000);
  Add("f", 1);
  Open();
  AwaitDone(7);
  EXPECT_THAT(tries_, ElementsAre("a:1 ", "b:1 c:1 d:1 ", "e:1 ", "large:1 ", "f:1 "));
}

TEST_F(CommitterTest, ChangesOfAHostKeepTheirOrderAndNeverShareABatch) {
  Start({.threads = 4});
  AddAndBlock("a");
  Open();
  for (int i = 2; i <= 50; ++i) {
    Add("a", i);
    Add("b", i);
  }
  AwaitDone(99);
  std::vector<std::string> of_a;
  for (const std::string& done : done_) {
    if (done[0] == 'a') of_a.push_back(done);
  }
  ASSERT_THAT(of_a, SizeIs(50));
  for (int i = 1; i <= 50; ++i) EXPECT_EQ(of_a[i - 1], absl::StrCat("a:", i, " OK"));
}

TEST_F(CommitterTest, ADatabaseThatIsAwayIsTriedUntilItIsBack) {
  Open();
  errors_ = {absl::UnavailableError("away"), absl::UnavailableError("away"),
             absl::AbortedError("conflict")};
  Start();
  Add("a", 1);
  AwaitDone(1);
  EXPECT_THAT(done_, ElementsAre("a:1 OK"));
  EXPECT_THAT(tries_, SizeIs(4));
  EXPECT_EQ(stats_.commit_retries, 3);
  EXPECT_EQ(stats_.commit_failures, 0);
}

TEST_F(CommitterTest, OneHostsDataDoesNotStopTheOthers) {
  Start();
  AddAndBlock("a");
  for (const char* host : {"b", "poison", "fenced", "c"}) Add(host, 1);
  Open();
  AwaitDone(5);
  EXPECT_THAT(done_,
              ElementsAre("a:1 OK", "b:1 OK", "poison:1 INTERNAL", "fenced:1 ABORTED", "c:1 OK"));
  EXPECT_THAT(committed_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(stats_.commit_failures, 2);
}

TEST_F(CommitterTest, ConflictsWithoutEndAreNotTakenForALostLease) {
  Open();
  errors_.assign(100, absl::AbortedError("deadlock"));
  Start();
  Add("a", 1);
  AwaitDone(1);
  EXPECT_THAT(done_, ElementsAre("a:1 UNAVAILABLE"));
}

TEST_F(CommitterTest, StopCommitsWhatIsThere) {
  Start();
  AddAndBlock("a");
  Add("b", 1);
  Add("b", 2);
  std::thread opener([this] { Open(); });
  committer_->Stop(absl::Seconds(30));
  opener.join();
  EXPECT_THAT(done_, ElementsAre("a:1 OK", "b:1 OK", "b:2 OK"));
  Add("c", 1);
  EXPECT_EQ(done_.back(), "c:1 UNAVAILABLE");
}

TEST_F(CommitterTest, StopGivesUpWhenTheDatabaseIsAway) {
  Open();
  errors_.assign(100'000, absl::UnavailableError("away"));
  Start();
  Add("a", 1);
  Add("a", 2);
  Add("b", 1);
  committer_->Stop(absl::Milliseconds(20));
  EXPECT_THAT(done_, ::testing::UnorderedElementsAre("a:1 UNAVAILABLE", "a:2 UNAVAILABLE",
                                                     "b:1 UNAVAILABLE"));
  EXPECT_THAT(committed_, IsEmpty());
}

}  // namespace
}  // namespace plimsoll::gateway
