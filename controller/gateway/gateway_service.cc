#include "controller/gateway/gateway_service.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "controller/gateway/peer_identity.h"
#include "controller/gateway/session.h"
#include "proto/support/grpc_status.h"

namespace plimsoll::gateway {
namespace {

absl::Status TooManyWaiting() {
  return absl::ResourceExhaustedError("too many enrolments at once; try again later");
}

// Names, a token and a request for a certificate are far shorter.
constexpr size_t kMaximumRequestBytes = 64 << 10;

// INVALID_ARGUMENT: it is none, or so long that nobody looked.
template <class Request>
absl::StatusOr<Request> Decode(const grpc::ByteBuffer& bytes) {
  if (bytes.Length() > kMaximumRequestBytes) {
    return absl::InvalidArgumentError("the request is longer than 64 KiB");
  }
  Request request;
  grpc::ByteBuffer same = bytes;
  if (!grpc::SerializationTraits<Request>::Deserialize(&same, &request).ok()) {
    return absl::InvalidArgumentError("the request cannot be read");
  }
  return request;
}

template <class Response>
void Finish(const absl::StatusOr<Response>& result, grpc::ByteBuffer& response,
            grpc::ServerUnaryReactor& reactor) {
  grpc::Status status = support::ToGrpc(result.status());
  bool own_buffer = false;
  if (result.ok()) {
    status = grpc::SerializationTraits<Response>::Serialize(*result, &response, &own_buffer);
  }
  reactor.Finish(status);
}

}  // namespace

SessionContext::SessionContext(GatewayParts given)
    : parts(std::move(given)),
      budget(parts.options.budget_bytes, parts.options.max_waiting_bytes, parts.stats),
      session_lane(parts.workers, parts.options.session_workers),
      answer_lane(parts.workers, parts.options.answer_workers) {}

void SessionContext::Store(SessionEnd end) {
  const absl::Status status =
      parts.store.hosts().EndSession(end.host_id, end.epoch, end.last_heard);
  if (absl::IsUnavailable(status)) {
    absl::MutexLock lock(&mutex);
    unstored.push_back(std::move(end));
  } else if (!status.ok()) {
    spdlog::warn("end of session not stored host={} error=\"{}\"", end.host_id, status.ToString());
  } else if (parts.on_host_changed) {
    parts.on_host_changed({end.host_id});
  }
}

void SessionContext::Retry() {
  std::vector<SessionEnd> ends;
  {
    absl::MutexLock lock(&mutex);
    ends.swap(unstored);
  }
  if (ends.empty()) return;
  if (!parts.store.Ping().ok()) {
    absl::MutexLock lock(&mutex);
    unstored.insert(unstored.end(), ends.begin(), ends.end());
    return;
  }
  for (SessionEnd& end : ends) Store(std::move(end));
}

GatewayService::GatewayService(GatewayParts parts, access::Revocations& revocations)
    : context_(std::move(parts)),
      enroll_lane_(context_.parts.workers, context_.parts.options.enroll_workers,
                   static_cast<size_t>(context_.parts.options.max_waiting_enrollments)),
      revocations_(revocations) {
  revocation_handle_ = revocations_.Add([this](const std::string& host_id) {
    context_.parts.sessions.EndHost(
        host_id, absl::PermissionDeniedError("this host was revoked or removed"));
  });
}

GatewayService::~GatewayService() { revocations_.Remove(revocation_handle_); }

grpc::ServerUnaryReactor* GatewayService::Enroll(grpc::CallbackServerContext* context,
                                                 const grpc::ByteBuffer* bytes,
                                                 grpc::ByteBuffer* response) {
  auto* reactor = context->DefaultReactor();
  auto request = Decode<v1::EnrollRequest>(*bytes);
  if (!request.ok()) {
    reactor->Finish(support::ToGrpc(request.status()));
    return reactor;
  }
  const bool added =
      enroll_lane_.Add([this, context, request = *std::move(request), response, reactor] {
        if (context->IsCancelled()) return reactor->Finish(grpc::Status::CANCELLED);
        const std::string peer = context->peer();
        Finish(context_.parts.enrollment.Enroll(request, peer), *response, *reactor);
      });
  if (!added) reactor->Finish(support::ToGrpc(TooManyWaiting()));
  return reactor;
}

grpc::ServerUnaryReactor* GatewayService::Renew(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* bytes,
                                                grpc::ByteBuffer* response) {
  auto* reactor = context->DefaultReactor();
  auto peer = IdentifyPeer(*context);
  if (!peer.ok()) {
    spdlog::warn("renewal refused peer={} reason=\"{}\"", context->peer(),
                 peer.status().ToString());
    reactor->Finish(support::ToGrpc(peer.status()));
    return reactor;
  }
  auto request = Decode<v1::RenewRequest>(*bytes);
  if (!request.ok()) {
    reactor->Finish(support::ToGrpc(request.status()));
    return reactor;
  }
  const bool added = enroll_lane_.Add(
      [this, context, peer = *std::move(peer), request = *std::move(request), response, reactor] {
        if (context->IsCancelled()) return reactor->Finish(grpc::Status::CANCELLED);
        Finish(context_.parts.enrollment.Renew(peer.host_id, peer.serial, request), *response,
               *reactor);
      });
  if (!added) reactor->Finish(support::ToGrpc(TooManyWaiting()));
  return reactor;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* GatewayService::Connect(
    grpc::CallbackServerContext* context) {
  return Session::Start(context_, context, IdentifyPeer(*context));
}

void GatewayService::Tick() {
  const absl::Time now = context_.parts.clock.Now();
  context_.parts.sessions.Tick(now);
  absl::Time since;
  {
    absl::MutexLock lock(&mutex_);
    if (flushing_ || now < next_flush_) return;
    flushing_ = true;
    next_flush_ = now + context_.parts.options.last_seen_interval;
    since = seen_until_;
  }
  context_.answer_lane.Add([this, since, now] { Flush(since, now); });
}

void GatewayService::Flush(absl::Time since, absl::Time now) {
  context_.Retry();
  const auto heard = context_.parts.sessions.Heard(since);
  absl::Status status;
  if (!heard.empty()) status = context_.parts.store.hosts().Touch(heard);
  if (!status.ok()) {
    spdlog::warn("last-seen times not stored hosts={} error=\"{}\"", heard.size(),
                 status.ToString());
  }
  absl::MutexLock lock(&mutex_);
  flushing_ = false;
  // What was heard in the same instant as `now` may have been missed: it is written twice instead.
  if (status.ok()) seen_until_ = now - absl::Microseconds(1);
}

void GatewayService::Drain(absl::Duration patience) {
  absl::Time since;
  {
    absl::MutexLock lock(&mutex_);
    since = seen_until_;
  }
  // What ControllerStore::Leave finds.
  Flush(since, context_.parts.clock.Now());
  context_.parts.sessions.Drain();
  context_.parts.ingest.Stop(patience);
  context_.budget.Open();
}

}  // namespace plimsoll::gateway
