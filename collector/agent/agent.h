// The collector as a service: one recorder for as long as it runs, one session after another.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "collector/agent/config.h"
#include "collector/agent/pace.h"
#include "collector/agent/recorder.h"
#include "collector/agent/self_watch.h"
#include "collector/agent/session.h"
#include "collector/agent/sight.h"
#include "collector/host/host_env.h"
#include "collector/spool/spool.h"
#include "collector/uplink/identity.h"
#include "collector/uplink/uplink.h"

namespace plimsoll::agent {

// Thread-compatible but for Stop.
class Agent {
 public:
  // Borrows `env`; `sight` is LookAtHost's, or a test's.
  Agent(host::HostEnv& env, Config config, std::unique_ptr<Sight> sight);
  ~Agent();

  // Enrols if needed, then records and serves until Stop; once only. Lost connections are tried
  // again for ever, with jittered back-off, as is an enrolment that waits for approval; a host in
  // quarantine (FAILED_PRECONDITION) and one whose certificate is not accepted (UNAUTHENTICATED)
  // or has expired meanwhile after minutes, and the log says what to do. Recording goes on
  // meanwhile. Returns an error only for what trying again cannot mend: not enrolled and no token,
  // a refused token, a rejected enrolment, a revoked or removed host, a state directory in use, and
  // at the start damaged state or an expired certificate.
  absl::Status Run();

  // Ends Run: what is queued is delivered if that can be done in Config.drain_time, and is on the
  // disk in any case. Blocks that long at most. Async-signal-unsafe; call it from a thread.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // How a session ended and what that calls for.
  struct Ended {
    absl::Status status;
    absl::Duration lasted;
  };
  absl::Status RunUntilStopped();
  absl::StatusOr<uplink::Identity> EnsureEnrolled();
  // Renews `identity` outside of a session if that is due and none has lasted long enough for it;
  // `last` is how the last one ended. PERMISSION_DENIED: as of a session; no other error.
  absl::Status RenewOutside(const absl::Status& last, uplink::Identity& identity);
  // --enroll-again, and the token has not been used by this host yet.
  bool MustEnrollAgain() const;
  absl::Status StartRecording() ABSL_LOCKS_EXCLUDED(mutex_);
  void CheckSelf();
  Ended Serve(const uplink::Identity& identity) ABSL_LOCKS_EXCLUDED(mutex_);
  // Has the newest state sent instead of a change that the controller will never take, if that is
  // why a session ended. `under_way`: it had sent a change that was not answered.
  void PassOverRefused(const absl::Status& status, bool under_way);
  // Logs why there is no session and sleeps, or returns at once when stopped.
  void PauseAfter(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for what waits for somebody to act.
  void PauseForPeople(const std::string& why) ABSL_LOCKS_EXCLUDED(mutex_);
  void Sleep(absl::Duration pause) ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopped() const ABSL_LOCKS_EXCLUDED(mutex_);

  host::HostEnv& env_;
  const Config config_;
  std::unique_ptr<Sight> sight_;
  Backoff backoff_;
  SelfWatch self_watch_;
  bool flat_ = false;
  // The first delta queued when a session ended by INTERNAL with one under way; 0: none.
  uint64_t refused_sequence_ = 0;
  std::unique_ptr<spool::Spool> spool_;
  std::unique_ptr<Recorder> recorder_;

  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time drain_deadline_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  uplink::Uplink* uplink_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Session* session_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace plimsoll::agent
