// A host that changes when a test says so.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "collector/agent/sight.h"
#include "proto/support/clock.h"
#include "proto/support/times.h"

namespace plimsoll::agent {

// Shared by a test and the sight that the agent owns. All methods may be called from any thread.
class FakeHost {
 public:
  FakeHost() {
    facts_.set_collector_version("0.1.0");
    facts_.mutable_engine()->set_id("engine-1");
    facts_.mutable_containers()->mutable_outcome()->set_state(v1::SourceOutcome::OK);
  }

  // Changes the host; as a watcher, the sight says so.
  void Change(const std::function<void(v1::HostFacts&)>& change) {
    std::function<void()> wake;
    {
      absl::MutexLock lock(&mutex_);
      change(facts_);
      due_ = true;
      wake = wake_;
    }
    if (wake) wake();
  }
  // Starts a container, or changes the one of that id.
  void Run(const std::string& id, bool privileged = false) {
    Change([&](v1::HostFacts& facts) {
      auto& list = *facts.mutable_containers()->mutable_containers();
      for (v1::Container& container : list) {
        if (container.id() == id) return container.set_privileged(privileged);
      }
      list.Add()->set_id(id);
      list.Mutable(list.size() - 1)->set_privileged(privileged);
    });
  }
  // Changes the host so that only a collection finds it.
  void ChangeUnnoticed(const std::function<void(v1::HostFacts&)>& change) {
    absl::MutexLock lock(&mutex_);
    change(facts_);
  }

  // Collections wait at their beginning until released.
  void Hold(bool hold) {
    absl::MutexLock lock(&mutex_);
    held_ = hold;
  }
  // Waits until that many collections have begun.
  bool AwaitCollections(int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&] { return begun_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(20));
  }
  int collections() {
    absl::MutexLock lock(&mutex_);
    return begun_;
  }
  int full_collections() {
    absl::MutexLock lock(&mutex_);
    return full_;
  }
  std::vector<std::string> plan_paths() {
    absl::MutexLock lock(&mutex_);
    return {plan_.paths().begin(), plan_.paths().end()};
  }

 private:
  friend class FakeSight;
  absl::Mutex mutex_;
  v1::HostFacts facts_;
  v1::CollectionPlan plan_;
  std::function<void()> wake_;
  bool due_ = false;
  bool held_ = false;
  int begun_ = 0;
  int full_ = 0;
};

class FakeSight : public Sight {
 public:
  explicit FakeSight(std::shared_ptr<FakeHost> host) : host_(std::move(host)) {}
  ~FakeSight() override {
    absl::MutexLock lock(&host_->mutex_);
    host_->wake_ = nullptr;
  }

  void Begin(std::function<void()> wake) override {
    absl::MutexLock lock(&host_->mutex_);
    host_->wake_ = std::move(wake);
  }
  void Refresh(const v1::CollectionPlan& plan, const sources::Scope& scope,
               v1::HostFacts& facts) override {
    absl::MutexLock lock(&host_->mutex_);
    host_->plan_ = plan;
    ++host_->begun_;
    if (scope.all) ++host_->full_;
    facts = host_->facts_;
    const auto released = [this] { return !host_->held_; };
    host_->mutex_.Await(absl::Condition(&released));
    *facts.mutable_observed_time() = support::ToTimestamp(support::Clock::Real().Now());
  }
  void Follow(const v1::CollectionPlan&, const v1::HostFacts&) override {}
  std::optional<sources::Scope> Take() override {
    absl::MutexLock lock(&host_->mutex_);
    if (!std::exchange(host_->due_, false)) return std::nullopt;
    sources::Scope scope;
    scope.container_list = true;
    return scope;
  }
  absl::Time NextDue() const override {
    absl::MutexLock lock(&host_->mutex_);
    return host_->due_ ? absl::InfinitePast() : absl::InfiniteFuture();
  }

 private:
  const std::shared_ptr<FakeHost> host_;
};

}  // namespace plimsoll::agent
