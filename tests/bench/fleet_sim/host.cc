#include "tests/bench/fleet_sim/host.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/clock.h"
#include "proto/support/times.h"
#include "proto/support/version.h"

namespace plimsoll::fleet_sim {
namespace {

using google::protobuf::util::TimeUtil;

constexpr absl::Duration kWelcomeTimeout = absl::Seconds(30);
constexpr absl::Duration kFirstPause = absl::Seconds(1);
// Until the next look whether fewer connections are being made.
constexpr absl::Duration kTurn = absl::Milliseconds(100);

int64_t WallMicros() { return absl::ToUnixMicros(support::Clock::Real().Now()); }

// Of a machine that has not been restarted since it enrolled.
std::string BootId(uint64_t seed) {
  const uint64_t a = Mix(seed, 11), b = Mix(seed, 12);
  return absl::StrFormat("%08x-%04x-%04x-%04x-%012x", a >> 32, a >> 16 & 0xffff, a & 0xffff,
                         b >> 48, b & 0xffffffffffff);
}

}  // namespace

Host::Host(World& world, Driver& driver, const HostIdentity& identity, int index, HostState state)
    : world_(world),
      driver_(driver),
      identity_(identity),
      index_(index),
      state_(std::move(state)),
      pause_(kFirstPause) {
  // The host was restarted, and nothing has changed since its last run.
  if (!identity.acknowledged_digest.empty() && identity.acknowledged_digest == state_.Digest()) {
    sequence_ = acknowledged_sequence_ = identity.acknowledged_sequence;
    tip_digest_ = acknowledged_digest_ = identity.acknowledged_digest;
    full_due_ = false;
  }
}

double Host::Uniform(double from, double to) {
  return std::uniform_real_distribution<double>(from, to)(driver_.random());
}

void Host::Wait(absl::Duration pause, Wake wake) {
  const absl::Duration time = driver_.now() + pause;
  wake_[static_cast<int>(wake)] = time;
  driver_.WakeAt(time, *this, wake);
}

void Host::OnWake(Wake wake) {
  // A later wish replaced this one.
  if (driver_.now() < wake_[static_cast<int>(wake)]) return;
  switch (wake) {
    case Wake::kConnect:
      Connect();
      return;
    case Wake::kWelcome:
      if (session_ != nullptr && !welcomed_) session_->Cancel();
      return;
    case Wake::kHeartbeat:
      if (!welcomed_) return;
      if (driver_.now() < next_heartbeat_) {
        Wait(next_heartbeat_ - driver_.now(), Wake::kHeartbeat);
        return;
      }
      if (heartbeat_due_) world_.stats.Do([](Counts& c) { ++c.heartbeats_late; });
      heartbeat_due_ = true;
      next_heartbeat_ = driver_.now() + heartbeat_interval_;
      Wait(heartbeat_interval_, Wake::kHeartbeat);
      Pump();
      return;
    case Wake::kResume:
      Pump();
      return;
    case Wake::kScan:
      std::erase_if(scans_, [this](auto& scan) {
        if (driver_.now() < scan.first) return false;
        const bool fails = Uniform(0, 1) < world_.options.scan_failed_share;
        (fails ? failed_scan_ids_ : scan_ids_).push_back(std::move(scan.second));
        return true;
      });
      Pump();
      return;
  }
}

void Host::Connect() {
  if (session_ != nullptr || refused_ || world_.stopping) return;
  if (world_.connecting >= world_.options.connecting) {
    Wait(kTurn * Uniform(0.5, 1.5), Wake::kConnect);
    return;
  }
  const auto& controllers = world_.options.controllers;
  const size_t turn = static_cast<size_t>(index_ + attempts_++) % controllers.size();
  connect_began_ = driver_.now();
  session_ = std::make_unique<Session>(controllers[turn], world_.ca_pem, identity_,
                                       world_.options.keepalive, driver_.queue(),
                                       static_cast<Session::Owner&>(*this));
  Wait(kWelcomeTimeout, Wake::kWelcome);
  Count();
}

void Host::OnStarted() {
  v1::FromCollector message;
  v1::Hello& hello = *message.mutable_hello();
  const uint64_t seed = Mix(world_.options.seed, static_cast<uint64_t>(index_));
  hello.set_collector_version(support::kVersion);
  hello.set_protocol_version(static_cast<uint32_t>(world_.options.protocol));
  hello.set_engine_id(absl::StrFormat("SIM:%016X", Mix(seed, 10)));
  hello.set_boot_id(BootId(seed));
  hello.set_facts_digest(acknowledged_digest_);
  hello.set_last_acknowledged_sequence(acknowledged_sequence_);
  *hello.mutable_host_time() = TimeUtil::MicrosecondsToTimestamp(WallMicros());
  hello.set_hostname(state_.hostname());
  hello.mutable_labels()->insert(state_.labels().begin(), state_.labels().end());
  Send(ToBytes(message));
}

void Host::OnMessage(const v1::ToCollector& message, size_t bytes) {
  world_.stats.Do([bytes](Counts& c) { c.bytes_down += static_cast<int64_t>(bytes); });
  switch (message.kind_case()) {
    case v1::ToCollector::kWelcome:
      OnWelcome(message.welcome());
      break;
    case v1::ToCollector::kAck:
      Acknowledged(message.ack().sequence());
      break;
    case v1::ToCollector::kResync:
      OnResync();
      break;
    case v1::ToCollector::kSlowDown: {
      const absl::Duration pause = support::FromDuration(message.slow_down().pause());
      silent_until_ = driver_.now() + pause;
      Wait(pause, Wake::kResume);
      world_.stats.Do([](Counts& c) { ++c.slow_downs; });
      break;
    }
    case v1::ToCollector::kScanRequest:
      OnScan(message.scan_request());
      break;
    case v1::ToCollector::kPlanChanged:
    case v1::ToCollector::kRenewed:
    case v1::ToCollector::KIND_NOT_SET:
      break;
  }
  Count();
  Pump();
}

void Host::OnWelcome(const v1::Welcome& welcome) {
  welcomed_ = true;
  breaking_ = false;
  pause_ = kFirstPause;
  sent_ = 0;
  const absl::Duration took = driver_.now() - connect_began_;
  world_.stats.Do([took](Counts& c) {
    ++c.connects;
    c.connect.Add(took);
  });
  max_unacknowledged_ =
      static_cast<size_t>(std::max(1, welcome.limits().max_unacknowledged_deltas()));
  heartbeat_interval_ = world_.options.heartbeat_interval;
  if (heartbeat_interval_ == absl::ZeroDuration()) {
    heartbeat_interval_ = welcome.has_heartbeat_interval()
                              ? support::FromDuration(welcome.heartbeat_interval())
                              : absl::Seconds(30);
  }
  // Spread, so that a fleet that connects at once does not beat at once.
  next_heartbeat_ = driver_.now() + heartbeat_interval_ * Uniform(0, 1);
  Wait(next_heartbeat_ - driver_.now(), Wake::kHeartbeat);

  const uint64_t last = welcome.last_sequence();
  // What was committed although its acknowledgement was lost.
  sent_ = static_cast<size_t>(
      std::count_if(pending_.begin(), pending_.end(),
                    [last](const Pending& pending) { return pending.sequence <= last; }));
  Acknowledged(last);
  sent_ = 0;
  const bool goes_on =
      pending_.empty()
          ? !welcome.resync() && acknowledged_sequence_ == last
          : pending_.front().full || (!welcome.resync() && pending_.front().sequence == last + 1);
  const int protocol =
      std::min(world_.options.protocol, static_cast<int>(welcome.protocol_version()));
  const bool same_digests = protocol == state_.protocol();
  state_.set_protocol(protocol);
  if (full_due_ || !goes_on || !same_digests) {
    DropFrom(0);
    // Nothing above it is committed, nor can be: this session fences off earlier ones.
    sequence_ = last;
  }
}

void Host::OnResync() {
  world_.stats.Do([](Counts& c) { ++c.resyncs; });
  scan_ids_.insert(scan_ids_.end(), answered_.begin(), answered_.end());
  answered_.clear();
  // Asked again while the snapshot is under way: that will do.
  if (sent_ > 0 && pending_.front().full) return;
  // Deltas that are under way will not fit either. Their numbers are not used again, because an
  // acknowledgement could mean either.
  DropFrom(0);
  sent_ = 0;
}

void Host::OnScan(const v1::ScanRequest& request) {
  const absl::Duration delay = world_.options.scan_delay * Uniform(0.5, 1.5);
  scans_.emplace_back(driver_.now() + delay, request.scan_id());
  Wait(delay, Wake::kScan);
}

bool Host::Break() {
  if (!welcomed_ || session_ == nullptr || breaking_) return false;
  breaking_ = true;
  session_->Cancel();
  return true;
}

void Host::Stop() {
  if (session_ != nullptr) session_->Close();
}

void Host::Pump() {
  if (!welcomed_ || session_ == nullptr || !session_->writable()) return;
  const bool silent = driver_.now() < silent_until_;
  if (!silent && sent_ < max_unacknowledged_) {
    if (full_due_ && pending_.size() == sent_) Add(nullptr);
    if (sent_ < pending_.size()) {
      Pending& next = pending_[sent_++];
      next.sent = driver_.now();
      next_heartbeat_ = driver_.now() + heartbeat_interval_;
      Send(next.message);
      return;
    }
  }
  if (!failed_scan_ids_.empty()) {
    v1::FromCollector message;
    message.mutable_scan_failed()->set_scan_id(failed_scan_ids_.back());
    message.mutable_scan_failed()->set_reason("simulated: the engine did not answer");
    failed_scan_ids_.pop_back();
    world_.stats.Do([](Counts& c) { ++c.scans_failed; });
    Send(ToBytes(message));
    return;
  }
  if (heartbeat_due_ || (!scan_ids_.empty() && pending_.empty() && !full_due_)) PumpHeartbeat();
}

void Host::PumpHeartbeat() {
  heartbeat_due_ = false;
  v1::FromCollector message;
  v1::Heartbeat& heartbeat = *message.mutable_heartbeat();
  *heartbeat.mutable_host_time() = TimeUtil::MicrosecondsToTimestamp(WallMicros());
  size_t answered = 0;
  // "Nothing changed" is only true while nothing is under way.
  if (pending_.empty() && !full_due_) {
    heartbeat.set_facts_digest(acknowledged_digest_);
    answered_ = std::exchange(scan_ids_, {});
    answered = answered_.size();
    heartbeat.mutable_scan_ids()->Assign(answered_.begin(), answered_.end());
  }
  world_.stats.Do([answered](Counts& c) {
    ++c.heartbeats;
    c.scans_answered += static_cast<int64_t>(answered);
  });
  Send(ToBytes(message));
}

void Host::Send(const grpc::ByteBuffer& message) {
  const auto bytes = static_cast<int64_t>(message.Length());
  world_.stats.Do([bytes](Counts& c) { c.bytes_up += bytes; });
  session_->Write(message);
}

void Host::OnEnd(const absl::Status& status) {
  const bool ours = breaking_ || world_.stopping;
  welcomed_ = false;
  breaking_ = false;
  sent_ = 0;
  session_.reset();
  Count();
  if (ours) {
    world_.stats.Do([](Counts& c) { ++c.broken; });
  } else {
    world_.stats.Do([&](Counts& c) {
      const std::string code = absl::StatusCodeToString(status.code());
      ++c.errors[code];
      c.error_texts[code] = std::string(status.message());
    });
  }
  // As with a collector: nothing that the next attempt could change.
  if (absl::IsPermissionDenied(status)) {
    refused_ = true;
    ++world_.refused;
    return;
  }
  if (world_.stopping) return;
  Wait(pause_ * Uniform(0.5, 1.5), Wake::kConnect);
  if (!ours) pause_ = std::min(pause_ * 2, world_.options.longest_pause);
}

void Host::Count() {
  const bool settled = welcomed_ && pending_.empty() && !full_due_;
  const bool connecting = session_ != nullptr && !welcomed_;
  if (connecting != counted_connecting_) world_.connecting += connecting ? 1 : -1;
  if (welcomed_ != counted_live_) world_.live += welcomed_ ? 1 : -1;
  if (settled != counted_settled_) world_.settled += settled ? 1 : -1;
  world_.unacknowledged +=
      static_cast<int64_t>(pending_.size()) - static_cast<int64_t>(counted_pending_);
  counted_live_ = welcomed_;
  counted_connecting_ = connecting;
  counted_settled_ = settled;
  counted_pending_ = pending_.size();
}

}  // namespace plimsoll::fleet_sim
