#include "controller/policy/policy_book.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace plimsoll::policy {
namespace {

// How late a waiver or an exemption may begin or end, and the pause after a failure.
constexpr absl::Duration kTick = absl::Milliseconds(250);

std::vector<Document> Share(const std::vector<v1::Baseline>& documents) {
  std::vector<Document> shared;
  for (const v1::Baseline& document : documents) {
    shared.push_back(std::make_shared<const v1::Baseline>(document));
  }
  return shared;
}

bool SameDocuments(const std::vector<Document>& a, const std::vector<Document>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(),
      [](const Document& x, const Document& y) { return x->digest() == y->digest(); });
}

}  // namespace

PolicyBook::PolicyBook(store::Store& store, const support::Clock& clock,
                       const std::vector<v1::Baseline>& configured)
    : store_(store),
      clock_(clock),
      configured_(Share(configured)),
      current_(Policy::Make({.documents = configured_}, clock.Now())) {}

PolicyBook::~PolicyBook() { Stop(); }

std::shared_ptr<const Policy> PolicyBook::current() const {
  absl::ReaderMutexLock lock(&mutex_);
  return current_;
}

absl::StatusOr<PolicyParts> PolicyBook::Read(absl::Time now) const {
  PolicyParts parts;
  parts.documents = configured_;
  auto active = store_.baselines().ListActive();
  if (!active.ok()) return active.status();
  for (v1::Baseline& document : *active) {
    auto shared = std::make_shared<const v1::Baseline>(std::move(document));
    const auto same =
        std::find_if(parts.documents.begin(), parts.documents.end(),
                     [&](const Document& each) { return each->id() == shared->id(); });
    if (same == parts.documents.end()) {
      parts.documents.push_back(std::move(shared));
    } else {
      *same = std::move(shared);
    }
  }
  auto waivers = store_.waivers().ListInEffect(now);
  if (!waivers.ok()) return waivers.status();
  parts.waivers = *std::move(waivers);
  auto tailorings = store_.tailorings().List();
  if (!tailorings.ok()) return tailorings.status();
  parts.tailorings = *std::move(tailorings);
  auto selectors = store_.selectors().List();
  if (!selectors.ok()) return selectors.status();
  parts.selectors = *std::move(selectors);
  return parts;
}

absl::Status PolicyBook::Reload() {
  absl::MutexLock reload(&reload_mutex_);
  const absl::Time now = clock_.Now();
  auto parts = Read(now);
  if (!parts.ok()) return parts.status();
  parts->keep = [this](const v1::Baseline& document) {
    return store_.reports().PutBaselines({document});
  };
  std::shared_ptr<const Policy> next = Policy::Make(*std::move(parts), now);
  if (prepare_ && !SameDocuments(next->documents(), current()->documents())) {
    if (auto status = prepare_(next->documents()); !status.ok()) return status;
  }
  bool differs = false;
  {
    absl::MutexLock lock(&mutex_);
    differs = next->digest() != current_->digest();
    // One that judges alike may still hold for another time.
    current_ = std::move(next);
  }
  if (differs && changed_) changed_();
  return absl::OkStatus();
}

void PolicyBook::Changed() {
  absl::MutexLock lock(&mutex_);
  dirty_ = true;
}

void PolicyBook::Start() {
  thread_ = std::thread([this] { Run(); });
}

void PolicyBook::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void PolicyBook::Run() {
  const auto work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return dirty_ || stopped_; };
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&work), kTick);
      if (stopped_) return;
      if (!dirty_ && clock_.Now() < current_->until()) continue;
      dirty_ = false;
    }
    const absl::Status status = Reload();
    if (status.ok()) continue;
    spdlog::warn("policy cannot be read, trying again error=\"{}\"", status.ToString());
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&stopped_), kTick * 4);
    if (stopped_) return;
    dirty_ = true;
  }
}

}  // namespace plimsoll::policy
