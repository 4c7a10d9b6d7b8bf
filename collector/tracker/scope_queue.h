// When a change is worth a look: bursts come together, what flaps is held back but never forgotten.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "collector/sources/refresh.h"

namespace plimsoll::tracker {

// Collects scopes and says when they are due. Time is an argument; it may jump, and changes are
// then due early rather than late. Not thread-safe. Memory: what is pending, at most
// `max_pending` objects of a kind (more become the whole list), and one entry for each object that
// changed within the last minute.
class ScopeQueue {
 public:
  struct Options {
    // The first change after a silence is due at once; what follows comes this much after it.
    absl::Duration quiet = absl::Milliseconds(20);
    // While changes come in numbers, the pause between two scopes doubles up to this, and halves
    // again when they become few. Urgent ones wait for `quiet` only.
    absl::Duration longest_quiet = absl::Milliseconds(200);
    // Each object: half of these at once, the rest spread over the minute; at least 2. Every change
    // is followed by a look, at the latest two such intervals later.
    int max_per_object_a_minute = 20;
    size_t max_pending = 1000;
  };

  explicit ScopeQueue(Options options);

  // Notes that what `scope` names may have changed. `urgent`: a container that was created, and is
  // not yet running; nothing slower than it must hold it up.
  void Add(const sources::Scope& scope, absl::Time now, bool urgent = false);

  // What is due, and forgets it. `all` takes everything that is pending along. While something
  // urgent is due, only containers and the volumes they may mount; the rest stays due.
  sources::Scope Take(absl::Time now);

  // When the next is due; InfiniteFuture: nothing is pending.
  absl::Time NextDue() const;

 private:
  enum class Kind { kContainer, kImage, kFlag };
  // A flag's "id" is its number in the table of flags.
  using Key = std::pair<Kind, std::string>;
  struct Object {
    // Looks left at once, as of `counted`.
    double looks = 0;
    absl::Time counted;
    bool pending = false;
    bool urgent = false;
    // Not before.
    absl::Time due;
  };

  void Note(const Key& key, absl::Time due, absl::Time now, bool urgent);
  bool IsUrgent(absl::Time now) const;
  void Refill(Object& object, absl::Time now) const;
  void Spend(Object& object, absl::Time now) const;
  void Forget(absl::Time now);
  // After the clock was put back, times to come mean nothing.
  void KeepTime(absl::Time now);

  const Options options_;
  const double burst_;
  const absl::Duration refill_;
  std::map<Key, Object> objects_;
  absl::Time last_taken_ = absl::InfinitePast();
  absl::Time last_now_ = absl::InfinitePast();
  absl::Duration pause_;
  // Calls of Add since the last scope.
  int added_ = 0;
};

}  // namespace plimsoll::tracker
