// The sessions that are open on this controller, one a host.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::gateway {

// Thread-safe. `end` functions are called without the lock held and must not block.
class SessionRegistry {
 public:
  using End = std::function<void(const absl::Status&)>;

  // Registers a session and ends the one this host had with ABORTED. Returns the new session's id.
  // After Drain, the new session is ended at once with UNAVAILABLE.
  uint64_t Add(const std::string& host_id, End end) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns true when this was the host's session (and not one that a newer displaced).
  bool Remove(const std::string& host_id, uint64_t session_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the host's session, if there is one.
  void EndHost(const std::string& host_id, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all sessions with UNAVAILABLE, and every later one: the controller stops.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t Count() const ABSL_LOCKS_EXCLUDED(mutex_);
  // True while the host has a session here.
  bool Has(const std::string& host_id) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Held while the store is told that a session of this host began or ended: with Has asked under
  // it, a session's end that is stored late cannot undo the beginning of the next. Some hosts share
  // one lock.
  absl::Mutex& StateLock(const std::string& host_id);

 private:
  struct Entry {
    uint64_t id = 0;
    End end;
  };
  mutable absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<std::string, Entry> sessions_ ABSL_GUARDED_BY(mutex_);
  std::array<absl::Mutex, 64> state_locks_;
};

}  // namespace plimsoll::gateway
