#include "controller/access/activity_log.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace plimsoll::access {
namespace {

constexpr size_t kMostWaiting = 10'000;
constexpr size_t kLargestBatch = 200;
constexpr int kMostAMinute = 20;
constexpr size_t kMostActors = 10'000;
// Pause after the database did not answer.
constexpr absl::Duration kPause = absl::Seconds(1);

std::string KeyOf(const v1::Activity& entry) {
  return entry.actor_id().empty() ? absl::StrCat("p ", entry.peer())
                                  : absl::StrCat("a ", entry.actor_id());
}

}  // namespace

v1::Activity ActivityBy(const store::Principal& who, std::string action, std::string object,
                        const absl::Status& outcome) {
  v1::Activity entry;
  switch (who.kind) {
    case store::CallerKind::kUser:
      entry.set_actor_kind(v1::Activity::USER);
      entry.set_actor_id(who.user_id);
      break;
    case store::CallerKind::kToken:
      entry.set_actor_kind(v1::Activity::TOKEN);
      entry.set_actor_id(who.token_id);
      break;
    case store::CallerKind::kNobody:
      entry.set_actor_kind(v1::Activity::NOBODY);
      break;
  }
  entry.set_actor_name(who.name);
  entry.set_peer(who.peer);
  entry.set_action(std::move(action));
  entry.set_object(std::move(object));
  entry.set_outcome(absl::StatusCodeToString(outcome.code()));
  entry.set_message(std::string(outcome.message()));
  return entry;
}

ActivityLog::ActivityLog(store::ActivityStore& store, const support::Clock& clock)
    : store_(store), clock_(clock), thread_([this] { Run(); }) {}

ActivityLog::~ActivityLog() {
  Sweep();
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [key, minute] : minutes_) AddLeftOut(minute);
    stopped_ = true;
  }
  thread_.join();
}

absl::Status ActivityLog::Record(v1::Activity entry) {
  Waiting waiting;
  waiting.done = std::make_shared<absl::Notification>();
  waiting.status = std::make_shared<absl::Status>();
  const auto done = waiting.done;
  const auto status = waiting.status;
  *entry.mutable_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(clock_.Now()));
  waiting.entry = std::move(entry);
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return absl::UnavailableError("the controller is shutting down");
    queue_.push_back(std::move(waiting));
  }
  done->WaitForNotification();
  return *status;
}

void ActivityLog::Push(Waiting waiting) {
  if (queue_.size() >= kMostWaiting) {
    spdlog::error("activity not recorded: too much waits for the database action={} actor={}",
                  waiting.entry.action(), waiting.entry.actor_name());
    return;
  }
  queue_.push_back(std::move(waiting));
}

void ActivityLog::AddLeftOut(Minute& minute) {
  if (minute.left_out == 0) return;
  v1::Activity entry = std::move(minute.last);
  entry.set_message(absl::StrCat(minute.left_out, minute.left_out == 1 ? " more was" : " more were",
                                 " left out; the last: ", entry.message()));
  minute.left_out = 0;
  minute.last.Clear();
  Push({std::move(entry), nullptr, nullptr});
}

void ActivityLog::Note(v1::Activity entry) {
  const absl::Time now = clock_.Now();
  *entry.mutable_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
  std::string key = KeyOf(entry);
  absl::MutexLock lock(&mutex_);
  // A flood from everywhere shares one place.
  if (minutes_.size() >= kMostActors && minutes_.find(key) == minutes_.end()) key = "others";
  Minute& minute = minutes_[key];
  if (now - minute.begin >= absl::Minutes(1)) {
    AddLeftOut(minute);
    minute.begin = now;
    minute.count = 0;
  }
  if (++minute.count > kMostAMinute) {
    ++minute.left_out;
    minute.last = std::move(entry);
    return;
  }
  Push({std::move(entry), nullptr, nullptr});
}

void ActivityLog::Sweep() {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  for (auto it = minutes_.begin(); it != minutes_.end();) {
    if (now - it->second.begin < absl::Minutes(1)) {
      ++it;
      continue;
    }
    AddLeftOut(it->second);
    it = minutes_.erase(it);
  }
}

bool ActivityLog::Flush(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return queue_.empty() && !writing_;
  };
  return mutex_.AwaitWithTimeout(absl::Condition(&idle), timeout);
}

absl::Status ActivityLog::Write(std::vector<Waiting>& batch) {
  std::vector<v1::Activity> entries;
  for (const Waiting& waiting : batch) entries.push_back(waiting.entry);
  absl::Status status = store_.Append(entries);
  if (!status.ok()) {
    spdlog::error("activity not recorded entries={} error=\"{}\"", entries.size(),
                  status.ToString());
  }
  // Who waits is told either way; the rest is kept until it is written.
  TellWaiting(batch, status);
  if (status.ok() || !(absl::IsUnavailable(status) || absl::IsAborted(status))) batch.clear();
  return status;
}

template <class Queue>
void ActivityLog::TellWaiting(Queue& queue, const absl::Status& status) {
  for (const Waiting& waiting : queue) {
    if (waiting.done == nullptr) continue;
    *waiting.status = status;
    waiting.done->Notify();
  }
  queue.erase(std::remove_if(queue.begin(), queue.end(),
                             [](const Waiting& each) { return each.done != nullptr; }),
              queue.end());
}

void ActivityLog::Run() {
  std::vector<Waiting> batch;
  while (true) {
    bool stopping = false;
    {
      absl::MutexLock lock(&mutex_);
      // What was not written goes back to the front.
      queue_.insert(queue_.begin(), std::make_move_iterator(batch.begin()),
                    std::make_move_iterator(batch.end()));
      batch.clear();
      writing_ = false;
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return !queue_.empty() || stopped_;
      };
      mutex_.Await(absl::Condition(&ready));
      if (queue_.empty()) return;
      stopping = stopped_;
      const size_t size = std::min(queue_.size(), kLargestBatch);
      batch.assign(std::make_move_iterator(queue_.begin()),
                   std::make_move_iterator(queue_.begin() + static_cast<ptrdiff_t>(size)));
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(size));
      writing_ = true;
    }
    const absl::Status status = Write(batch);
    if (status.ok()) continue;
    absl::MutexLock lock(&mutex_);
    // Callers do not wait behind what cannot be written: their changes are unrecorded now.
    TellWaiting(queue_, status);
    if (stopping) return;
    if (batch.empty()) continue;
    mutex_.AwaitWithTimeout(absl::Condition(&stopped_), kPause);
  }
}

}  // namespace plimsoll::access
