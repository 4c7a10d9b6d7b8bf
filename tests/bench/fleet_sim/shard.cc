#include "tests/bench/fleet_sim/shard.h"

#include <algorithm>
#include <chrono>

namespace plimsoll::fleet_sim {
namespace {

// How exactly load is spread over time.
constexpr absl::Duration kTick = absl::Milliseconds(4);
// Load that a stalled simulator does not make up for.
constexpr absl::Duration kLongestLag = absl::Seconds(1);
constexpr absl::Duration kCloseTime = absl::Seconds(8);
constexpr absl::Duration kLookInterval = absl::Milliseconds(100);
// Hosts looked at before a change is given up.
constexpr int kTries = 16;

}  // namespace

Shard::Shard(World& world, const std::atomic<Stage>& stage, double share, uint64_t seed)
    : world_(world), stage_(stage), share_(share), random_(seed) {
  ReadClock();
}

void Shard::Add(const HostIdentity& identity, int index, HostState state, absl::Duration connect) {
  hosts_.emplace_back(world_, static_cast<Driver&>(*this), identity, index, std::move(state));
  WakeAt(now_ + connect, hosts_.back(), Wake::kConnect);
}

void Shard::WakeAt(absl::Duration time, Host& host, Wake wake) {
  timers_.push({time, &host, wake});
}

void Shard::ReadClock() {
  now_ = absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

void Shard::Run() {
  while (true) {
    const Stage stage = stage_;
    absl::Duration wait = absl::Milliseconds(50);
    if (!timers_.empty()) wait = std::min(wait, timers_.top().time - now_);
    if (stage == Stage::kLoad) wait = std::min(wait, loaded_ + kTick - now_);
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = std::chrono::system_clock::now() +
                          absl::ToChronoMicroseconds(std::max(wait, absl::ZeroDuration()));
    const auto next = queue_.AsyncNext(&tag, &ok, deadline);
    ReadClock();
    if (next == grpc::CompletionQueue::GOT_EVENT) Session::Complete(tag, ok);
    FireTimers();
    if (stage == Stage::kLoad) Load();
    if (stage == Stage::kStop && !Stop()) break;
  }
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void Shard::FireTimers() {
  while (!timers_.empty() && timers_.top().time <= now_) {
    const Timer timer = timers_.top();
    timers_.pop();
    timer.host->OnWake(timer.wake);
  }
}

template <class Act>
void Shard::Spend(double& due, double rate, absl::Duration elapsed, Act act) {
  if (rate <= 0) return;
  due += rate * share_ * absl::ToDoubleSeconds(std::min(elapsed, kLongestLag));
  for (; due >= 1; due -= 1) {
    for (int i = 0; i < kTries && !act(hosts_[random_() % hosts_.size()]); ++i) {
    }
  }
}

void Shard::Load() {
  if (!loading_) {
    loading_ = true;
    loaded_ = now_;
  }
  const absl::Duration elapsed = now_ - loaded_;
  if (elapsed < kTick) return;
  loaded_ = now_;
  const Options& options = world_.options;
  Spend(changes_due_, options.churn, elapsed, [](Host& host) { return host.Change(); });
  Spend(snapshots_due_, options.snapshots, elapsed, [](Host& host) { return host.Snapshot(); });
  Spend(breaks_due_, options.disconnects, elapsed, [](Host& host) { return host.Break(); });
}

bool Shard::Stop() {
  if (!closing_) {
    closing_ = true;
    cancel_ = now_ + kCloseTime;
    next_look_ = now_;
    for (Host& host : hosts_) host.Stop();
  }
  // Looking at every host costs more than an event does.
  if (now_ < next_look_) return true;
  next_look_ = now_ + kLookInterval;
  bool open = false;
  for (Host& host : hosts_) {
    if (host.idle()) continue;
    open = true;
    if (now_ > cancel_) host.Stop();
  }
  return open;
}

}  // namespace plimsoll::fleet_sim
