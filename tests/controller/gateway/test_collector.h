// A collector's end of the stream that says whatever a test wants, well-formed or not.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "collector/uplink/identity.h"
#include "plimsoll/v1/collector_gateway.pb.h"

namespace plimsoll::gateway {

// One stream, as bytes. Methods are for one thread.
class TestCollector {
 public:
  enum class Reads { kAlways, kNever };
  TestCollector(const std::string& address, const uplink::Identity& identity,
                Reads reads = Reads::kAlways);
  // Ends the stream and joins.
  ~TestCollector();

  // False when the stream is over.
  bool Send(const v1::FromCollector& message) { return SendBytes(message.SerializeAsString()); }
  bool SendBytes(const std::string& bytes);

  // The next message. DEADLINE_EXCEEDED: none within `patience`; UNAVAILABLE: the stream is over,
  // and Finish says why.
  absl::StatusOr<v1::ToCollector> Receive(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);

  // Closes the stream and returns how it ended.
  absl::Status Finish();
  // Breaks the stream off, as a machine that is gone would.
  void Cancel() { context_.TryCancel(); }

 private:
  void ReadLoop() ABSL_LOCKS_EXCLUDED(mutex_);

  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
  absl::Mutex mutex_;
  std::deque<v1::ToCollector> received_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ = false;
  std::thread reader_;
};

}  // namespace plimsoll::gateway
