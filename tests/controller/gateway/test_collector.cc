#include "tests/controller/gateway/test_collector.h"

#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/support/sync_stream.h>

#include <utility>
#include <vector>

#include "proto/support/grpc_status.h"

namespace plimsoll::gateway {
namespace {

std::shared_ptr<grpc::Channel> Connect(const std::string& address,
                                       const uplink::Identity& identity) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = identity.ca_pem;
  tls.pem_private_key = identity.key_pem;
  tls.pem_cert_chain = identity.certificate_pem;
  grpc::ChannelArguments arguments;
  // A connection of its own: what one test collector does must not be felt by another.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
}

}  // namespace

TestCollector::TestCollector(const std::string& address, const uplink::Identity& identity,
                             Reads reads)
    : channel_(Connect(address, identity)) {
  const grpc::internal::RpcMethod method("/plimsoll.v1.CollectorGateway/Connect",
                                         grpc::internal::RpcMethod::BIDI_STREAMING, channel_);
  stream_.reset(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
          channel_.get(), method, &context_));
  if (reads == Reads::kAlways) reader_ = std::thread([this] { ReadLoop(); });
}

TestCollector::~TestCollector() {
  if (!finished_) Cancel();
  Finish().IgnoreError();
}

bool TestCollector::SendBytes(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return stream_->Write(grpc::ByteBuffer(&slice, 1));
}

absl::StatusOr<v1::ToCollector> TestCollector::Receive(absl::Duration patience) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return over_ || !received_.empty();
  };
  if (!mutex_.AwaitWithTimeout(absl::Condition(&ready), patience)) {
    return absl::DeadlineExceededError("no message");
  }
  if (received_.empty()) return absl::UnavailableError("the stream is over");
  v1::ToCollector message = std::move(received_.front());
  received_.pop_front();
  return message;
}

absl::Status TestCollector::Finish() {
  if (finished_) return absl::OkStatus();
  finished_ = true;
  stream_->WritesDone();
  if (reader_.joinable()) reader_.join();
  return support::FromGrpc(stream_->Finish());
}

void TestCollector::ReadLoop() {
  grpc::ByteBuffer bytes;
  while (stream_->Read(&bytes)) {
    std::vector<grpc::Slice> slices;
    std::string text;
    if (bytes.Dump(&slices).ok()) {
      for (const grpc::Slice& slice : slices) {
        text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
      }
    }
    v1::ToCollector message;
    message.ParseFromString(text);
    absl::MutexLock lock(&mutex_);
    received_.push_back(std::move(message));
  }
  absl::MutexLock lock(&mutex_);
  over_ = true;
}

}  // namespace plimsoll::gateway
