#include "controller/gateway/committer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/random/random.h"

namespace plimsoll::gateway {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(2);
// Conflicts between transactions before a batch is tried change by change.
constexpr int kMaximumConflicts = 5;
// What an evaluation's verdicts take beside its facts, about.
constexpr int64_t kBytesPerChange = 4096;

absl::Status GivenUp() {
  return absl::UnavailableError("the controller stopped before this was committed; send it again");
}

int64_t BytesOf(const Committer::Change& change) {
  return static_cast<int64_t>(change.evaluation.content.size()) + kBytesPerChange;
}

}  // namespace

Committer::Committer(PutBatch put, Options options, GatewayStats& stats, OnCommitted on_committed)
    : put_(std::move(put)),
      options_(options),
      stats_(stats),
      on_committed_(std::move(on_committed)) {
  for (int i = 0; i < std::max(options_.threads, 1); ++i) threads_.emplace_back([this] { Run(); });
}

Committer::~Committer() { Stop(absl::ZeroDuration()); }

void Committer::Add(Change change) {
  {
    absl::MutexLock lock(&mutex_);
    if (!stopping_) {
      ++stats_.commits_waiting;
      const auto [it, first] = hosts_.try_emplace(change.evaluation.host_id);
      (first ? queue_ : it->second).push_back(std::move(change));
      return;
    }
  }
  change.done(GivenUp());
}

void Committer::Stop(absl::Duration patience) {
  Batch left;
  {
    absl::MutexLock lock(&mutex_);
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return hosts_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&idle), patience);
    stopping_ = given_up_ = true;
    for (auto& [host, waiting] : hosts_) {
      std::move(waiting.begin(), waiting.end(), std::back_inserter(left));
      waiting.clear();
    }
    std::move(queue_.begin(), queue_.end(), std::back_inserter(left));
    queue_.clear();
    stats_.commits_waiting -= static_cast<int64_t>(left.size());
  }
  for (const Change& change : left) change.done(GivenUp());
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Committer::Run() {
  while (true) {
    Batch batch;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !queue_.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (queue_.empty()) return;
      batch = Take();
    }
    const std::vector<absl::Status> results = Commit(batch);
    Finish(std::move(batch), results);
  }
}

Committer::Batch Committer::Take() {
  Batch batch;
  int64_t bytes = 0;
  while (!queue_.empty() && batch.size() < static_cast<size_t>(options_.max_hosts)) {
    bytes += BytesOf(queue_.front());
    if (!batch.empty() && bytes > options_.max_bytes) break;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

std::vector<absl::Status> Committer::Commit(absl::Span<const Change> batch) {
  std::vector<const store::Evaluation*> evaluations;
  for (const Change& change : batch) evaluations.push_back(&change.evaluation);
  absl::Duration pause = kFirstPause;
  int conflicts = 0;
  absl::Status error;
  while (true) {
    auto results = put_(evaluations);
    if (results.ok() && results->size() == batch.size()) {
      ++stats_.batches;
      if (pause > kFirstPause) spdlog::info("commits go on hosts={}", batch.size());
      return *std::move(results);
    }
    error = results.ok() ? absl::InternalError("a batch came back with another size")
                         : results.status();
    if (absl::IsAborted(error)) {
      if (++conflicts > kMaximumConflicts) break;
    } else if (!absl::IsUnavailable(error)) {
      break;
    }
    ++stats_.commit_retries;
    if (pause == kFirstPause || pause == kLongestPause) {
      spdlog::warn("commit failed, trying again hosts={} error=\"{}\"", batch.size(),
                   error.ToString());
    }
    if (!Pause(pause)) return std::vector<absl::Status>(batch.size(), GivenUp());
    pause = std::min(pause * 2, kLongestPause);
  }
  if (batch.size() > 1) {
    // One host's data must not stop the others.
    spdlog::warn("commit failed, trying one by one hosts={} error=\"{}\"", batch.size(),
                 error.ToString());
    std::vector<absl::Status> results;
    for (size_t i = 0; i < batch.size(); ++i) {
      results.push_back(Commit(batch.subspan(i, 1)).front());
    }
    return results;
  }
  spdlog::error("commit failed host={} sequence={} error=\"{}\"", evaluations.front()->host_id,
                evaluations.front()->sequence, error.ToString());
  // As the result of one change, ABORTED means that its lease is lost.
  if (absl::IsAborted(error)) error = absl::UnavailableError(error.message());
  return {error};
}

void Committer::Finish(Batch batch, const std::vector<absl::Status>& results) {
  std::vector<std::string> committed;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (results[i].ok()) {
      committed.push_back(batch[i].evaluation.host_id);
    } else {
      ++stats_.commit_failures;
    }
  }
  stats_.committed += static_cast<int64_t>(committed.size());
  stats_.commits_waiting -= static_cast<int64_t>(batch.size());
  if (on_committed_ && !committed.empty()) on_committed_(std::move(committed));
  for (size_t i = 0; i < batch.size(); ++i) batch[i].done(results[i]);
  // Only now: another thread would overtake the word that this change is done.
  Release(batch);
  if (!options_.recycle) return;
  for (Change& change : batch) options_.recycle(std::move(change.evaluation.judgements));
}

void Committer::Release(const Batch& batch) {
  absl::MutexLock lock(&mutex_);
  for (const Change& change : batch) {
    const auto it = hosts_.find(change.evaluation.host_id);
    if (it->second.empty()) {
      hosts_.erase(it);
    } else {
      queue_.push_back(std::move(it->second.front()));
      it->second.pop_front();
    }
  }
}

bool Committer::Pause(absl::Duration pause) {
  absl::BitGen random;
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&given_up_),
                                  pause * absl::Uniform(random, 0.5, 1.0));
}

}  // namespace plimsoll::gateway
