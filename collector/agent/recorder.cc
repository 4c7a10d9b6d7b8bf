#include "collector/agent/recorder.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "collector/agent/offline_plan.h"
#include "proto/support/key_files.h"
#include "proto/support/times.h"

namespace plimsoll::agent {
namespace {

constexpr size_t kMaximumScans = 256;
// A spool that lost its disk is tried again.
constexpr absl::Duration kMendInterval = absl::Seconds(30);
// After a wake for nothing.
constexpr absl::Duration kQuiet = absl::Milliseconds(100);
constexpr absl::Duration kShortestInterval = absl::Seconds(10);

std::optional<v1::CollectionPlan> LoadPlan(const std::string& file) {
  if (file.empty()) return std::nullopt;
  const auto content = support::ReadKeyFile(file, false);
  v1::CollectionPlan plan;
  if (!content.ok() || !plan.ParseFromString(*content)) return std::nullopt;
  return plan;
}

void SavePlan(const std::string& file, const v1::CollectionPlan& plan) {
  if (file.empty()) return;
  if (auto status = support::WritePrivateFile(file, plan.SerializeAsString()); !status.ok()) {
    spdlog::warn("the plan could not be kept for the next start: {}",
                 std::string(status.message()));
  }
}

}  // namespace

Recorder::Recorder(std::unique_ptr<Sight> sight, spool::Spool& spool, const support::Clock& clock,
                   Options options)
    : spool_(spool), clock_(clock), options_(std::move(options)), sight_(std::move(sight)) {
  if (auto facts = spool_.TakeFacts()) {
    tracker_ = tracker::Tracker(*std::move(facts));
    facts_ = tracker_.facts();
    engine_id_ = facts_.engine().id();
  }
  const auto plan = LoadPlan(options_.plan_file);
  plan_ = plan.has_value() ? *plan : OfflinePlan();
  next_full_ = clock_.Now();
  if (!plan.has_value()) next_full_ += options_.first_plan_wait;
  sight_->Begin([this] { Wake(); });
  thread_ = std::thread([this] { Run(); });
}

Recorder::~Recorder() {
  Stop();
  sight_.reset();
}

void Recorder::RequestStop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
}

void Recorder::Stop() {
  RequestStop();
  if (thread_.joinable()) thread_.join();
}

void Recorder::Listen(std::function<void()> listener) {
  absl::MutexLock lock(&listener_mutex_);
  listener_ = std::move(listener);
}

void Recorder::SetPlan(const v1::CollectionPlan& plan) {
  absl::MutexLock lock(&mutex_);
  if (!plan.digest().empty() && plan.digest() == plan_.digest()) return;
  plan_ = plan;
  plan_changed_ = true;
}

bool Recorder::Scan(const std::string& scan_id) {
  absl::MutexLock lock(&mutex_);
  if (std::find(scan_ids_.begin(), scan_ids_.end(), scan_id) != scan_ids_.end()) return true;
  if (scan_ids_.size() >= kMaximumScans) return false;
  scan_ids_.push_back(scan_id);
  return true;
}

std::vector<Recorder::Answered> Recorder::TakeAnswered() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(answered_, {});
}

void Recorder::LimitRate(int per_minute) {
  absl::MutexLock lock(&mutex_);
  rate_.Limit(per_minute, clock_.Now());
}

void Recorder::RequestSnapshot(uint64_t acknowledged_sequence) {
  absl::MutexLock lock(&mutex_);
  snapshot_wanted_ = acknowledged_sequence;
}

std::string Recorder::engine_id() const {
  absl::MutexLock lock(&mutex_);
  return engine_id_;
}

void Recorder::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

void Recorder::Notify() {
  absl::MutexLock lock(&listener_mutex_);
  if (listener_) listener_();
}

bool Recorder::Await(Work& work) {
  // Asked without the lock: what comes up meanwhile sets `woken_`.
  absl::Time due = sight_->NextDue();
  const bool on_disk = spool_.state().on_disk;
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  absl::Duration interval = options_.interval;
  if (plan_.has_interval()) interval = std::min(interval, support::FromDuration(plan_.interval()));
  interval = std::max(interval, kShortestInterval);
  // A clock that was set back makes nobody wait for hours.
  next_full_ = std::min(next_full_, now + interval);
  quiet_until_ = std::min(quiet_until_, now + kQuiet);
  due = std::min(std::max({due, rate_.NextTime(now), quiet_until_}), next_full_);
  // Before the first full collection there is nothing that a change could change.
  if (tracker_.empty()) due = next_full_;
  if (!on_disk) due = std::min(due, now + kMendInterval);
  const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || woken_ || plan_changed_ || snapshot_wanted_.has_value() ||
           !scan_ids_.empty();
  };
  mutex_.AwaitWithTimeout(absl::Condition(&wanted), due - now);
  if (stopping_) return false;
  woken_ = false;
  work.snapshot = std::exchange(snapshot_wanted_, std::nullopt);
  // A snapshot of a host never collected needs a collection.
  work.full = plan_changed_ || !scan_ids_.empty() || clock_.Now() >= next_full_ ||
              (work.snapshot.has_value() && tracker_.empty());
  if (plan_changed_) SavePlan(options_.plan_file, plan_);
  plan_changed_ = false;
  work.plan = plan_;
  work.scan_ids = std::exchange(scan_ids_, {});
  if (work.full) next_full_ = clock_.Now() + interval;
  return true;
}

void Recorder::Run() {
  Work work;
  while (Await(work)) {
    // Before what is collected now, which then need not be dropped for it.
    if (work.snapshot.has_value() && !tracker_.empty()) {
      spool_.Collapse(tracker_.facts(), *work.snapshot);
      work.snapshot.reset();
      Notify();
    }
    sources::Scope scope;
    scope.all = work.full;
    bool collect = work.full;
    if (work.full) {
      // What the watcher saw so far is part of it.
      sight_->Take();
    } else {
      bool allowed;
      {
        absl::MutexLock lock(&mutex_);
        const absl::Time now = clock_.Now();
        allowed = !tracker_.empty() && rate_.NextTime(now) <= now;
      }
      auto taken = allowed ? sight_->Take() : std::nullopt;
      collect = taken.has_value();
      if (collect) {
        scope = *std::move(taken);
        absl::MutexLock lock(&mutex_);
        rate_.Take(clock_.Now());
      } else if (allowed) {
        // Whatever NextDue says, there is no hurry.
        quiet_until_ = clock_.Now() + kQuiet;
      }
    }
    if (collect) Collect(work, scope);
    if (work.snapshot.has_value()) {
      spool_.Collapse(tracker_.facts(), *work.snapshot);
      Notify();
    }
    spool_.Tidy(tracker_.facts());
    work = Work();
  }
}

void Recorder::Collect(const Work& work, const sources::Scope& scope) {
  const absl::Time start = clock_.Now();
  sight_->Refresh(work.plan, scope, facts_);
  sight_->Follow(work.plan, facts_);
  auto delta = tracker_.Update(facts_);
  const bool changed = delta.has_value();
  spdlog::debug("collected full={} containers={} changed={} took={}", scope.all,
                facts_.containers().containers_size(), changed,
                absl::FormatDuration(clock_.Now() - start));
  if (changed) {
    delta->mutable_scan_ids()->Assign(work.scan_ids.begin(), work.scan_ids.end());
    spool_.Append(*std::move(delta), tracker_.facts());
  }
  {
    absl::MutexLock lock(&mutex_);
    engine_id_ = facts_.engine().id();
    if (!changed) {
      const uint64_t after = spool_.state().last_sequence;
      for (const std::string& id : work.scan_ids) answered_.push_back({id, after});
      // Nobody is connected to take them; the controller asks again.
      if (answered_.size() > 2 * kMaximumScans) {
        answered_.erase(answered_.begin(), answered_.end() - 2 * kMaximumScans);
      }
    }
  }
  if (changed || !work.scan_ids.empty()) Notify();
  if (scope.all && options_.after_full) options_.after_full();
}

}  // namespace plimsoll::agent
