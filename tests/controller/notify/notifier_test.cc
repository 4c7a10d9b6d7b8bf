// From verdicts on a real database to what a receiver gets.
#include "controller/notify/notifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "controller/store/store.h"
#include "tests/controller/notify/events.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"

namespace plimsoll::notify {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using v1::NotificationDelivery;
using v1::Verdict;

// Remembers what it is given, and answers as told.
class FakeSender : public Sender {
 public:
  absl::Status Send(const v1::NotificationChannel& channel, const std::string& secret,
                    const v1::Notification& notification) override {
    absl::MutexLock lock(&mutex_);
    sent_.push_back(absl::StrCat(channel.name(), ": ", notification.title()));
    secrets_.push_back(secret);
    return answer_;
  }
  void Answer(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(status);
  }
  // What was sent since the last call, once `count` were.
  std::vector<std::string> Await(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&] { return sent_.size() >= count; };
    mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30));
    return std::exchange(sent_, {});
  }
  std::vector<std::string> secrets() {
    absl::MutexLock lock(&mutex_);
    return secrets_;
  }

 private:
  absl::Mutex mutex_;
  absl::Status answer_;
  std::vector<std::string> sent_;
  std::vector<std::string> secrets_;
};

class NotifierTest : public ::testing::Test {
 protected:
  NotifierTest() {
    EXPECT_TRUE(store_->reports().PutBaselines({store::MakeBaseline()}).ok());
    const auto lease = store::AddHost(*store_, "h1", "web-1");
    EXPECT_TRUE(lease.ok()) << lease.status();
    if (lease.ok()) epoch_ = lease->epoch;
    EXPECT_TRUE(store::AddHost(*store_, "h2", "web-2").ok());
  }
  ~NotifierTest() override { std::filesystem::remove(key_file_); }

  void Add(const std::string& name, const std::string& more = "window {}",
           const std::string& secret = "") {
    store::StoredChannel stored;
    stored.channel =
        ChannelOf(absl::StrCat("name: '", name, "' webhook {url: 'https://example.com/'} ", more));
    stored.channel.set_id(absl::StrCat("nc-", name));
    if (!secret.empty()) stored.sealed_secret = box_.Seal(secret);
    ASSERT_TRUE(store_->notifications().Create(stored).ok());
  }
  // The host's next report, r2 (HIGH) and r3 (CRITICAL) as given.
  void Report(const std::string& host, Verdict::Status r2, Verdict::Status r3 = Verdict::PASS,
              std::vector<std::pair<uint64_t, int>> failing = {}) {
    store::TestEvaluation evaluation(host, ++sequence_);
    clock_.Advance(absl::Milliseconds(1));
    evaluation.value.observed = evaluation.value.recorded = clock_.Now();
    evaluation.Verdict("r2", r2, {"c"});
    evaluation.Verdict("r3", r3, {"c"});
    for (const auto& [fingerprint, place] : failing) {
      auto& configuration = *evaluation.value.judgements[0].failing.add_configurations();
      configuration.set_fingerprint(fingerprint);
      configuration.set_count(1);
      configuration.add_rules(place);
    }
    const absl::Status put = store_->reports().Put(evaluation.Done());
    ASSERT_TRUE(put.ok()) << put;
  }
  std::vector<std::string> Told(size_t count) {
    notifier_.Collect();
    notifier_.Deliver();
    return sender_.Await(count);
  }
  std::vector<v1::NotificationDelivery> Deliveries() {
    return *store_->notifications().ListDeliveries({});
  }
  // The newest delivery, once it has been tried `attempts` times.
  v1::NotificationDelivery Tried(int attempts) {
    for (int i = 0; i < 3000; ++i) {
      const auto all = Deliveries();
      if (!all.empty() && all[0].attempt_count() >= attempts) return all[0];
      absl::SleepFor(absl::Milliseconds(10));
    }
    ADD_FAILURE() << "not tried " << attempts << " times";
    return {};
  }

  support::FakeClock clock_{store::At(100000)};
  std::unique_ptr<store::Store> store_ =
      *store::Store::Open({.url = plimsoll::testing::FreshDatabase(), .pool_size = 6});
  // Of h1's session.
  int64_t epoch_ = 0;
  const std::string key_file_ = absl::StrCat(::testing::TempDir(), "/notifier-key-", getpid());
  const access::SecretBox box_ = *access::SecretBox::LoadOrCreate(key_file_);
  FakeSender sender_;
  fleet::SavedSelectors saved_;
  const Notifier::Selectors selectors_ = [this] { return saved_; };
  Notifier notifier_{store_->notifications(), sender_, box_, selectors_, clock_, absl::Minutes(15)};
  uint64_t sequence_ = 0;
};

TEST_F(NotifierTest, TellsFailuresAndRecoveriesOnce) {
  Add("oncall", "window {}", "a secret of sixteen bytes");
  Report("h1", Verdict::PASS);
  Report("h1", Verdict::FAIL);
  Report("h2", Verdict::FAIL);
  EXPECT_THAT(Told(1), ElementsAre("oncall: 1 new failure (1 high) on 1 host"))
      << "a host's first verdicts are no news";
  EXPECT_THAT(sender_.secrets(), ElementsAre("a secret of sixteen bytes"));
  EXPECT_EQ(Tried(1).state(), NotificationDelivery::SENT);
  EXPECT_THAT(Told(0), IsEmpty());
  Report("h1", Verdict::PASS);
  EXPECT_THAT(Told(1), ElementsAre("oncall: 1 recovery on 1 host"));
}

TEST_F(NotifierTest, AFailureSeenAgainAfterNothingCouldBeSeenIsNoNews) {
  Add("oncall");
  Report("h1", Verdict::FAIL);
  Report("h1", Verdict::UNKNOWN);
  Report("h1", Verdict::FAIL);
  EXPECT_THAT(Told(0), IsEmpty());
  Report("h1", Verdict::PASS);
  EXPECT_THAT(Told(1), SizeIs(1));
  Report("h1", Verdict::UNKNOWN);
  Report("h1", Verdict::FAIL);
  EXPECT_THAT(Told(1), ElementsAre("oncall: 1 new failure (1 high) on 1 host"));
}

TEST_F(NotifierTest, AnotherContainerThatFailsAFailingRuleIsNews) {
  Add("oncall");
  Report("h1", Verdict::FAIL, Verdict::PASS, {{11, 1}});
  Report("h1", Verdict::FAIL, Verdict::PASS, {{11, 1}, {22, 1}});
  EXPECT_THAT(Told(1), ElementsAre("oncall: 1 new failure (1 high) on 1 host"));
  Report("h1", Verdict::FAIL, Verdict::PASS, {{22, 1}});
  EXPECT_THAT(Told(0), IsEmpty()) << "fewer fail";
}

TEST_F(NotifierTest, WaitsForTheWindowAndPutsTogether) {
  Add("oncall", "window {seconds: 60}");
  Report("h1", Verdict::PASS);
  Report("h2", Verdict::PASS);
  Report("h1", Verdict::FAIL, Verdict::FAIL);
  Report("h2", Verdict::FAIL);
  EXPECT_THAT(Told(0), IsEmpty());
  clock_.Advance(absl::Seconds(61));
  EXPECT_THAT(Told(1), ElementsAre("oncall: 3 new failures (1 critical) on 2 hosts"));
}

TEST_F(NotifierTest, TriesAgainLaterAndLaterAndGivesUpAfterADay) {
  Add("oncall");
  Report("h1", Verdict::PASS);
  Report("h1", Verdict::FAIL);
  sender_.Answer(absl::UnavailableError("webhook: the receiver answered 503"));
  EXPECT_THAT(Told(1), SizeIs(1));
  NotificationDelivery delivery = Tried(1);
  EXPECT_EQ(delivery.state(), NotificationDelivery::PENDING);
  EXPECT_EQ(delivery.error(), "webhook: the receiver answered 503");
  EXPECT_THAT(Told(0), IsEmpty()) << "not before its time";
  clock_.Advance(PauseAfter(1));
  EXPECT_THAT(Told(1), SizeIs(1));
  EXPECT_EQ(Tried(2).state(), NotificationDelivery::PENDING);
  clock_.Advance(kGiveUpAfter);
  EXPECT_THAT(Told(1), SizeIs(1));
  EXPECT_EQ(Tried(3).state(), NotificationDelivery::FAILED);
  // A person repairs the receiver.
  sender_.Answer(absl::OkStatus());
  ASSERT_TRUE(store_->notifications().Retry(delivery.id(), clock_.Now()).ok());
  EXPECT_THAT(Told(1), SizeIs(1));
  EXPECT_EQ(Tried(4).state(), NotificationDelivery::SENT);
  EXPECT_TRUE(absl::IsFailedPrecondition(
      store_->notifications().Retry(delivery.id(), clock_.Now()).status()));
}

TEST_F(NotifierTest, PausesGrowToAnHour) {
  EXPECT_EQ(PauseAfter(1), absl::Seconds(5));
  EXPECT_EQ(PauseAfter(2), absl::Seconds(10));
  EXPECT_EQ(PauseAfter(11), absl::Hours(1));
  EXPECT_EQ(PauseAfter(1000), absl::Hours(1));
}

TEST_F(NotifierTest, AReceiverThatIsGoneEndsTheDelivery) {
  Add("oncall");
  Report("h1", Verdict::PASS);
  Report("h1", Verdict::FAIL);
  sender_.Answer(absl::NotFoundError("webhook: the receiver answered 410 Gone"));
  EXPECT_THAT(Told(1), SizeIs(1));
  EXPECT_EQ(Tried(1).state(), NotificationDelivery::FAILED);
}

TEST_F(NotifierTest, PausedChannelsAndOthersAreToldNothing) {
  Add("paused", "window {} paused: true");
  Report("h1", Verdict::PASS);
  Report("h1", Verdict::FAIL);
  EXPECT_THAT(Told(0), IsEmpty());
  Add("edge", "window {} baselines: 'edge-docker'");
  Add("all", "window {} minimum_severity: INFO");
  Report("h2", Verdict::PASS);
  Report("h2", Verdict::FAIL);
  EXPECT_THAT(Told(1), ElementsAre("all: 1 new failure (1 high) on 1 host"))
      << "and not what happened before there was anybody to tell";
}

TEST_F(NotifierTest, StaleHostsAreToldOnceAndWhenTheyAreBack) {
  Add("oncall");
  Report("h1", Verdict::PASS);
  Report("h2", Verdict::PASS);
  clock_.Advance(absl::Minutes(20));
  notifier_.Upkeep();
  notifier_.Upkeep();
  EXPECT_THAT(Told(1), ElementsAre("oncall: 2 hosts stopped reporting"));
  ASSERT_TRUE(store_->hosts().Touch({{"h1", {epoch_, clock_.Now()}}}).ok());
  notifier_.Upkeep();
  EXPECT_THAT(Told(1), ElementsAre("oncall: 1 host reports again"));
}

TEST_F(NotifierTest, AWaiverThatIsAboutToEndIsToldOnce) {
  Add("oncall", "window {} kinds: WAIVER_EXPIRING");
  v1::Waiver waiver;
  waiver.set_id("w-1");
  waiver.set_state(v1::Waiver::APPROVED);
  waiver.set_owner("anna");
  const auto ends = [&waiver](absl::Time time) {
    waiver.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(time));
  };
  ends(clock_.Now() + absl::Hours(24 * 8));
  const auto made = store_->waivers().Create(waiver, {});
  ASSERT_TRUE(made.ok()) << made.status();
  notifier_.Upkeep();
  EXPECT_THAT(Told(0), IsEmpty());
  clock_.Advance(absl::Hours(25));
  notifier_.Upkeep();
  notifier_.Upkeep();
  EXPECT_THAT(Told(1), ElementsAre("oncall: 1 waiver expires"));
}

TEST_F(NotifierTest, AWaivedFailureIsNoNewsAndTheEndOfItsWaiverIs) {
  Add("oncall");
  Report("h1", Verdict::PASS);
  const auto report = [this](bool waived) {
    store::TestEvaluation evaluation("h1", ++sequence_);
    clock_.Advance(absl::Milliseconds(1));
    evaluation.value.observed = evaluation.value.recorded = clock_.Now();
    evaluation.Verdict("r2", Verdict::FAIL, {"c"}).set_waived(waived);
    ASSERT_TRUE(store_->reports().Put(evaluation.Done()).ok());
  };
  report(true);
  EXPECT_THAT(Told(0), IsEmpty());
  report(false);
  EXPECT_THAT(Told(1), ElementsAre("oncall: 1 new failure (1 high) on 1 host"));
  report(true);
  EXPECT_THAT(Told(0), IsEmpty()) << "a waiver repairs nothing";
}

TEST_F(NotifierTest, ATestIsTriedOnceAndListed) {
  Add("oncall", "paused: true");
  sender_.Answer(absl::UnavailableError("webhook: no route"));
  const auto stored = store_->notifications().Get("oncall");
  const auto delivery = notifier_.Test(*stored, "anna");
  ASSERT_TRUE(delivery.ok()) << delivery.status();
  EXPECT_EQ(delivery->state(), NotificationDelivery::FAILED);
  EXPECT_EQ(delivery->error(), "webhook: no route");
  EXPECT_THAT(Deliveries(), SizeIs(1));
}

TEST_F(NotifierTest, ASecretOfAnotherKeyIsAnErrorThatSaysSo) {
  Add("oncall", "window {}", "a secret of sixteen bytes");
  const std::string other_file = absl::StrCat(key_file_, "-other");
  Notifier other(store_->notifications(), sender_, *access::SecretBox::LoadOrCreate(other_file),
                 selectors_, clock_, absl::Minutes(15));
  std::filesystem::remove(other_file);
  const auto delivery = other.Test(*store_->notifications().Get("oncall"), "anna");
  ASSERT_TRUE(delivery.ok()) << delivery.status();
  EXPECT_THAT(delivery->error(), HasSubstr("restore that from a backup"));
  EXPECT_THAT(sender_.Await(0), IsEmpty());
}

TEST_F(NotifierTest, TwoControllersTellEachEventOnce) {
  Add("oncall");
  FakeSender second_sender;
  Notifier second(store_->notifications(), second_sender, box_, selectors_, clock_,
                  absl::Minutes(15));
  for (int i = 0; i < 10; ++i) {
    Report("h1", Verdict::PASS);
    Report("h1", Verdict::FAIL);
    std::thread other([&] {
      second.Collect();
      second.Deliver();
    });
    notifier_.Collect();
    notifier_.Deliver();
    other.join();
  }
  notifier_.Collect();
  notifier_.Deliver();
  Tried(1);
  // Whatever was put together how: every delivery was sent by exactly one of them.
  size_t sent = 0;
  for (int i = 0; i < 1000 && sent < Deliveries().size(); ++i) {
    sent += sender_.Await(0).size() + second_sender.Await(0).size();
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(sent, Deliveries().size());
}

}  // namespace
}  // namespace plimsoll::notify
