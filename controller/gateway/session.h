// One collector's session.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/gateway/gateway_service.h"

namespace plimsoll::gateway {

// A bidirectional stream in gRPC's callback style. Messages of one session are handled one after
// the other, on the worker pool: the next is read only when the last is committed, so a collector
// feels back-pressure. The object lives until gRPC is done with it and no work refers to it.
class Session : public grpc::ServerBidiReactor<v1::FromCollector, v1::ToCollector> {
 public:
  // Refuses the stream at once when `peer` is an error.
  static Session* Start(GatewayParts& parts, absl::StatusOr<PeerIdentity> peer,
                        std::string address);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  Session(GatewayParts& parts, PeerIdentity peer, std::string address);

  // Work on the pool.
  void Handle();
  absl::Status HandleHello(const v1::Hello& hello);
  absl::Status HandleMessage(const v1::FromCollector& message);
  absl::Status Answer(absl::StatusOr<Ingest::Result> result, uint64_t sequence);

  void Send(v1::ToCollector message) ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Reads the next message, or finishes a stream that ended meanwhile.
  void ReadNext() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream once; later calls do nothing. While a message is being handled, gRPC is told
  // only afterwards, so that OnDone never runs beside Handle.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  GatewayParts& parts_;
  const PeerIdentity peer_;
  const std::string address_;
  // Keeps this object until OnDone.
  std::shared_ptr<Session> self_;
  uint64_t session_id_ = 0;
  bool welcomed_ = false;
  v1::FromCollector incoming_;

  absl::Mutex mutex_;
  std::deque<v1::ToCollector> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool handling_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::gateway
