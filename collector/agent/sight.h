// What the recorder sees of the host: collections, and what may have changed since.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "collector/agent/config.h"
#include "collector/host/host_env.h"
#include "collector/sources/refresh.h"
#include "plimsoll/v1/host_facts.pb.h"
#include "plimsoll/v1/plan.pb.h"

namespace plimsoll::agent {

// Called from one thread, but for `wake`.
class Sight {
 public:
  virtual ~Sight() = default;

  // Watches from now on. `wake` is called from any thread when Take may have something; it does not
  // block. Called once, before all others.
  virtual void Begin(std::function<void()> wake) = 0;

  // As sources::Refresh. Blocking.
  virtual void Refresh(const v1::CollectionPlan& plan, const sources::Scope& scope,
                       v1::HostFacts& facts) = 0;

  // As tracker::Watcher::Follow, after every collection.
  virtual void Follow(const v1::CollectionPlan& plan, const v1::HostFacts& facts) = 0;

  // What is due to be collected again, and forgets it; nullopt: nothing.
  virtual std::optional<sources::Scope> Take() = 0;

  // When Take will have something even if nothing happens; InfiniteFuture: not known to be.
  virtual absl::Time NextDue() const = 0;
};

// The host behind `env`, which it borrows; without a watcher when `config` says so.
std::unique_ptr<Sight> LookAtHost(host::HostEnv& env, const Config& config);

}  // namespace plimsoll::agent
