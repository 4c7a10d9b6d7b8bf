#include "tests/bench/fleet_sim/session.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/credentials.h>

#include "proto/support/grpc_status.h"

namespace plimsoll::fleet_sim {
namespace {

// As the collector opens it: a connection of its own each.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& controller, const std::string& ca_pem,
                                           const HostIdentity& identity, absl::Duration keepalive) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ca_pem;
  tls.pem_private_key = identity.key_pem;
  tls.pem_cert_chain = identity.certificate_pem;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS,
                   static_cast<int>(absl::ToInt64Milliseconds(keepalive)));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // Hosts have their own back-off.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return grpc::CreateCustomChannel(controller, grpc::SslCredentials(tls), arguments);
}

}  // namespace

grpc::ByteBuffer ToBytes(const google::protobuf::MessageLite& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

Session::Session(const std::string& controller, const std::string& ca_pem,
                 const HostIdentity& identity, absl::Duration keepalive,
                 grpc::CompletionQueue& queue, Owner& owner)
    : owner_(owner), channel_(OpenChannel(controller, ca_pem, identity, keepalive)) {
  for (int i = 0; i < kOperations; ++i) tags_[i] = {this, static_cast<Operation>(i)};
  stream_ = grpc::GenericStub(channel_).PrepareCall(
      &context_, "/plimsoll.v1.CollectorGateway/Connect", &queue);
  stream_->StartCall(&tags_[kStart]);
}

void Session::Write(const grpc::ByteBuffer& message) {
  writing_ = true;
  stream_->Write(message, &tags_[kWrite]);
}

void Session::Close() {
  if (closed_ || !writable()) {
    Cancel();
    return;
  }
  closed_ = true;
  writing_ = true;
  stream_->WritesDone(&tags_[kWrite]);
}

void Session::Complete(void* tag, bool ok) {
  const Tag& completed = *static_cast<Tag*>(tag);
  Session& session = *completed.session;
  switch (completed.operation) {
    case kStart:
      session.OnStart(ok);
      return;
    case kRead:
      session.OnRead(ok);
      return;
    case kWrite:
      session.writing_ = false;
      if (session.over_) {
        session.EndIfOver();
      } else if (ok && !session.closed_) {
        session.owner_.OnWritten();
      }
      return;
    case kFinish:
      session.finished_ = true;
      session.EndIfOver();
      return;
    case kOperations:
      return;
  }
}

void Session::OnStart(bool ok) {
  started_ = true;
  if (!ok) {
    Finish();
    return;
  }
  stream_->Read(&incoming_, &tags_[kRead]);
  owner_.OnStarted();
}

void Session::OnRead(bool ok) {
  if (!ok) {
    Finish();
    return;
  }
  const size_t bytes = incoming_.Length();
  v1::ToCollector message;
  const bool parsed =
      grpc::SerializationTraits<v1::ToCollector>::Deserialize(&incoming_, &message).ok();
  stream_->Read(&incoming_, &tags_[kRead]);
  if (parsed) {
    owner_.OnMessage(message, bytes);
  } else {
    Cancel();
  }
}

void Session::Finish() {
  over_ = true;
  stream_->Finish(&status_, &tags_[kFinish]);
}

void Session::EndIfOver() {
  if (finished_ && !writing_) owner_.OnEnd(support::FromGrpc(status_));
}

}  // namespace plimsoll::fleet_sim
