// Tells sessions at once that their host is no longer welcome.
#pragma once

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::access {

// Thread-safe. Listeners are called on the revoking thread, without the lock held.
class Revocations {
 public:
  using Listener = std::function<void(const std::string& host_id)>;
  // Returns a handle for Remove.
  int Add(Listener listener) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(int handle) ABSL_LOCKS_EXCLUDED(mutex_);
  void Announce(const std::string& host_id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  int next_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<int, Listener> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::access
