// One stream to a controller, on a connection of its own.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "plimsoll/v1/collector_gateway.pb.h"
#include "tests/bench/fleet_sim/identities.h"

namespace plimsoll::fleet_sim {

// Drives gRPC's calls of CollectorGateway.Connect with messages that are serialised already. All
// happens on the thread that serves `queue`; not thread-safe.
class Session {
 public:
  // Told what happens. OnEnd is last: the session may be destroyed in it.
  class Owner {
   public:
    virtual ~Owner() = default;
    // The stream stands: the first message can be written.
    virtual void OnStarted() = 0;
    virtual void OnMessage(const v1::ToCollector& message, size_t bytes) = 0;
    // The message given to Write is on its way; the next one may be written.
    virtual void OnWritten() = 0;
    virtual void OnEnd(const absl::Status& status) = 0;
  };

  // Begins to connect. Borrows `queue` and `owner`.
  Session(const std::string& controller, const std::string& ca_pem, const HostIdentity& identity,
          absl::Duration keepalive, grpc::CompletionQueue& queue, Owner& owner);

  // One message at a time: only while `writable`.
  void Write(const grpc::ByteBuffer& message);
  bool writable() const { return started_ && !writing_ && !closed_ && !over_; }
  // Ends the session as a collector that stops does.
  void Close();
  // Breaks it off.
  void Cancel() { context_.TryCancel(); }

  // What `queue` returned.
  static void Complete(void* tag, bool ok);

 private:
  enum Operation { kStart, kRead, kWrite, kFinish, kOperations };
  struct Tag {
    Session* session;
    Operation operation;
  };
  void OnStart(bool ok);
  void OnRead(bool ok);
  void Finish();
  void EndIfOver();

  Owner& owner_;
  Tag tags_[kOperations];
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  bool started_ = false;
  bool writing_ = false;
  bool closed_ = false;
  // No more reads; the status is asked for, or there.
  bool over_ = false;
  bool finished_ = false;
};

// Serialises for Session::Write.
grpc::ByteBuffer ToBytes(const google::protobuf::MessageLite& message);

}  // namespace plimsoll::fleet_sim
