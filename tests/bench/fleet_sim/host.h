// A simulated collector: its session, its unacknowledged changes, its scans.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/fleet_sim/facts.h"
#include "tests/bench/fleet_sim/journal.h"
#include "tests/bench/fleet_sim/options.h"
#include "tests/bench/fleet_sim/session.h"
#include "tests/bench/fleet_sim/stats.h"

namespace plimsoll::fleet_sim {

// What all hosts share. The atomic members may be read by any thread.
struct World {
  const Options& options;
  const std::string ca_pem;
  Stats& stats;
  Journal& journal;
  // Hosts with a session, and those of them without anything unacknowledged.
  std::atomic<int> live = 0;
  std::atomic<int> settled = 0;
  // Hosts that will not come back: revoked, or two of one identity.
  std::atomic<int> refused = 0;
  std::atomic<int64_t> unacknowledged = 0;
  // Sessions begun and not welcomed yet.
  std::atomic<int> connecting = 0;
  // No new sessions any more.
  std::atomic<bool> stopping = false;
};

// What a host may ask to be woken for; one time each.
enum class Wake { kConnect, kWelcome, kHeartbeat, kResume, kScan };
inline constexpr int kWakes = 5;

// The thread a host lives on.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual grpc::CompletionQueue& queue() = 0;
  // Since the start of the program, as of the event being handled.
  virtual absl::Duration now() const = 0;
  // Calls Host::OnWake(wake) at `time`.
  virtual void WakeAt(absl::Duration time, class Host& host, Wake wake) = 0;
  virtual std::mt19937_64& random() = 0;
};

// Not thread-safe: everything happens on its driver's thread.
class Host : private Session::Owner {
 public:
  // Borrows all but `state`.
  Host(World& world, Driver& driver, const HostIdentity& identity, int index, HostState state);

  void OnWake(Wake wake);

  // One container changes. False: the host has not been welcomed yet.
  bool Change();
  // A full snapshot, one container changed. False: not live.
  bool Snapshot();
  // The connection breaks; the host comes back. False: not live.
  bool Break();
  // The collector stops.
  void Stop();
  bool idle() const { return session_ == nullptr; }
  int index() const { return index_; }
  uint64_t acknowledged_sequence() const { return acknowledged_sequence_; }
  const std::string& acknowledged_digest() const { return acknowledged_digest_; }

 private:
  // A change and what became of it.
  struct Pending {
    uint64_t sequence;
    std::string digest;
    int64_t observed_us;
    bool full;
    std::vector<std::string> scan_ids;
    absl::Duration changed;
    absl::Duration sent;
    grpc::ByteBuffer message;
  };

  void OnStarted() override;
  void OnMessage(const v1::ToCollector& message, size_t bytes) override;
  void OnWritten() override { Pump(); }
  void OnEnd(const absl::Status& status) override;

  void Connect();
  void OnWelcome(const v1::Welcome& welcome);
  void OnResync();
  void OnScan(const v1::ScanRequest& request);
  // Everything up to `sequence` is committed.
  void Acknowledged(uint64_t sequence);
  // Queues what leads to the present facts; `change` null: all of them.
  void Add(const fleet_sim::Change* change);
  // Everything not acknowledged is given up, from `first` on; the next delta is a full snapshot.
  void DropFrom(size_t first);
  // Writes what is due next, if anything.
  void Pump();
  void PumpHeartbeat();
  void Send(const grpc::ByteBuffer& message);
  void Wait(absl::Duration pause, Wake wake);
  // Keeps World's counts right; call after anything changed.
  void Count();
  double Uniform(double from, double to);

  World& world_;
  Driver& driver_;
  const HostIdentity& identity_;
  const int index_;
  HostState state_;

  std::unique_ptr<Session> session_;
  bool welcomed_ = false;
  bool breaking_ = false;
  bool refused_ = false;
  bool counted_live_ = false;
  bool counted_connecting_ = false;
  bool counted_settled_ = false;
  size_t counted_pending_ = 0;
  int attempts_ = 0;
  absl::Duration connect_began_;
  absl::Duration pause_;
  absl::Duration silent_until_;
  absl::Duration wake_[kWakes];

  absl::Duration heartbeat_interval_;
  absl::Duration next_heartbeat_;
  bool heartbeat_due_ = false;
  size_t max_unacknowledged_ = 1;

  // Not acknowledged, oldest first; the first `sent_` are under way in this session.
  std::deque<Pending> pending_;
  size_t sent_ = 0;
  uint64_t sequence_ = 0;
  uint64_t acknowledged_sequence_ = 0;
  std::string acknowledged_digest_;
  // Digest that the newest of `pending_`, or else the acknowledged facts, lead to.
  std::string tip_digest_;
  // Everything must be sent next.
  bool full_due_ = true;
  v1::ObservationGap gap_;

  // Scans asked for, with the time of the answer; answered with the next message; answered last.
  std::vector<std::pair<absl::Duration, std::string>> scans_;
  std::vector<std::string> scan_ids_;
  std::vector<std::string> answered_;
  std::vector<std::string> failed_scan_ids_;
};

}  // namespace plimsoll::fleet_sim
