// A thread that plays many hosts.
#pragma once

#include <deque>
#include <queue>
#include <random>
#include <vector>

#include "tests/bench/fleet_sim/host.h"

namespace plimsoll::fleet_sim {

// What a run is at.
enum class Stage {
  // Hosts connect and send their first facts.
  kRamp,
  // Changes, snapshots and broken connections at the rates asked for.
  kLoad,
  // Nothing new; what is under way is waited for.
  kDrain,
  // Sessions are closed.
  kStop,
};

// Not thread-safe but for the construction: Run is the body of a thread.
class Shard : private Driver {
 public:
  // `share` of the fleet-wide rates is this shard's.
  Shard(World& world, const std::atomic<Stage>& stage, double share, uint64_t seed);

  // Before Run. The host connects at `connect`, since the beginning of Run.
  void Add(const HostIdentity& identity, int index, HostState state, absl::Duration connect);
  // After Run.
  template <class Visit>
  void ForEach(Visit visit) const {
    for (const Host& host : hosts_) visit(host);
  }
  // Until the stage is kStop and all sessions have ended.
  void Run();

 private:
  struct Timer {
    absl::Duration time;
    Host* host;
    Wake wake;
    bool operator>(const Timer& other) const { return time > other.time; }
  };
  grpc::CompletionQueue& queue() override { return queue_; }
  absl::Duration now() const override { return now_; }
  void WakeAt(absl::Duration time, Host& host, Wake wake) override;
  std::mt19937_64& random() override { return random_; }

  void ReadClock();
  void FireTimers();
  // Makes as many changes, snapshots and breaks as are due since the last call.
  void Load();
  template <class Act>
  void Spend(double& due, double rate, absl::Duration elapsed, Act act);
  // False: all sessions have ended.
  bool Stop();

  World& world_;
  const std::atomic<Stage>& stage_;
  const double share_;
  std::mt19937_64 random_;
  grpc::CompletionQueue queue_;
  std::deque<Host> hosts_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  absl::Duration now_;
  absl::Duration loaded_;
  bool loading_ = false;
  bool closing_ = false;
  absl::Duration cancel_;
  absl::Duration next_look_;
  double changes_due_ = 0;
  double snapshots_due_ = 0;
  double breaks_due_ = 0;
};

}  // namespace plimsoll::fleet_sim
