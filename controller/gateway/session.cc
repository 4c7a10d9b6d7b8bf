// The stream: reading, writing, ending. What messages mean is in session_messages.cc.
#include "controller/gateway/session.h"

#include <google/protobuf/util/time_util.h>
#include <grpcpp/support/proto_buffer_writer.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "proto/support/grpc_status.h"

namespace plimsoll::gateway {
namespace {

// A collector that does not read its answers may hold at most this many.
constexpr size_t kMaximumOutgoing = 256;
// Heartbeat intervals without a word after which a session is over.
constexpr int kSilentIntervals = 3;
// Of sessions whose collectors get new certificates because other authorities are trusted.
constexpr int kReissuesPerSecond = 200;
constexpr absl::Duration kLongestPause = absl::Seconds(60);
// A Hello is read before there is a session to hold it against.
constexpr int64_t kMaximumHelloBytes = int64_t{64} << 10;

grpc::ByteBuffer Encode(const v1::ToCollector& message) {
  grpc::Slice slice(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(const_cast<uint8_t*>(slice.begin()));
  return grpc::ByteBuffer(&slice, 1);
}

v1::ToCollector MakeSlowDown(absl::Duration pause, const std::string& reason) {
  v1::ToCollector message;
  *message.mutable_slow_down()->mutable_pause() =
      google::protobuf::util::TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(pause));
  message.mutable_slow_down()->set_reason(reason);
  return message;
}

// Collectors that pause together must not come back together.
absl::Duration Jittered(absl::Duration pause) {
  thread_local absl::InsecureBitGen random;
  return std::min(pause * absl::Uniform(random, 1.0, 2.0), kLongestPause);
}

// Whether the peer is to get what was written to it before the stream ends.
bool Gently(const absl::Status& end) { return absl::IsUnavailable(end); }

}  // namespace

Session::Session(SessionContext& shared, grpc::CallbackServerContext* context, PeerIdentity peer)
    : shared_(shared),
      parts_(shared.parts),
      context_(context),
      peer_(std::move(peer)),
      last_heard_(absl::ToUnixNanos(parts_.clock.Now())),
      delta_pace_(parts_.options.max_deltas_per_minute),
      heartbeat_pace_(parts_.options.max_heartbeats_per_minute) {
  stream_.host_id = peer_.host_id;
}

Session* Session::Start(SessionContext& shared, grpc::CallbackServerContext* context,
                        absl::StatusOr<PeerIdentity> peer) {
  const absl::Status refused = peer.status();
  std::shared_ptr<Session> session(
      new Session(shared, context, peer.ok() ? *std::move(peer) : PeerIdentity{}));
  session->self_ = session;
  if (!refused.ok()) {
    ++shared.parts.stats.sessions_refused;
    session->Complain(refused);
    session->End(refused);
    return session.get();
  }
  session->id_ = shared.parts.sessions.Open(session->peer_.host_id, session);
  absl::MutexLock lock(&session->mutex_);
  session->ReadNext();
  return session.get();
}

void Session::OnReadDone(bool ok) {
  if (!ok) {
    End(absl::OkStatus());
    return;
  }
  const absl::Time now = parts_.clock.Now();
  const auto length = static_cast<int64_t>(incoming_.Length());
  {
    absl::MutexLock lock(&mutex_);
    // A message that came in while the stream was being finished.
    if (ended_) return;
    handling_ = true;
    handling_since_ = now;
  }
  last_heard_ = absl::ToUnixNanos(now);
  ++parts_.stats.messages;
  parts_.stats.message_bytes += length;
  const int64_t most = welcomed_ ? parts_.options.max_message_bytes : kMaximumHelloBytes;
  if (length > most) {
    ++parts_.stats.over_message_bytes;
    Complete(absl::ResourceExhaustedError("a message larger than Welcome.limits allow"));
  } else if (!welcomed_) {
    shared_.session_lane.Add([self = self_] { self->Decode(); });
  } else if (!HandledInPlace(length)) {
    AwaitRoom(length);
  }
}

void Session::AwaitRoom(int64_t length) {
  room_ = length * kDecodedFactor;
  const auto go_on = [self = self_] { self->parts_.workers.Add([self] { self->Decode(); }); };
  switch (shared_.budget.Acquire(room_, length, go_on)) {
    case ByteBudget::Result::kGranted:
      go_on();
      return;
    case ByteBudget::Result::kWaiting:
      if (shared_.budget.waiting() > static_cast<size_t>(parts_.options.slow_down_waiters)) {
        SlowDown(parts_.options.slow_down_pause, "many hosts have changes at this moment");
      }
      return;
    case ByteBudget::Result::kRefused:
      room_ = 0;
      SlowDown(parts_.options.slow_down_pause, "the controller is overloaded");
      Complete(absl::UnavailableError("the controller is overloaded; come again later"));
      return;
  }
}

void Session::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (ok) {
    outgoing_.pop_front();
    WriteNext();
  } else {
    outgoing_.clear();
  }
  FinishIfOver();
}

void Session::OnDone() {
  std::shared_ptr<Session> self = std::move(self_);
  if (id_ == 0) return;
  parts_.scans.RemoveSession(peer_.host_id, id_);
  parts_.sessions.Close(peer_.host_id, id_);
  if (stream_.epoch == 0) return;
  ++parts_.stats.sessions_ended;
  {
    absl::MutexLock lock(&mutex_);
    spdlog::info("session ended host={} reason=\"{}\"", peer_.host_id, end_status_.ToString());
  }
  parts_.ingest.Forget(stream_);
  // A controller that stops ends all its sessions with one statement (ControllerStore::Leave).
  if (parts_.sessions.IsDraining()) return;
  shared_.session_lane.Add(
      [&shared = shared_, end = SessionEnd{peer_.host_id, stream_.epoch, LastHeard()}] {
        shared.Store(end);
      });
}

bool Session::End(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return false;
  ended_ = true;
  end_status_ = why;
  FinishIfOver();
  return true;
}

void Session::Cut(const absl::Status& why) {
  if (ended_) return;
  ended_ = true;
  end_status_ = why;
  // Before gRPC may be told: the context is gone once it is done.
  context_->TryCancel();
  FinishIfOver();
}

void Session::TellPlan() {
  if (!welcomed_) return;
  const auto plan = parts_.ingest.plan();
  {
    absl::MutexLock lock(&mutex_);
    if (ended_ || plan_digest_ == plan->digest()) return;
    plan_digest_ = plan->digest();
  }
  v1::ToCollector message;
  *message.mutable_plan_changed()->mutable_plan() = *plan;
  Send(message);
}

void Session::TellTrust(absl::Time now) {
  if (!welcomed_) return;
  const uint64_t generation = parts_.enrollment.generation();
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    if (std::exchange(trust_generation_, generation) != generation) {
      // Each one connects again with it: not all at once.
      thread_local absl::InsecureBitGen random;
      reissue_at_ = now + absl::Seconds(parts_.sessions.Count()) / kReissuesPerSecond *
                              absl::Uniform(random, 0.0, 1.0);
    }
    if (now < reissue_at_) return;
    reissue_at_ = absl::InfiniteFuture();
  }
  shared_.answer_lane.Add([self = self_] { self->Reissue(); });
}

void Session::Tick(absl::Time now) {
  const GatewayOptions& options = parts_.options;
  TellPlan();
  TellTrust(now);
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    if (handling_) {
      if (!welcomed_ || now - handling_since_ < options.slow_down_after || now < next_slow_down_) {
        return;
      }
    } else if (held_) {
      if (now < hold_until_ && hold_until_ - now <= kLongestPause) return;
      held_ = false;
      ReadNext();
      return;
    } else if (now - reading_since_ <= options.heartbeat_interval * kSilentIntervals) {
      return;
    } else {
      ++parts_.stats.sessions_silent;
      Cut(absl::DeadlineExceededError("not a word for three heartbeat intervals"));
      return;
    }
  }
  SlowDown(options.slow_down_pause, "commits take long at this moment");
}

void Session::Complete(const absl::Status& status) {
  if (room_ != 0) shared_.budget.Release(std::exchange(room_, 0));
  if (!status.ok()) {
    if (!welcomed_) ++parts_.stats.sessions_refused;
    Complain(status);
    End(status);
  }
  absl::MutexLock lock(&mutex_);
  handling_ = false;
  ReadNext();
  FinishIfOver();
}

void Session::Hold(absl::Duration pause) {
  absl::MutexLock lock(&mutex_);
  held_ = true;
  hold_until_ = parts_.clock.Now() + std::min(pause, kLongestPause);
}

void Session::Complain(const absl::Status& why) {
  const int64_t held_back = shared_.log_gate.Pass(parts_.clock.Now());
  if (held_back < 0) return;
  spdlog::warn("session broken host={} peer={} error=\"{}\" like_this_held_back={}", peer_.host_id,
               context_->peer(), why.ToString(), held_back);
}

void Session::Send(const v1::ToCollector& message) {
  absl::MutexLock lock(&mutex_);
  if (finished_ || (ended_ && !(handling_ && Gently(end_status_)))) return;
  if (outgoing_.size() < kMaximumOutgoing) {
    outgoing_.push_back(Encode(message));
    WriteNext();
    return;
  }
  ++parts_.stats.slow_readers;
  Cut(absl::ResourceExhaustedError("the collector does not read its answers"));
}

void Session::SlowDown(absl::Duration pause, const std::string& reason) {
  pause = Jittered(pause);
  {
    absl::MutexLock lock(&mutex_);
    if (parts_.clock.Now() < next_slow_down_) return;
    next_slow_down_ = parts_.clock.Now() + pause;
  }
  ++parts_.stats.slow_downs;
  Send(MakeSlowDown(pause, reason));
}

void Session::WriteNext() {
  if (writing_ || finished_ || outgoing_.empty()) return;
  writing_ = true;
  StartWrite(&outgoing_.front());
}

void Session::ReadNext() {
  if (ended_ || held_) return;
  reading_since_ = parts_.clock.Now();
  incoming_.Clear();
  StartRead(&incoming_);
}

void Session::FinishIfOver() {
  if (!ended_ || finished_ || handling_) return;
  if (Gently(end_status_) && (writing_ || !outgoing_.empty())) return;
  finished_ = true;
  Finish(support::ToGrpc(end_status_));
}

}  // namespace plimsoll::gateway
