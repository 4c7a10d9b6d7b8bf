// Which hosts changed lately, for those who watch.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::fleet {

// The last changes of this controller's index, bounded. Thread-safe.
class ChangeLog {
 public:
  // Remembers `limit` changes. `epoch` tells this log from those of other controllers and other
  // starts.
  explicit ChangeLog(std::string epoch, size_t limit = 20'000)
      : epoch_(std::move(epoch)), limit_(limit) {}

  // These hosts can be read as they are now.
  void Add(const std::vector<std::string>& host_ids) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Changes {
    // Hosts that changed after the position, each once.
    std::vector<std::string> host_ids;
    // The newest position.
    uint64_t last = 0;
    // Changes after the position are forgotten, or it is none of this log.
    bool missed = false;
  };
  Changes After(uint64_t position) const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t last() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Positions as texts. False: not of this log.
  std::string TextOf(uint64_t position) const;
  bool PositionOf(const std::string& text, uint64_t& position) const;

  // Calls `changed` from Tick until Unwatch, shortly after it once more at most; it must not block.
  // 0: `most` watch already.
  uint64_t Watch(std::function<void()> changed, size_t most) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unwatch(uint64_t handle) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells all who watch, if anything was added since the last time. Its pace is the pace of events.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::string epoch_;
  const size_t limit_;
  mutable absl::Mutex mutex_;
  // The newest is at position last_.
  std::deque<std::string> changes_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t told_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_watch_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, std::function<void()>> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::fleet
