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

// Turns Docker's event stream, inotify and slow polls into scopes. Reconnects to the engine for
// ever, and after each connection asks for whatever may have been missed. Bursts become one scope;
// an object that changes again and again is named at most `max_per_object_a_minute` times a minute,
// and always once more after its last change. Threads of its own; all methods may be called from
// any thread.
class Watcher {
 public:
  struct Options {
    std::string socket_path;
    // Changes that follow within this come together; the first after a silence comes at once.
    absl::Duration quiet = absl::Milliseconds(20);
    int max_per_object_a_minute = 20;
    // Audit rules, mounts, listeners, users: what no event tells.
    absl::Duration poll_interval = absl::Seconds(30);
  };

  // `wake` is called, from a thread of the watcher and without its locks, when a scope becomes due;
  // it must not block. Borrows `env` for its `files` and `clock` only.
  Watcher(host::HostEnv& env, Options options, std::function<void()> wake);
  // Stops and joins.
  ~Watcher();

  // What to watch: the plan's files and their parents, and what `facts` says of the daemon (its
  // configuration files, its pid). Called after every collection; cheap when nothing changed.
  void Follow(const v1::CollectionPlan& plan, const v1::HostFacts& facts);

  // What is due now, and forgets it; empty: nothing.
  sources::Scope Take();
  // When the next scope is due if nothing happens; InfiniteFuture: none is pending.
  absl::Time NextDue() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace plimsoll::tracker
