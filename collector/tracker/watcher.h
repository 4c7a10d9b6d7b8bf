// Watches the host for changes and says what to collect again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "collector/host/host_env.h"
#include "collector/sources/refresh.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::tracker {

// Turns Docker's event stream, inotify, the end of the engine's process, changes of its mounts and
// slow polls into scopes. Reconnects to the engine for ever, and after each connection asks for
// whatever may have been missed. Bursts become one scope; an object that changes again and again is
// named at most `max_per_object_a_minute` times a minute, and always once more after its last
// change. Two threads of its own, both asleep while nothing happens; all methods may be called from
// any thread.
//
// Order of use: construct, Take (what is pending is in the collection that follows), CollectAll,
// Follow; then, whenever a scope is due: Take, Refresh, Follow. A change during a collection is due
// again after it.
class Watcher {
 public:
  struct Options {
    std::string socket_path;
    // Where the host's root file system is mounted; "/" on the host itself.
    std::string host_root = "/";
    // Changes that follow within this come together; the first after a silence comes at once.
    absl::Duration quiet = absl::Milliseconds(20);
    int max_per_object_a_minute = 20;
    // Audit rules, listeners, users: what no event tells. Also files and mounts where the kernel
    // does not tell of them.
    absl::Duration poll_interval = absl::Seconds(30);
    // Kernel watches for files; beyond them files are polled. A host needs about a hundred.
    size_t max_file_watches = 8192;
  };

  // `wake` is called, from a thread of the watcher and without its locks, when a scope becomes due:
  // once, until Take. It must not block, nor destroy the watcher. Borrows `env` for its `clock`
  // only.
  Watcher(host::HostEnv& env, Options options, std::function<void()> wake);
  // Stops and joins.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // What to watch: the plan's files and their parents, and what `facts` says of the daemon (its
  // configuration files, its pid). Called after every collection; cheap when nothing changed. Files
  // that were not watched before become due once, for what happened since they were read.
  void Follow(const v1::CollectionPlan& plan, const v1::HostFacts& facts);

  // What is due now, and forgets it; empty: nothing.
  sources::Scope Take();
  // When the next scope is due if nothing happens; InfiniteFuture: none is pending.
  absl::Time NextDue() const;

  // Since the start, for logs and metrics.
  struct Counters {
    int64_t events = 0;
    // Lines of the stream that were no events.
    int64_t skipped_lines = 0;
    int64_t connections = 0;
    // Whether the stream is open, and whether every file is watched rather than polled.
    bool connected = false;
    bool files_watched = false;
  };
  Counters counters() const;

 private:
  class State;
  const std::unique_ptr<State> state_;
};

}  // namespace plimsoll::tracker
