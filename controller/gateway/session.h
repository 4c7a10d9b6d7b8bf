// One collector's session.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/gateway/gateway_service.h"
#include "controller/gateway/peer_identity.h"

namespace plimsoll::gateway {

// What ABORTED says to a collector whose session is fenced off.
inline constexpr char kLeaseLost[] = "this session does not have the host's lease any more";

// A bidirectional stream in gRPC's callback style. Messages of one session are handled one after
// the other: the next is read only when the last is committed, so a collector feels back-pressure.
// A heartbeat is answered where it arrives; everything else waits for room (ByteBudget), is decoded
// on a worker, and is done when the database has it. While it waits for a message a session keeps
// neither message nor thread. The object lives until gRPC is done with it and no work refers to it.
class Session final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                      public OpenSession {
 public:
  // Refuses the stream at once when `peer` is an error.
  static Session* Start(SessionContext& shared, grpc::CallbackServerContext* context,
                        absl::StatusOr<PeerIdentity> peer);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

  // While a message is being handled, gRPC is told only afterwards, so that OnDone never runs
  // beside it; a stream ended with UNAVAILABLE (the controller stops) still gets its
  // acknowledgement.
  bool End(const absl::Status& why) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Tick(absl::Time now) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Time LastHeard() const override { return absl::FromUnixNanos(last_heard_); }
  int64_t Epoch() const override { return welcomed_ ? stream_.epoch : 0; }

 private:
  Session(SessionContext& shared, grpc::CallbackServerContext* context, PeerIdentity peer);

  // --- Messages: one at a time, each ends in Complete.

  // True: it was a heartbeat, and is done.
  bool HandledInPlace(int64_t length);
  void AwaitRoom(int64_t length);
  // On a worker, with room.
  void Decode();
  void Handle(v1::FromCollector& message);
  void HandleDelta(v1::FactsDelta& delta);
  absl::Status HandleHello(const v1::Hello& hello);
  absl::StatusOr<store::SessionLease> TakeLease(const v1::Hello& hello);
  void Welcome(const v1::Hello& hello);
  absl::Status HandleHeartbeat(const v1::Heartbeat& heartbeat);
  absl::Status HandleRenew(const v1::RenewRequest& request);
  absl::Status Answer(absl::StatusOr<Ingest::Result> result, uint64_t sequence);
  // Runs `work`, which blocks, on the lane for it, and completes with what it returns.
  void RunInLane(Lane& lane, std::function<absl::Status()> work);
  // The message is done: gives its room back, ends a session that broke the rules, reads on.
  void Complete(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // The collector exceeds its pace: nothing is read for `pause`.
  void Hold(absl::Duration pause) ABSL_LOCKS_EXCLUDED(mutex_);
  // Logs a complaint about this host, unless there are too many of them.
  void Complain(const absl::Status& why);

  // --- The stream.

  void Send(const v1::ToCollector& message) ABSL_LOCKS_EXCLUDED(mutex_);
  void SlowDown(absl::Duration pause, const std::string& reason) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the collector of a plan that is another than it has.
  void TellPlan() ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives the collector a new certificate and bundle when hosts trust something else by now.
  void TellTrust(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // In the lane for answers.
  void Reissue() ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends a stream whose peer would not read a status: it would wait behind what is unread.
  void Cut(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells gRPC, once, when the stream has ended and nothing is left to do.
  void FinishIfOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  SessionContext& shared_;
  const GatewayParts& parts_;
  // Valid until OnDone.
  grpc::CallbackServerContext* const context_;
  const PeerIdentity peer_;
  // Keeps this object until OnDone.
  std::shared_ptr<Session> self_;
  uint64_t id_ = 0;
  std::atomic<int64_t> last_heard_;

  // Of whoever handles the message; the lease stays as it is from here on, for all to read.
  std::atomic<bool> welcomed_{false};
  HostStream stream_;
  TokenBucket delta_pace_;
  TokenBucket heartbeat_pace_;
  grpc::ByteBuffer incoming_;
  // Of the message at hand, in the budget.
  int64_t room_ = 0;

  absl::Mutex mutex_;
  std::deque<grpc::ByteBuffer> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool handling_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time handling_since_ ABSL_GUARDED_BY(mutex_);
  // Silence counts from here.
  absl::Time reading_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  // Of the plan that the collector was told.
  std::string plan_digest_ ABSL_GUARDED_BY(mutex_);
  // Of what the collector was last given, or is about to be given at `reissue_at_`.
  uint64_t trust_generation_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time reissue_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time next_slow_down_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Nothing is read before; Tick goes on.
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time hold_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::gateway
