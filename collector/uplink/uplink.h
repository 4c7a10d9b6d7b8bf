// The collector's end of the stream to its controller.
#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "collector/uplink/identity.h"
#include "plimsoll/v1/collector_gateway.grpc.pb.h"

namespace plimsoll::uplink {

// Trades a token for an identity and saves it below `state_dir`. `ca_pem` checks the controller.
// Blocks up to 30 s. Errors: those of CollectorGateway.Enroll; UNAVAILABLE when nobody answers or
// the controller's certificate is not of that CA; ABORTED when an operator has to approve first,
// with what the operator needs to know. Until there is an identity every call asks with the same
// key.
absl::StatusOr<Identity> Enroll(const std::string& controller, const std::string& ca_pem,
                                const std::string& token, const std::string& hostname,
                                const std::string& state_dir);

// Trades `identity` for one of the same host and key with a new certificate, and saves it below
// `state_dir`; for who cannot have it from a session. Blocks up to 30 s. Errors: those of
// CollectorGateway.Renew; UNAVAILABLE when nobody answers; others: it could not be saved.
absl::StatusOr<Identity> Renew(const std::string& controller, const Identity& identity,
                               const std::string& state_dir);

// One session. Thread-compatible but for Interrupt, Wake and Cancel.
class Uplink {
 public:
  // Connects to `controller` ("host:port") as `identity`; returns at once, errors show at use.
  Uplink(const std::string& controller, const Identity& identity);
  // Ends the session and joins.
  ~Uplink();

  // False when the session is over; Finish says why.
  bool Send(const v1::FromCollector& message);

  // The next message from the controller. DEADLINE_EXCEEDED: none for `patience`. CANCELLED:
  // Interrupt was called. UNAVAILABLE: the session is over; Finish says why. Wake makes it return
  // DEADLINE_EXCEEDED at once.
  absl::StatusOr<v1::ToCollector> Receive(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes the Receive under way, or else the next one, return if it has nothing. Any thread.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

  // Tears the session down, also a Send or Finish that blocks. Any thread.
  void Cancel();

  // Makes Receive return CANCELLED, now and from now on.
  void Interrupt() ABSL_LOCKS_EXCLUDED(mutex_);

  // Closes the session and returns how it ended.
  absl::Status Finish();

 private:
  void ReadLoop() ABSL_LOCKS_EXCLUDED(mutex_);

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::CollectorGateway::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::FromCollector, v1::ToCollector>> stream_;
  absl::Mutex mutex_;
  std::deque<v1::ToCollector> received_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ = false;
  std::thread reader_;
};

}  // namespace plimsoll::uplink
