#include "controller/reevaluate/reevaluator.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include "controller/reevaluate/judge_host.h"
#include "proto/support/logging.h"

namespace plimsoll::reevaluate {
namespace {

// A batch holds its hosts' rows locked for some milliseconds.
constexpr int kBatch = 50;
constexpr int kNice = 10;
constexpr absl::Duration kBusyPause = absl::Milliseconds(20);
constexpr absl::Duration kRetryPause = absl::Seconds(1);
constexpr absl::Duration kLogEvery = absl::Seconds(5);

// Worth trying again with the same hosts.
bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsAborted(status);
}

}  // namespace

Reevaluator::Reevaluator(store::Store& store, const policy::PolicyBook& book,
                         fleet::FleetIndex& index, const support::Clock& clock, int threads)
    : store_(store),
      book_(book),
      index_(index),
      clock_(clock),
      thread_count_(std::max(threads, 1)) {}

Reevaluator::~Reevaluator() { Stop(); }

void Reevaluator::Start() {
  absl::MutexLock lock(&mutex_);
  if (stopped_ || !threads_.empty()) return;
  progress_.running = true;
  logged_ = clock_.Now();
  for (int i = 0; i < thread_count_; ++i) threads_.emplace_back([this] { Run(); });
}

void Reevaluator::Stop() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  absl::MutexLock lock(&mutex_);
  progress_.running = false;
}

void Reevaluator::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
  if (!threads_.empty()) progress_.running = true;
}

void Reevaluator::Await() {
  absl::MutexLock lock(&mutex_);
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !progress_.running; };
  mutex_.Await(absl::Condition(&done));
}

Reevaluator::Progress Reevaluator::progress() {
  absl::MutexLock lock(&mutex_);
  return progress_;
}

bool Reevaluator::Pause(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&stopped_), duration);
  return !stopped_;
}

void Reevaluator::LogProgress() {
  spdlog::info("re-evaluating hosts stored={} passed_over={} failed={} left={} running={}",
               progress_.stored, progress_.passed_over, progress_.failed, progress_.left,
               progress_.running);
  logged_ = clock_.Now();
}

void Reevaluator::Run() {
  // Of this thread alone; one that may not be nicer works as it is.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  Workspace workspace;
  for (std::vector<std::string> ids = Claim(); !ids.empty(); ids = Claim()) {
    Do(ids, workspace);
    absl::MutexLock lock(&mutex_);
    --busy_;
    if (clock_.Now() - logged_ >= kLogEvery) LogProgress();
  }
}

std::vector<std::string> Reevaluator::NextPage() {
  const bool begins = after_id_.empty();
  if (begins) {
    // Before the policy is looked at: whoever changes it later wakes this again.
    absl::MutexLock lock(&mutex_);
    woken_ = false;
  }
  const auto policy = book_.current();
  if (begins) {
    const int64_t left = index_.CountOutdated(*policy);
    absl::MutexLock lock(&mutex_);
    progress_.left = left;
    progress_.failed = 0;
    stored_before_pass_ = progress_.stored;
    worked_ = worked_ || left > 0;
    if (left == 0) return {};
  }
  std::vector<std::string> ids = index_.ListOutdated(*policy, after_id_, kBatch);
  if (!ids.empty()) after_id_ = ids.back();
  return ids;
}

void Reevaluator::EndPass() {
  after_id_.clear();
  {
    absl::MutexLock lock(&mutex_);
    const auto idle = [this]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return busy_ == 0 || stopped_; };
    mutex_.Await(absl::Condition(&idle));
    // Hosts may have come back under another policy meanwhile: another pass, unless this one moved
    // nothing.
    if (progress_.stored != stored_before_pass_) woken_ = true;
    if (!woken_) {
      progress_.running = false;
      if (worked_) LogProgress();
      worked_ = false;
      const auto work = [this]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return woken_ || stopped_; };
      mutex_.Await(absl::Condition(&work));
      return;
    }
  }
  // What was stored is not to be done again.
  index_.Await(kRetryPause);
}

std::vector<std::string> Reevaluator::Claim() {
  absl::MutexLock claim(&claim_mutex_);
  while (Pause(absl::ZeroDuration())) {
    if (store_.Busy()) {
      if (!Pause(kBusyPause)) break;
      continue;
    }
    std::vector<std::string> ids = NextPage();
    if (ids.empty()) {
      EndPass();
      continue;
    }
    absl::MutexLock lock(&mutex_);
    ++busy_;
    return ids;
  }
  return {};
}

void Reevaluator::Do(const std::vector<std::string>& ids, Workspace& workspace) {
  absl::Status status = TryBatch(ids, workspace);
  while (IsTransient(status)) {
    spdlog::warn("re-evaluation waits error=\"{}\"", status.ToString());
    if (!Pause(kRetryPause)) return;
    status = TryBatch(ids, workspace);
  }
  if (status.ok()) return;
  // One of them spoils the batch.
  if (ids.size() > 1) {
    for (const std::string& id : ids) Do({id}, workspace);
    return;
  }
  spdlog::error("host cannot be re-evaluated host={} error=\"{}\"", support::LogSafe(ids[0]),
                support::LogSafe(status.ToString()));
  absl::MutexLock lock(&mutex_);
  ++progress_.failed;
  --progress_.left;
}

absl::Status Reevaluator::TryBatch(const std::vector<std::string>& ids, Workspace& workspace) {
  const auto all = store_.reports().GetFactsOf(ids);
  if (!all.ok()) return all.status();
  std::vector<store::Reevaluation>& batch = workspace.batch;
  const auto policy = book_.current();
  batch.resize(all->size());
  for (size_t i = 0; i < all->size(); ++i) {
    const store::StoredFacts& stored = (*all)[i];
    batch[i].host_id = stored.host_id;
    batch[i].sequence = stored.sequence;
    workspace.fingerprints.Clear();
    const policy::HostPolicy host = policy->For(stored.host_id, index_.LabelsOf(stored.host_id));
    batch[i].policy_key = host.key;
    JudgeHost(stored.facts, host, stored.observed, stored.host_id, stored.digest,
              workspace.fingerprints, batch[i].judgements);
  }
  const auto done = store_.reports().PutReevaluations(batch, clock_.Now());
  if (!done.ok()) return done.status();
  std::vector<std::string> stored;
  for (size_t i = 0; i < done->size(); ++i) {
    if ((*done)[i]) stored.push_back(batch[i].host_id);
  }
  const auto count = static_cast<int64_t>(stored.size());
  // Hosts that stayed as they were are not read again: that would find them out of date again.
  index_.Changed(stored);
  absl::MutexLock lock(&mutex_);
  progress_.left -= static_cast<int64_t>(ids.size());
  progress_.stored += count;
  progress_.passed_over += static_cast<int64_t>(done->size()) - count;
  // Those without stored facts.
  progress_.failed += static_cast<int64_t>(ids.size() - done->size());
  return absl::OkStatus();
}

}  // namespace plimsoll::reevaluate
