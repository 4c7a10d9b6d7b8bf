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
    // A clock that was set back must not silence it for as long.
    const absl::Duration interval = context_.parts.options.last_seen_interval;
    if (flushing_ || (now < next_flush_ && next_flush_ - now <= interval)) return;
    flushing_ = true;
    next_flush_ = now + interval;
    since = seen_until_;
  }
  context_.answer_lane.Add([this, since, now] { Flush(since, now); });
}

void GatewayService::Flush(absl::Time since, absl::Time now) {
  context_.Retry();
  const bool stored = StoreSeen(context_.parts.sessions.HeardByLease(since));
  absl::MutexLock lock(&mutex_);
  flushing_ = false;
  // What was heard in the same instant as `now` may have been missed: it is written twice instead.
  if (stored) seen_until_ = now - absl::Microseconds(1);
}

bool GatewayService::StoreSeen(const std::map<std::string, store::SessionSeen>& heard) {
  const auto lost = context_.parts.store.hosts().Touch(heard);
  if (!lost.ok()) {
    spdlog::warn("last-seen times not stored hosts={} error=\"{}\"", heard.size(),
                 lost.status().ToString());
    return false;
  }
  // Told here, or an idle one would not be until it has something to write.
  for (const std::string& host : *lost) {
    if (context_.parts.sessions.EndLease(host, heard.at(host).epoch,
                                         absl::AbortedError(kLeaseLost))) {
      ++context_.parts.stats.sessions_fenced;
    }
  }
  return true;
}

void GatewayService::Drain(absl::Duration patience) {
  absl::Time since;
  {
    absl::MutexLock lock(&mutex_);
    since = seen_until_;
  }
  const auto heard = context_.parts.sessions.HeardByLease(since);
  context_.parts.sessions.Drain();
  context_.parts.ingest.Stop(patience);
  context_.budget.Open();
  // What ControllerStore::Leave finds. Last: a database that hangs must not keep collectors
  // waiting.
  context_.Retry();
  StoreSeen(heard);
}

}  // namespace plimsoll::gateway
