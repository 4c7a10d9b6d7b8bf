// Following a stream of the API for one caller, one message at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/api/methods.h"
#include "proto/support/worker_pool.h"

namespace plimsoll::api {

// Whoever writes to the client asks for the next message when the last one is written, so a slow
// client skips states and holds one message at most. Before every message the caller is known
// anew: a stream does not outlive its caller's token or role. Thread-safe.
class Follower : public std::enable_shared_from_this<Follower> {
 public:
  // Who calls, with `peer` set; or why that is not known.
  using Authenticate = std::function<absl::StatusOr<Principal>()>;
  // A message; null when the stream is over as it should; or why it ended before.
  using Step = std::function<void(absl::StatusOr<AnyMessage>)>;

  // Borrows table and pool, which outlive it. `method` streams. The stream itself is opened with
  // the first Next.
  static std::shared_ptr<Follower> Start(const MethodTable& table, support::WorkerPool& workers,
                                         const Method& method, AnyMessage request,
                                         Authenticate authenticate, std::string peer);

  // Calls `step` exactly once: at once, or from the pool when there is something. `step` must not
  // block. Not before the last one was called.
  void Next(Step step) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the stream: a Next under way gets `why`, as do later ones. The first end counts.
  void Close(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Follower(const MethodTable& table, support::WorkerPool& workers, const Method& method,
           AnyMessage request, Authenticate authenticate, std::string peer);
  // Something may be new.
  void Changed() ABSL_LOCKS_EXCLUDED(mutex_);
  // Puts Run on the pool if somebody waits for what may be there.
  void Kick() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // One step, by the thread that runs.
  absl::StatusOr<Stream::Step> Advance();

  const MethodTable& table_;
  support::WorkerPool& workers_;
  const Method& method_;
  const AnyMessage request_;
  const Authenticate authenticate_;
  const std::string peer_;
  const absl::Time begin_;
  // Of the thread that runs.
  std::unique_ptr<Stream> stream_;
  bool told_ = false;

  absl::Mutex mutex_;
  Step step_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool changed_ ABSL_GUARDED_BY(mutex_) = true;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  // Why it is over; OK: as it should.
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::api
