// What-ifs: the fleet judged under a policy that is not in force.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/fleet/index.h"
#include "controller/fleet/selector.h"
#include "controller/policy/policy.h"
#include "controller/store/store.h"
#include "plimsoll/v1/what_if_service.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::reevaluate {

// Runs what-ifs one after the other on a thread of its own, which is nice and waits while all
// connections to the database are in use, and keeps their outcome for a while. Thread-safe. Borrows
// all.
class WhatIfs {
 public:
  WhatIfs(store::Store& store, const fleet::FleetIndex& index, const support::Clock& clock);
  // Stops.
  ~WhatIfs();
  WhatIfs(const WhatIfs&) = delete;

  // Compares `before` and `after` on the hosts that `scope` means. `owner` names who may look at
  // it. RESOURCE_EXHAUSTED: too many are kept.
  absl::StatusOr<v1::WhatIf> Start(const std::string& id, const std::string& owner,
                                   std::shared_ptr<const policy::Policy> before,
                                   std::shared_ptr<const policy::Policy> after,
                                   const fleet::Selector& scope) ABSL_LOCKS_EXCLUDED(mutex_);
  // NOT_FOUND: there is none of this owner.
  absl::StatusOr<v1::WhatIf> Get(const std::string& id, const std::string& owner)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Flips from place `begin` on, at most `limit`. NOT_FOUND.
  absl::StatusOr<std::vector<v1::Flip>> ListFlips(const std::string& id, const std::string& owner,
                                                  size_t begin, size_t limit)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // NOT_FOUND.
  absl::Status Cancel(const std::string& id, const std::string& owner) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends after the hosts at hand. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // What-ifs kept, flips listed of each, and how long one is kept that nobody looks at.
  static constexpr size_t kMostKept = 8;
  static constexpr size_t kMostFlips = 100'000;
  static constexpr absl::Duration kLifetime = absl::Minutes(30);

 private:
  struct Host {
    std::string id;
    std::string hostname;
    policy::Labels labels;
    bool connected = false;
  };
  struct Run {
    std::string owner;
    std::shared_ptr<const policy::Policy> before;
    std::shared_ptr<const policy::Policy> after;
    std::vector<Host> hosts;
    absl::Time looked_at;
    v1::WhatIf what_if;
    std::vector<v1::Flip> flips;
    // from, from_waived, to, to_waived -> count; baseline, rule -> count, hosts.
    std::map<std::tuple<int, bool, int, bool>, int64_t> by_status;
    std::map<std::pair<std::string, std::string>, std::pair<int64_t, int32_t>> by_rule;
  };
  using RunPtr = std::shared_ptr<Run>;

  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Judges hosts [begin, end) of a run.
  absl::Status Judge(const Run& run, size_t begin, size_t end,
                     std::vector<std::vector<v1::Flip>>& flips, std::vector<bool>& judged);
  void Note(Run& run, const Host& host, bool judged, std::vector<v1::Flip> flips)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<RunPtr> Find(const std::string& id, const std::string& owner)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static v1::WhatIf Describe(const Run& run);
  void Forget() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  store::Store& store_;
  const fleet::FleetIndex& index_;
  const support::Clock& clock_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, RunPtr> runs_ ABSL_GUARDED_BY(mutex_);
  // Waiting, oldest first.
  std::vector<RunPtr> queue_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace plimsoll::reevaluate
