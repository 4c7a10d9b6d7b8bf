// One server-streaming call: messages of the API's stream, as fast as the client takes them.
#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "controller/api/follow.h"
#include "controller/rpc/caller.h"
#include "controller/rpc/services.h"
#include "proto/support/grpc_peer.h"

namespace plimsoll::rpc {

// The streams that are open, so that a stopping controller can end them. Thread-safe.
class OpenStreams {
 public:
  void Add(const std::shared_ptr<api::Follower>& follower) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const api::Follower* follower) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all with UNAVAILABLE.
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  std::map<const api::Follower*, std::weak_ptr<api::Follower>> open_ ABSL_GUARDED_BY(mutex_);
};

// One stream. Asks for the next message when the last one is written; states in between are
// skipped. Lives until gRPC is done with it and no step refers to it.
template <class Response>
class Streaming : public grpc::ServerWriteReactor<Response>,
                  public std::enable_shared_from_this<Streaming<Response>> {
 public:
  static Streaming* Start(const ApiParts& parts, OpenStreams& streams,
                          grpc::CallbackServerContext* context, const api::Method& method,
                          const google::protobuf::Message& request) {
    const std::string address = support::AddressOf(context->peer());
    const std::string authorization = Authorization(*context);
    api::AnyMessage asked = method.make_request();
    asked->CopyFrom(request);
    auto follower = api::Follower::Start(
        parts.methods, parts.workers, method, std::move(asked),
        [&parts, authorization, address] {
          return Authenticate(parts.authenticator, authorization, address);
        },
        address);
    std::shared_ptr<Streaming> stream(new Streaming(streams, *context, follower, method, address));
    stream->self_ = stream;
    streams.Add(follower);
    // Its first message would wait for a worker.
    if (parts.workers.waiting() >= parts.max_pending) follower->Close(Busy());
    stream->Pull();
    return stream.get();
  }

  void OnWriteDone(bool ok) override {
    if (!ok) follower_->Close(absl::CancelledError("the client is gone"));
    Pull();
  }
  void OnCancel() override { follower_->Close(absl::CancelledError("the client is gone")); }
  void OnDone() override {
    streams_.Remove(follower_.get());
    self_.reset();
  }

 private:
  Streaming(OpenStreams& streams, grpc::CallbackServerContext& context,
            std::shared_ptr<api::Follower> follower, const api::Method& method, std::string address)
      : streams_(streams),
        context_(context),
        follower_(std::move(follower)),
        method_(method),
        address_(std::move(address)) {}

  void Pull() {
    follower_->Next([self = this->shared_from_this()](absl::StatusOr<api::AnyMessage> next) {
      if (!next.ok() || *next == nullptr) {
        self->Finish(
            Outcome(self->context_, next.status(), self->method_.spec.rpc, self->address_));
        return;
      }
      self->message_ = *std::move(next);
      self->StartWrite(static_cast<const Response*>(self->message_.get()));
    });
  }

  OpenStreams& streams_;
  // Lives until OnDone.
  grpc::CallbackServerContext& context_;
  const std::shared_ptr<api::Follower> follower_;
  const api::Method& method_;
  const std::string address_;
  // Being written.
  api::AnyMessage message_;
  std::shared_ptr<Streaming> self_;
};

}  // namespace plimsoll::rpc
