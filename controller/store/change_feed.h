// What other controllers on the same database did, as it happens.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::store {

// A connection of its own that listens (LISTEN plimsoll_host, plimsoll_scan, plimsoll_access,
// plimsoll_policy, plimsoll_authority). Callbacks come from one thread of the feed, one after the
// other, and must not block for long. Reconnects for ever, with a pause of a second; after each
// (re)connection, the first one too, `connected` is called, and whatever happened before it must be
// looked up. Never logs `url`.
class ChangeFeed {
 public:
  struct Callbacks {
    // Hosts changed (ids), committed by this controller or another.
    std::function<void(std::vector<std::string> host_ids)> hosts;
    // A scan was created or changed (id).
    std::function<void(std::string scan_id)> scan;
    // Tokens or sessions ended or changed (ids).
    std::function<void(std::vector<std::string> ids)> access = {};
    // Listening from now on.
    std::function<void()> connected;
    // Waivers, tailorings or baselines changed.
    std::function<void()> policy = {};
    // Other certificate authorities are trusted.
    std::function<void()> authority = {};
  };
  ChangeFeed(std::string url, Callbacks callbacks);
  // Stops and joins.
  ~ChangeFeed();

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Until stopped. Throws what libpqxx throws.
  void Listen();
  // False: stopped.
  bool Pause() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string url_;
  const Callbacks callbacks_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Wakes the thread while it waits for the server.
  const int stop_fd_;
  std::thread thread_;
};

}  // namespace plimsoll::store
