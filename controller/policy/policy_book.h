// The policy in force, kept current.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/policy/policy.h"
#include "controller/store/store.h"
#include "plimsoll/v1/baseline.pb.h"
#include "proto/support/clock.h"

namespace plimsoll::policy {

// Hands out the policy of the moment, and makes a new one when another controller or this one has
// changed it, and when a waiver or a dated exemption begins or ends. Thread-safe. Borrows `store`
// and `clock`.
class PolicyBook {
 public:
  // Until the first Reload, the policy is `configured` alone: the documents this controller was
  // started with. Documents that were uploaded and activated take the place of those of their ids.
  PolicyBook(store::Store& store, const support::Clock& clock,
             const std::vector<v1::Baseline>& configured);
  // Stops.
  ~PolicyBook();
  PolicyBook(const PolicyBook&) = delete;

  // Never null. Whoever works on a host takes it once.
  std::shared_ptr<const Policy> current() const ABSL_LOCKS_EXCLUDED(mutex_);

  // `changed` is called after a policy that judges differently has come into force, by the thread
  // that brought it; must not block for long. Call before anything reloads.
  void OnChanged(std::function<void()> changed) { changed_ = std::move(changed); }

  // `prepare` is called with the documents of a policy that has others than the one in force,
  // before it comes into force; where it fails, the policy stays as it was and is tried again
  // later. May block. Call before anything reloads.
  using Prepare = std::function<absl::Status(const std::vector<Document>&)>;
  void OnDocuments(Prepare prepare) { prepare_ = std::move(prepare); }

  // Reads the database and puts the policy that holds now into force. Blocks. Errors as the
  // store's; the policy stays as it was.
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(reload_mutex_, mutex_);

  // What the policy of `now` is made of, as the database has it; `keep` is not set. Blocks. Errors
  // as the store's.
  absl::StatusOr<PolicyParts> Read(absl::Time now) const;

  // Something was announced: a thread of the book's own reloads. Never blocks.
  void Changed() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts that thread, which also watches the clock. Once.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  store::Store& store_;
  const support::Clock& clock_;
  const std::vector<Document> configured_;
  std::function<void()> changed_;
  Prepare prepare_;
  // Held while a policy is made, so that a newer one is never replaced by an older.
  absl::Mutex reload_mutex_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Policy> current_ ABSL_GUARDED_BY(mutex_);
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace plimsoll::policy
