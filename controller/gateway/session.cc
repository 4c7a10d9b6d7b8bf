#include "controller/gateway/session.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

#include "proto/support/grpc_status.h"
#include "proto/support/logging.h"
#include "proto/support/version.h"

namespace plimsoll::gateway {
namespace {

using google::protobuf::util::TimeUtil;

// A collector that does not read its answers may hold at most this many.
constexpr size_t kMaximumOutgoing = 256;
constexpr uint32_t kOldestProtocol = 1;

absl::Duration ClockSkew(const v1::Hello& hello, absl::Time now) {
  if (!hello.has_host_time()) return absl::ZeroDuration();
  return absl::FromUnixMicros(TimeUtil::TimestampToMicroseconds(hello.host_time())) - now;
}

}  // namespace

Session::Session(GatewayParts& parts, PeerIdentity peer, std::string address)
    : parts_(parts), peer_(std::move(peer)), address_(std::move(address)) {}

Session* Session::Start(GatewayParts& parts, absl::StatusOr<PeerIdentity> peer,
                        std::string address) {
  const absl::Status refused = peer.status();
  std::shared_ptr<Session> session(
      new Session(parts, peer.ok() ? *std::move(peer) : PeerIdentity{}, std::move(address)));
  session->self_ = session;
  if (!refused.ok()) {
    spdlog::warn("session refused peer={} reason=\"{}\"", session->address_, refused.ToString());
    session->End(refused);
  } else {
    session->ReadNext();
  }
  return session.get();
}

void Session::OnReadDone(bool ok) {
  if (!ok) {
    End(absl::OkStatus());
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    // A message that came in while the stream was being finished.
    if (ended_) return;
    handling_ = true;
  }
  parts_.workers.Add([self = self_] { self->Handle(); });
}

void Session::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok) return;
  outgoing_.pop_front();
  WriteNext();
}

void Session::OnDone() {
  std::shared_ptr<Session> self = std::move(self_);
  if (session_id_ == 0) return;
  parts_.scans.RemoveSession(peer_.host_id, session_id_);
  if (!parts_.sessions.Remove(peer_.host_id, session_id_)) return;
  spdlog::info("session ended host={} peer={}", peer_.host_id, address_);
  parts_.workers.Add([self = std::move(self)] {
    SessionRegistry& sessions = self->parts_.sessions;
    absl::MutexLock lock(&sessions.StateLock(self->peer_.host_id));
    if (sessions.Has(self->peer_.host_id)) return;
    if (auto status =
            self->parts_.store.hosts().EndSession(self->peer_.host_id, self->parts_.clock.Now());
        !status.ok()) {
      spdlog::warn("end of session not stored host={} error=\"{}\"", self->peer_.host_id,
                   status.ToString());
    }
  });
}

void Session::Handle() {
  const absl::Status status = HandleMessage(incoming_);
  if (!status.ok()) {
    spdlog::warn("session broken host={} peer={} error=\"{}\"", peer_.host_id, address_,
                 status.ToString());
    End(status);
  }
  ReadNext();
}

absl::Status Session::HandleMessage(const v1::FromCollector& message) {
  if (message.has_hello() == welcomed_) {
    return absl::InvalidArgumentError(welcomed_ ? "a second Hello"
                                                : "the first message is not Hello");
  }
  parts_.ingest.Seen(peer_.host_id);
  switch (message.kind_case()) {
    case v1::FromCollector::kHello:
      return HandleHello(message.hello());
    case v1::FromCollector::kFactsDelta:
      return Answer(parts_.ingest.Accept(peer_.host_id, message.facts_delta()),
                    message.facts_delta().sequence());
    case v1::FromCollector::kHeartbeat:
      return Answer(parts_.ingest.Confirm(peer_.host_id, message.heartbeat()), 0);
    case v1::FromCollector::kScanFailed:
      parts_.scans.Failed(message.scan_failed().scan_id(), peer_.host_id,
                          message.scan_failed().reason().substr(0, 512));
      return absl::OkStatus();
    case v1::FromCollector::kRenew: {
      auto renewed = parts_.enrollment.Renew(peer_.host_id, peer_.serial, message.renew());
      if (!renewed.ok()) return renewed.status();
      v1::ToCollector answer;
      *answer.mutable_renewed() = *std::move(renewed);
      Send(std::move(answer));
      return absl::OkStatus();
    }
    case v1::FromCollector::KIND_NOT_SET:
      // A newer collector may know kinds that this controller does not.
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status Session::HandleHello(const v1::Hello& hello) {
  if (hello.protocol_version() < kOldestProtocol) {
    return absl::FailedPreconditionError(
        "this collector is too old for the controller; upgrade it");
  }
  // First of all: a revocation from now on either finds this session or is seen below.
  std::weak_ptr<Session> weak = self_;
  session_id_ = parts_.sessions.Add(peer_.host_id, [weak](const absl::Status& why) {
    if (auto session = weak.lock()) session->End(why);
  });
  if (auto status = parts_.store.enrollment().CheckCertificate(peer_.serial, peer_.host_id);
      !status.ok()) {
    return status;
  }
  const absl::Time now = parts_.clock.Now();
  store::SessionStart start;
  start.host_id = peer_.host_id;
  start.hostname = hello.hostname().substr(0, 255);
  start.collector_version = hello.collector_version().substr(0, 64);
  start.engine_id = hello.engine_id().substr(0, 128);
  start.boot_id = hello.boot_id().substr(0, 64);
  start.labels.insert(hello.labels().begin(), hello.labels().end());
  start.clock_skew = ClockSkew(hello, now);
  start.time = now;
  {
    absl::MutexLock lock(&parts_.sessions.StateLock(peer_.host_id));
    if (auto status = parts_.store.hosts().BeginSession(start); !status.ok()) return status;
  }
  auto stream = parts_.store.reports().GetStreamState(peer_.host_id);
  if (!stream.ok()) return stream.status();

  v1::ToCollector message;
  v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_protocol_version(std::min(hello.protocol_version(), support::kProtocolVersion));
  welcome.set_host_id(peer_.host_id);
  *welcome.mutable_plan() = parts_.ingest.plan();
  *welcome.mutable_limits() = parts_.limits;
  welcome.set_resync(stream->facts_digest.empty() || stream->facts_digest != hello.facts_digest() ||
                     stream->sequence != hello.last_acknowledged_sequence());
  welcome.set_last_sequence(stream->sequence);
  *welcome.mutable_heartbeat_interval() =
      TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(parts_.heartbeat_interval));
  *welcome.mutable_controller_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
  welcomed_ = true;
  Send(std::move(message));
  spdlog::info("session began host={} hostname={} peer={} collector={} resync={}", peer_.host_id,
               support::LogSafe(hello.hostname()), address_,
               support::LogSafe(hello.collector_version()), welcome.resync());

  parts_.scans.AddSession(peer_.host_id, session_id_, [weak](const store::PendingScan& scan) {
    auto session = weak.lock();
    if (!session) return;
    v1::ToCollector ask;
    ask.mutable_scan_request()->set_scan_id(scan.scan_id);
    *ask.mutable_scan_request()->mutable_deadline() =
        TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(scan.deadline));
    session->Send(std::move(ask));
  });
  return absl::OkStatus();
}

absl::Status Session::Answer(absl::StatusOr<Ingest::Result> result, uint64_t sequence) {
  if (!result.ok()) return result.status();
  v1::ToCollector answer;
  if (*result == Ingest::Result::kResync) {
    answer.mutable_resync()->set_reason("the facts do not fit those stored here");
  } else if (sequence != 0) {
    answer.mutable_ack()->set_sequence(sequence);
  } else {
    return absl::OkStatus();
  }
  Send(std::move(answer));
  return absl::OkStatus();
}

void Session::Send(v1::ToCollector message) {
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    if (outgoing_.size() < kMaximumOutgoing) {
      outgoing_.push_back(std::move(message));
      WriteNext();
      return;
    }
  }
  End(absl::ResourceExhaustedError("the collector does not read its answers"));
}

void Session::WriteNext() {
  if (writing_ || ended_ || outgoing_.empty()) return;
  writing_ = true;
  StartWrite(&outgoing_.front());
}

void Session::ReadNext() {
  absl::MutexLock lock(&mutex_);
  if (std::exchange(handling_, false) && ended_) {
    Finish(support::ToGrpc(end_status_));
    return;
  }
  if (ended_) return;
  incoming_.Clear();
  StartRead(&incoming_);
}

void Session::End(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  ended_ = true;
  end_status_ = status;
  if (!handling_) Finish(support::ToGrpc(status));
}

}  // namespace plimsoll::gateway
