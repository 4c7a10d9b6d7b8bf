// Keeps the engine's event stream open.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "collector/host/engine_events.h"
#include "collector/sources/refresh.h"
#include "proto/support/clock.h"

namespace plimsoll::tracker {

// Streams on a thread of its own, for ever: what ended is opened again, from the last event on,
// with pauses that grow up to `longest_pause` while nobody answers. All methods may be called from
// any thread.
class EngineListener {
 public:
  struct Counters {
    int64_t events = 0;
    int64_t skipped_lines = 0;
    int64_t connections = 0;
    bool connected = false;
  };

  // `note` is called on the listener's thread with what may have changed: what an event tells;
  // after each connection every object of the engine; and everything once the engine is away, and
  // once it is back. Borrows `events` and `clock`.
  EngineListener(host::EngineEvents& events, const support::Clock& clock,
                 absl::Duration longest_pause,
                 std::function<void(const sources::Scope& scope, bool urgent)> note);
  // Stops and joins. `events` is cancelled for good.
  ~EngineListener();

  // The API version of later connections, such as "/v1.41"; until then none is named, and the
  // engine speaks its newest.
  void SetApiPrefix(const std::string& prefix);
  // The engine may be back: no pause any more.
  void Retry();
  Counters counters() const;

 private:
  void Run();
  void Opened();
  void Heard(const host::EngineEvent& event);
  void Skipped();
  // Pauses after a stream that ended so. False: it is time to stop.
  bool Pause(const absl::Status& status);

  host::EngineEvents& events_;
  const support::Clock& clock_;
  const absl::Duration longest_pause_;
  const std::function<void(const sources::Scope&, bool)> note_;
  mutable absl::Mutex mutex_;
  std::string prefix_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool retry_ ABSL_GUARDED_BY(mutex_) = false;
  Counters counters_ ABSL_GUARDED_BY(mutex_);
  // Of the thread alone.
  absl::Time since_ = absl::InfinitePast();
  absl::Duration pause_;
  bool away_ = false;
  std::thread thread_;
};

}  // namespace plimsoll::tracker
