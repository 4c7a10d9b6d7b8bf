// The streams that are open on this controller, and which of them is its host's session.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/store/host_store.h"

namespace plimsoll::gateway {

// A stream as the registry sees it. Called without the registry's lock held, from any thread; must
// not block.
class OpenSession {
 public:
  virtual ~OpenSession() = default;
  // Ends the stream once. False: it was ended before, and nothing is done.
  virtual bool End(const absl::Status& why) = 0;
  // About once a second.
  virtual void Tick(absl::Time now) = 0;
  // When the collector last said something; InfinitePast: not yet.
  virtual absl::Time LastHeard() const = 0;
  // Of the lease that it took; 0: none yet.
  virtual int64_t Epoch() const = 0;
};

// A host has at most one session here and one stream that may become it. Thread-safe.
class SessionRegistry {
 public:
  // A stream of `host_id` was opened; ends an earlier one that has not become a session yet.
  // Returns the stream's id, never 0. After Drain the stream is ended at once with UNAVAILABLE.
  uint64_t Open(const std::string& host_id, std::weak_ptr<OpenSession> session)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The stream is the host's session from now on; the one there was is ended with ABORTED. False:
  // the stream was ended meanwhile.
  bool Claim(const std::string& host_id, uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);
  // The stream is over. True when it was the host's session.
  bool Close(const std::string& host_id, uint64_t id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends whatever the host has open.
  void EndHost(const std::string& host_id, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the host's session if this is its lease. False: it is not, or had been ended before.
  bool EndLease(const std::string& host_id, int64_t epoch, const absl::Status& why)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all streams with UNAVAILABLE, and every later one: the controller stops.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ticks all streams.
  void Tick(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  // Hosts with sessions, and those of them heard of after `since`, with the time.
  size_t Count() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::map<std::string, absl::Time> Heard(absl::Time since) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The same without sessions that do not have their lease yet, as HostStore::Touch takes it.
  std::map<std::string, store::SessionSeen> HeardByLease(absl::Time since) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Drain was called.
  bool IsDraining() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Streams, sessions or not.
  size_t OpenCount() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Held from Claim until the lease is taken in the store, so that leases are taken in the order of
  // claims: a session that was displaced cannot take the lease from its successor. Some hosts share
  // one lock.
  absl::Mutex& LeaseLock(const std::string& host_id);

 private:
  struct Stream {
    // 0: none.
    uint64_t id = 0;
    std::weak_ptr<OpenSession> session;
  };
  struct Host {
    Stream session;
    Stream greeting;
  };
  // By host, without streams that have not become one.
  std::vector<std::pair<std::string, std::shared_ptr<OpenSession>>> Sessions() const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<OpenSession>> All() const ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  size_t sessions_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, Host> hosts_ ABSL_GUARDED_BY(mutex_);
  std::array<absl::Mutex, 64> lease_locks_;
};

}  // namespace plimsoll::gateway
