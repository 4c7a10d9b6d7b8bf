#include "controller/api/follow.h"

#include <gtest/gtest.h>

#include <optional>

#include "absl/synchronization/notification.h"
#include "tests/controller/api/parts.h"

namespace plimsoll::api {
namespace {

// Longer than any machine needs; only a test that fails waits for it.
constexpr absl::Duration kPatience = absl::Seconds(60);

// What the stream under test has to say. Thread-safe.
struct Source {
  absl::Mutex mutex;
  std::vector<std::string> ids ABSL_GUARDED_BY(mutex);
  bool last ABSL_GUARDED_BY(mutex) = false;
  absl::Status error ABSL_GUARDED_BY(mutex);
  std::function<void()> changed ABSL_GUARDED_BY(mutex);
  int open ABSL_GUARDED_BY(mutex) = 0;

  void Say(const std::string& id, bool is_last = false) {
    std::function<void()> call;
    {
      absl::MutexLock lock(&mutex);
      ids.push_back(id);
      last = is_last;
      call = changed;
    }
    if (call != nullptr) call();
  }
};

class SourceStream final : public Stream {
 public:
  SourceStream(Source& source, std::function<void()> changed) : source_(source) {
    absl::MutexLock lock(&source_.mutex);
    source_.changed = std::move(changed);
    ++source_.open;
  }
  ~SourceStream() override {
    absl::MutexLock lock(&source_.mutex);
    --source_.open;
  }
  absl::StatusOr<Step> Next(const Principal& who) override {
    absl::MutexLock lock(&source_.mutex);
    if (!source_.error.ok()) return source_.error;
    if (source_.ids.empty()) return Step();
    auto scan = std::make_unique<v1::Scan>();
    scan->set_id(source_.ids.front());
    scan->set_created_by(who.name);
    source_.ids.erase(source_.ids.begin());
    return Step{std::move(scan), source_.last && source_.ids.empty()};
  }

 private:
  Source& source_;
};

class FollowerTest : public ::testing::Test {
 protected:
  FollowerTest() {
    table_.AddStream<v1::WatchScanRequest, v1::Scan>(
        {"ScanService.WatchScan", access::Permission::kScan, "GET /v1/scans/{id}/events"},
        [this](const v1::WatchScanRequest&,
               std::function<void()> changed) -> absl::StatusOr<std::unique_ptr<Stream>> {
          return std::make_unique<SourceStream>(source_, std::move(changed));
        });
    table_.Observe([this](const CallRecord& record) {
      absl::MutexLock lock(&mutex_);
      outcomes_.push_back(record.outcome.code());
    });
    const Method& method = *table_.Find("plimsoll.v1.ScanService.WatchScan");
    follower_ = Follower::Start(
        table_, workers_, method, method.make_request(),
        [this]() -> absl::StatusOr<Principal> {
          absl::MutexLock lock(&mutex_);
          return who_;
        },
        "10.0.0.1");
  }

  // Asks for the next message and waits: its id and who it was for, "over", or the status' code.
  std::string Next() {
    Ask();
    return Answer();
  }
  void Ask() {
    {
      absl::MutexLock lock(&mutex_);
      answer_.reset();
    }
    follower_->Next([this](absl::StatusOr<AnyMessage> next) {
      std::string text = absl::StatusCodeToString(next.status().code());
      if (next.ok()) text = "over";
      if (next.ok() && *next != nullptr) {
        const auto& scan = static_cast<const v1::Scan&>(**next);
        text = absl::StrCat(scan.id(), " ", scan.created_by());
      }
      absl::MutexLock lock(&mutex_);
      EXPECT_FALSE(answer_.has_value());
      answer_ = text;
    });
  }
  std::string Answer() {
    absl::MutexLock lock(&mutex_);
    const auto answered = [this]()
                              ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return answer_.has_value(); };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&answered), kPatience)) return "no answer";
    return *answer_;
  }

  Source source_;
  support::FakeClock clock_{store::At(100)};
  MethodTable table_{clock_};
  absl::Mutex mutex_;
  absl::StatusOr<Principal> who_ ABSL_GUARDED_BY(mutex_) = Operator();
  std::vector<absl::StatusCode> outcomes_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::string> answer_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Follower> follower_;
  support::WorkerPool workers_{2};
};

TEST_F(FollowerTest, GivesOneMessageAtATimeUntilTheLast) {
  source_.Say("1");
  EXPECT_EQ(Next(), "1 otto");
  Ask();
  source_.Say("2");
  EXPECT_EQ(Answer(), "2 otto");
  source_.Say("3", true);
  EXPECT_EQ(Next(), "3 otto");
  EXPECT_EQ(Next(), "over");
  EXPECT_EQ(Next(), "over");
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(outcomes_, std::vector<absl::StatusCode>{absl::StatusCode::kOk});
}

TEST_F(FollowerTest, EndsWhenTheCallerMayNoLonger) {
  source_.Say("1");
  EXPECT_EQ(Next(), "1 otto");
  {
    absl::MutexLock lock(&mutex_);
    who_ = Viewer();
  }
  source_.Say("2");
  EXPECT_EQ(Next(), "PERMISSION_DENIED");
  EXPECT_EQ(Next(), "PERMISSION_DENIED");
}

TEST_F(FollowerTest, NobodyGetsNothing) {
  {
    absl::MutexLock lock(&mutex_);
    who_ = absl::UnauthenticatedError("no token");
  }
  source_.Say("1");
  EXPECT_EQ(Next(), "UNAUTHENTICATED");
  absl::MutexLock lock(&source_.mutex);
  EXPECT_EQ(source_.open, 0);
  absl::MutexLock outcomes(&mutex_);
  EXPECT_EQ(outcomes_, std::vector<absl::StatusCode>{absl::StatusCode::kUnauthenticated});
}

TEST_F(FollowerTest, CloseEndsAWaitAndTheStream) {
  Ask();
  follower_->Close(absl::CancelledError("gone"));
  EXPECT_EQ(Answer(), "CANCELLED");
  follower_->Close(absl::UnavailableError("too late"));
  EXPECT_EQ(Next(), "CANCELLED");
}

TEST_F(FollowerTest, AnErrorOfTheStreamEndsIt) {
  {
    absl::MutexLock lock(&source_.mutex);
    source_.error = absl::NotFoundError("no such scan");
  }
  EXPECT_EQ(Next(), "NOT_FOUND");
  EXPECT_EQ(Next(), "NOT_FOUND");
}

}  // namespace
}  // namespace plimsoll::api
