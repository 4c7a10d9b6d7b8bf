// The collector as a service: one session after another, facts when they are asked for or due.
#pragma once

#include <atomic>
#include <memory>
#include <random>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "collector/agent/config.h"
#include "collector/host/host_env.h"
#include "collector/uplink/identity.h"
#include "collector/uplink/uplink.h"

namespace plimsoll::agent {

// Thread-compatible but for Stop.
class Agent {
 public:
  // Borrows `env`.
  Agent(host::HostEnv& env, Config config);

  // Enrols if needed, then serves until Stop. Lost connections are tried again for ever, with
  // jittered back-off. Returns an error only for what trying again cannot mend: not enrolled and no
  // token, a refused token, a revoked host, damaged state.
  absl::Status Run();

  // Ends Run soon. Async-signal-unsafe; call it from a thread.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::StatusOr<uplink::Identity> EnsureEnrolled();
  // One session; returns why it ended. `welcomed` tells whether it ever worked.
  absl::Status Session(const uplink::Identity& identity, bool& welcomed);
  // Sleeps, or returns at once when stopped.
  void Pause(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopped() ABSL_LOCKS_EXCLUDED(mutex_);

  host::HostEnv& env_;
  const Config config_;
  std::mt19937 random_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  uplink::Uplink* uplink_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace plimsoll::agent
