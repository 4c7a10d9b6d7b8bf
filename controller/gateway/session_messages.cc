// What a session does with each kind of message.
#include <google/protobuf/util/time_util.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/gateway/message_check.h"
#include "controller/gateway/session.h"
#include "proto/support/logging.h"
#include "proto/support/times.h"
#include "proto/support/version.h"

namespace plimsoll::gateway {
namespace {

using google::protobuf::util::TimeUtil;

constexpr uint32_t kOldestProtocol = 1;
// Longer messages are not heartbeats; a worker looks at them.
constexpr int64_t kMaximumHeartbeatBytes = 4096;
// Tag of FromCollector.heartbeat on the wire.
constexpr uint8_t kHeartbeatTag = v1::FromCollector::kHeartbeatFieldNumber << 3 | 2;
// A decoded message keeps its memory for the next one, up to this length.
constexpr int64_t kMaximumKeptBytes = int64_t{256} << 10;
// Decoded, no message of a real collector takes more than this many times its length.
constexpr int64_t kMaximumDecodedFactor = 16;
constexpr int64_t kDecodedAllowance = int64_t{64} << 10;
constexpr int kMaximumLabels = 64;
constexpr absl::Duration kReissueAgain = absl::Minutes(1);
constexpr absl::Duration kMaximumSkew = absl::Hours(24 * 3650);

absl::Duration ClockSkew(const v1::Hello& hello, absl::Time now) {
  if (!hello.has_host_time()) return absl::ZeroDuration();
  return std::clamp(support::FromTimestamp(hello.host_time()) - now, -kMaximumSkew, kMaximumSkew);
}

bool Parse(grpc::ByteBuffer& bytes, v1::FromCollector& message) {
  grpc::ProtoBufferReader reader(&bytes);
  return reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
}

bool LooksLikeHeartbeat(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  return bytes.Dump(&slices).ok() && !slices.empty() && slices.front().size() > 0 &&
         *slices.front().begin() == kHeartbeatTag;
}

// What a host that may not begin a session is told.
absl::Status Refusal(const absl::Status& status) {
  if (absl::IsNotFound(status)) {
    return absl::PermissionDeniedError("this controller does not know the host; enrol it again");
  }
  if (absl::IsFailedPrecondition(status)) {
    return absl::FailedPreconditionError(
        absl::StrCat(status.message(), "; an operator has to look at this host and release it"));
  }
  return status;
}

}  // namespace

bool Session::HandledInPlace(int64_t length) {
  if (length > kMaximumHeartbeatBytes || !LooksLikeHeartbeat(incoming_)) return false;
  v1::FromCollector message;
  if (!Parse(incoming_, message) || !message.has_heartbeat() ||
      message.heartbeat().scan_ids_size() != 0) {
    return false;
  }
  Complete(HandleHeartbeat(message.heartbeat()));
  return true;
}

void Session::Decode() {
  {
    absl::MutexLock lock(&mutex_);
    // Ended while it waited: nothing of it is looked at.
    if (ended_) incoming_.Clear();
  }
  if (!incoming_.Valid()) return Complete(absl::OkStatus());
  const auto length = static_cast<int64_t>(incoming_.Length());
  grpc::ProtoBufferReader reader(&incoming_);
  absl::Status status =
      CheckDecodedSize(reader, length * kMaximumDecodedFactor + kDecodedAllowance);
  // Messages used again keep their memory, which halves the cost of decoding.
  thread_local v1::FromCollector message;
  if (status.ok() && !Parse(incoming_, message)) {
    status = absl::InvalidArgumentError("a message that is not of this protocol");
  }
  incoming_.Clear();
  if (status.ok() && message.has_hello() == welcomed_) {
    status =
        absl::InvalidArgumentError(welcomed_ ? "a second Hello" : "the first message is not Hello");
  }
  if (status.ok()) {
    Handle(message);
  } else {
    ++(absl::IsResourceExhausted(status) ? parts_.stats.over_decoded_bytes
                                         : parts_.stats.malformed);
    Complete(status);
  }
  if (length > kMaximumKeptBytes) v1::FromCollector().Swap(&message);
}

void Session::Handle(v1::FromCollector& message) {
  switch (message.kind_case()) {
    case v1::FromCollector::kHello:
      return Complete(HandleHello(message.hello()));
    case v1::FromCollector::kFactsDelta:
      return HandleDelta(*message.mutable_facts_delta());
    case v1::FromCollector::kHeartbeat:
      return RunInLane(shared_.answer_lane,
                       [this, heartbeat = std::move(*message.mutable_heartbeat())] {
                         return HandleHeartbeat(heartbeat);
                       });
    case v1::FromCollector::kScanFailed:
      return RunInLane(shared_.answer_lane,
                       [this, failed = std::move(*message.mutable_scan_failed())] {
                         parts_.scans.Failed(CleanText(failed.scan_id(), 128), peer_.host_id,
                                             CleanText(failed.reason(), 512));
                         return absl::OkStatus();
                       });
    case v1::FromCollector::kRenew:
      return RunInLane(shared_.answer_lane, [this, renew = std::move(*message.mutable_renew())] {
        return HandleRenew(renew);
      });
    case v1::FromCollector::KIND_NOT_SET:
      // A newer collector may know kinds that this controller does not.
      return Complete(absl::OkStatus());
  }
}

void Session::RunInLane(Lane& lane, std::function<absl::Status()> work) {
  lane.Add([self = self_, work = std::move(work)] { self->Complete(work()); });
}

void Session::HandleDelta(v1::FactsDelta& delta) {
  const absl::Duration pause = delta_pace_.Take(parts_.clock.Now());
  if (pause > absl::ZeroDuration()) {
    ++parts_.stats.over_deltas;
    Hold(pause);
    SlowDown(pause, "more changes a minute than Welcome.limits allow");
    Complain(absl::ResourceExhaustedError("more changes a minute than allowed"));
  }
  parts_.ingest.Accept(
      stream_, delta,
      [self = self_, sequence = delta.sequence()](absl::StatusOr<Ingest::Result> result) {
        self->Complete(self->Answer(std::move(result), sequence));
      });
}

absl::Status Session::Answer(absl::StatusOr<Ingest::Result> result, uint64_t sequence) {
  if (absl::IsAborted(result.status())) ++parts_.stats.sessions_fenced;
  if (!result.ok()) {
    return absl::IsAborted(result.status()) ? absl::AbortedError(kLeaseLost) : result.status();
  }
  v1::ToCollector answer;
  if (*result == Ingest::Result::kResync) {
    ++parts_.stats.resyncs;
    answer.mutable_resync()->set_reason("the facts do not fit those stored here");
  } else {
    answer.mutable_ack()->set_sequence(sequence);
  }
  Send(answer);
  return absl::OkStatus();
}

absl::Status Session::HandleHeartbeat(const v1::Heartbeat& heartbeat) {
  ++parts_.stats.heartbeats;
  const absl::Duration pause = heartbeat_pace_.Take(parts_.clock.Now());
  if (pause > absl::ZeroDuration()) {
    ++parts_.stats.over_heartbeats;
    Hold(pause);
  }
  if (heartbeat.facts_digest().empty() && heartbeat.scan_ids().empty()) return absl::OkStatus();
  if (heartbeat.facts_digest().empty() || heartbeat.facts_digest() != stream_.state.facts_digest) {
    return Answer(Ingest::Result::kResync, 0);
  }
  auto confirmed = parts_.ingest.Confirm(stream_, heartbeat.scan_ids());
  // A heartbeat is not acknowledged.
  if (confirmed.ok() && *confirmed == Ingest::Result::kAcknowledge) return absl::OkStatus();
  return Answer(std::move(confirmed), 0);
}

absl::Status Session::HandleRenew(const v1::RenewRequest& request) {
  auto renewed = parts_.enrollment.Renew(peer_.host_id, peer_.serial, request);
  if (!renewed.ok()) return renewed.status();
  v1::ToCollector answer;
  *answer.mutable_renewed() = *std::move(renewed);
  Send(answer);
  return absl::OkStatus();
}

void Session::Reissue() {
  auto renewed = parts_.enrollment.Reissue(peer_.host_id, peer_.serial, peer_.key_der);
  if (!renewed.ok()) {
    // The stream may be over meanwhile, and its context gone.
    spdlog::warn("certificate not reissued host={} error=\"{}\"", peer_.host_id,
                 renewed.status().ToString());
    absl::MutexLock lock(&mutex_);
    reissue_at_ = parts_.clock.Now() + kReissueAgain;
    return;
  }
  v1::ToCollector message;
  *message.mutable_renewed() = *std::move(renewed);
  Send(message);
}

absl::Status Session::HandleHello(const v1::Hello& hello) {
  if (hello.protocol_version() < kOldestProtocol) {
    return absl::FailedPreconditionError(
        "this collector is too old for the controller; upgrade it");
  }
  // A revocation from now on either finds this stream or is seen by the check.
  if (auto status = parts_.store.enrollment().CheckCertificate(peer_.serial, peer_.host_id);
      !status.ok()) {
    return status;
  }
  const uint64_t generation = parts_.enrollment.generation();
  auto lease = TakeLease(hello);
  if (!lease.ok()) return Refusal(lease.status());
  stream_.epoch = lease->epoch;
  stream_.protocol = std::min(hello.protocol_version(), support::kProtocolVersion);
  stream_.state = std::move(lease->stream);
  {
    absl::MutexLock lock(&mutex_);
    trust_generation_ = generation;
    if (!parts_.enrollment.IsCurrent(lease->trust)) reissue_at_ = parts_.clock.Now();
  }
  if (parts_.on_host_changed) parts_.on_host_changed({peer_.host_id});
  Welcome(hello);
  return absl::OkStatus();
}

absl::StatusOr<store::SessionLease> Session::TakeLease(const v1::Hello& hello) {
  store::SessionStart start;
  start.host_id = peer_.host_id;
  start.controller_id = parts_.controller_id;
  start.hostname = CleanText(hello.hostname(), 255);
  start.collector_version = CleanText(hello.collector_version(), 64);
  start.engine_id = CleanText(hello.engine_id(), 128);
  start.boot_id = CleanText(hello.boot_id(), 64);
  for (const auto& [key, value] : hello.labels()) {
    if (start.labels.size() == kMaximumLabels) break;
    start.labels.emplace(CleanText(key, 63), CleanText(value, 255));
  }
  start.certificate_not_before = peer_.not_before;
  start.certificate_serial = peer_.serial;
  absl::MutexLock lock(&parts_.sessions.LeaseLock(peer_.host_id));
  if (!parts_.sessions.Claim(peer_.host_id, id_)) {
    return absl::AbortedError("another session took over");
  }
  start.time = parts_.clock.Now();
  start.clock_skew = ClockSkew(hello, start.time);
  return parts_.store.hosts().BeginSession(start);
}

void Session::Welcome(const v1::Hello& hello) {
  const store::StreamState& state = stream_.state;
  v1::ToCollector message;
  v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_protocol_version(stream_.protocol);
  welcome.set_host_id(peer_.host_id);
  const auto plan = parts_.ingest.plan();
  *welcome.mutable_plan() = *plan;
  {
    absl::MutexLock lock(&mutex_);
    plan_digest_ = plan->digest();
  }
  *welcome.mutable_limits() = LimitsOf(parts_.options);
  const uint64_t known = hello.last_acknowledged_sequence();
  welcome.set_resync(state.facts_digest.empty() || known > state.sequence ||
                     (known == state.sequence && hello.facts_digest() != state.facts_digest));
  welcome.set_last_sequence(state.sequence);
  *welcome.mutable_heartbeat_interval() = TimeUtil::MillisecondsToDuration(
      absl::ToInt64Milliseconds(parts_.options.heartbeat_interval));
  *welcome.mutable_controller_time() =
      TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(parts_.clock.Now()));
  Send(message);
  welcomed_ = true;
  ++parts_.stats.sessions_begun;
  spdlog::info("session began host={} hostname={} peer={} collector={} protocol={} resync={}",
               peer_.host_id, support::LogSafe(hello.hostname()), context_->peer(),
               support::LogSafe(hello.collector_version()), stream_.protocol, welcome.resync());
  std::weak_ptr<Session> weak = self_;
  parts_.scans.AddSession(peer_.host_id, id_, [weak](const store::PendingScan& scan) {
    auto session = weak.lock();
    if (!session) return;
    v1::ToCollector ask;
    ask.mutable_scan_request()->set_scan_id(scan.scan_id);
    *ask.mutable_scan_request()->mutable_deadline() =
        TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(scan.deadline));
    session->Send(ask);
  });
}

}  // namespace plimsoll::gateway
