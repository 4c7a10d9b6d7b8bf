#include "collector/agent/session.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/logging.h"
#include "proto/support/times.h"
#include "proto/support/version.h"

namespace plimsoll::agent {
namespace {

constexpr absl::Duration kWelcomeTimeout = absl::Seconds(20);
// No SlowDown silences a collector for longer.
constexpr absl::Duration kLongestSilence = absl::Hours(1);
// A controller that asks for everything this often without taking it will not take the next.
constexpr int kMaximumResyncs = 3;

}  // namespace

Session::Session(Parts parts, bool flat) : parts_(std::move(parts)), flat_(flat) {}

absl::Status Session::Serve() {
  if (auto status = Greet(); !status.ok()) return status;
  parts_.recorder.Listen([this] { parts_.uplink.Wake(); });
  absl::Status status;
  while (!renewed_ && status.ok()) {
    status = Act();
    if (!status.ok()) break;
    auto message = parts_.uplink.Receive(NextDue() - parts_.clock.Now());
    if (absl::IsDeadlineExceeded(message.status())) continue;
    status = message.ok() ? Handle(*message) : message.status();
  }
  parts_.recorder.Listen(nullptr);
  return status;
}

void Session::Drain(absl::Time deadline) {
  {
    absl::MutexLock lock(&mutex_);
    drain_deadline_ = deadline;
  }
  parts_.uplink.Wake();
}

absl::Time Session::drain_deadline() const {
  absl::MutexLock lock(&mutex_);
  return drain_deadline_;
}

absl::Status Session::Greet() {
  const spool::Spool::State state = parts_.spool.state();
  v1::FromCollector message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_collector_version(support::kVersion);
  hello.set_protocol_version(support::kProtocolVersion);
  hello.set_hostname(parts_.hostname);
  hello.set_boot_id(parts_.boot_id);
  hello.set_engine_id(parts_.recorder.engine_id());
  hello.mutable_labels()->insert(parts_.config.labels.begin(), parts_.config.labels.end());
  *hello.mutable_host_time() = support::ToTimestamp(parts_.clock.Now());
  hello.set_last_acknowledged_sequence(state.acknowledged_sequence);
  hello.set_facts_digest(state.acknowledged_digest);
  if (flat_ && !state.acknowledged_digest.empty()) {
    auto facts = parts_.spool.FactsAt(state.acknowledged_sequence);
    if (facts.ok()) flat_digests_.emplace(*std::move(facts));
    hello.set_facts_digest(flat_digests_.has_value() ? flat_digests_->digest() : "");
  }
  if (auto status = Send(message); !status.ok()) return status;
  absl::Time deadline = absl::InfiniteFuture();
  while (true) {
    const absl::Time now = parts_.clock.Now();
    deadline = std::min(deadline, now + kWelcomeTimeout);
    auto answer = parts_.uplink.Receive(std::min(deadline, drain_deadline()) - now);
    if (drain_deadline() <= parts_.clock.Now()) return absl::CancelledError("stopping");
    // Woken for something else.
    if (absl::IsDeadlineExceeded(answer.status()) && parts_.clock.Now() < deadline) continue;
    if (!answer.ok()) return answer.status();
    if (!answer->has_welcome()) {
      return absl::InternalError("the controller's first message is not Welcome");
    }
    return HandleWelcome(answer->welcome());
  }
}

absl::Status Session::HandleWelcome(const v1::Welcome& welcome) {
  if (welcome.protocol_version() > support::kProtocolVersion) {
    return absl::InternalError(absl::StrCat("the controller speaks protocol version ",
                                            welcome.protocol_version(), ", never offered"));
  }
  welcomed_ = true;
  const bool was_flat = std::exchange(flat_, welcome.protocol_version() < 2);
  const absl::Time now = parts_.clock.Now();
  limits_ = welcome.limits();
  rate_.Limit(limits_.max_deltas_per_minute(), now);
  parts_.recorder.LimitRate(limits_.max_deltas_per_minute());
  parts_.recorder.SetPlan(welcome.plan());
  if (welcome.has_heartbeat_interval()) {
    heartbeat_interval_ =
        std::max(support::FromDuration(welcome.heartbeat_interval()), absl::Milliseconds(100));
  }
  next_heartbeat_ = now + heartbeat_interval_;

  spool::Spool::State state = parts_.spool.state();
  const uint64_t has = welcome.last_sequence();
  snapshot_first_ = welcome.resync();
  if (has > state.acknowledged_sequence && has <= state.last_sequence) {
    // Acknowledgements were lost. A heartbeat with the digest makes sure that it is so.
    parts_.spool.Acknowledge(has);
    next_heartbeat_ = now;
    flat_digests_.reset();
  } else if (has != state.acknowledged_sequence) {
    parts_.spool.Renumber(has);
    snapshot_first_ = true;
  }
  state = parts_.spool.state();
  sent_ = highest_sent_ = state.acknowledged_sequence;
  sent_digest_ = snapshot_first_ ? "" : state.acknowledged_digest;
  if (sent_digest_.empty()) snapshot_first_ = true;
  if (!flat_ || snapshot_first_ || !was_flat) flat_digests_.reset();
  if (flat_ && !snapshot_first_ && !flat_digests_.has_value()) {
    auto facts = parts_.spool.FactsAt(state.acknowledged_sequence);
    if (facts.ok()) flat_digests_.emplace(*std::move(facts));
  }
  if (flat_ && !flat_digests_.has_value()) snapshot_first_ = true;
  spdlog::info("session began controller={} host={} protocol={} queued={} resync={}",
               parts_.config.controller, support::LogSafe(welcome.host_id()),
               welcome.protocol_version(), state.pending, snapshot_first_);
  return absl::OkStatus();
}

absl::Status Session::Handle(const v1::ToCollector& message) {
  switch (message.kind_case()) {
    case v1::ToCollector::kAck:
      return HandleAck(message.ack().sequence());
    case v1::ToCollector::kScanRequest:
      return HandleScan(message.scan_request());
    case v1::ToCollector::kPlanChanged:
      parts_.recorder.SetPlan(message.plan_changed().plan());
      return absl::OkStatus();
    case v1::ToCollector::kSlowDown:
      HandleSlowDown(message.slow_down());
      return absl::OkStatus();
    case v1::ToCollector::kResync:
      return HandleResync(message.resync());
    case v1::ToCollector::kRenewed:
      HandleRenewed(message.renewed());
      return absl::OkStatus();
    case v1::ToCollector::kWelcome:
      return absl::InternalError("a second Welcome");
    case v1::ToCollector::KIND_NOT_SET:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status Session::HandleAck(uint64_t sequence) {
  if (sequence > highest_sent_) {
    return absl::InternalError(
        absl::StrCat("the controller acknowledged delta ", sequence, ", which it was never sent"));
  }
  parts_.spool.Acknowledge(sequence);
  while (!under_way_.empty() && under_way_.front() <= sequence) under_way_.pop_front();
  while (!unsettled_.empty() && unsettled_.front().after_sequence <= sequence) {
    unsettled_.pop_front();
  }
  sent_ = std::max(sent_, sequence);
  owed_since_ = parts_.clock.Now();
  stale_resyncs_ = 0;
  resyncs_ = 0;
  snapshot_asked_ = false;
  return absl::OkStatus();
}

absl::Status Session::HandleResync(const v1::Resync& resync) {
  if (stale_resyncs_ > 0) {
    --stale_resyncs_;
    return absl::OkStatus();
  }
  spdlog::info("the controller asks for everything: {}", support::LogSafe(resync.reason()));
  if (++resyncs_ > kMaximumResyncs) {
    return absl::InternalError("the controller asks for everything again and again");
  }
  stale_resyncs_ = under_way_.empty() ? 0 : under_way_.size() - 1;
  under_way_.clear();
  sent_ = parts_.spool.state().acknowledged_sequence;
  sent_digest_.clear();
  flat_digests_.reset();
  snapshot_first_ = true;
  snapshot_asked_ = false;
  for (Recorder::Answered& answer : unsettled_) answers_.push_back(std::move(answer));
  unsettled_.clear();
  return absl::OkStatus();
}

absl::Status Session::HandleScan(const v1::ScanRequest& request) {
  spdlog::info("scan asked for scan={}", support::LogSafe(request.scan_id()));
  if (parts_.recorder.Scan(request.scan_id())) return absl::OkStatus();
  v1::FromCollector message;
  message.mutable_scan_failed()->set_scan_id(request.scan_id());
  message.mutable_scan_failed()->set_reason("too many scans wait on this host");
  return Send(message);
}

void Session::HandleSlowDown(const v1::SlowDown& slow_down) {
  const absl::Time now = parts_.clock.Now();
  const absl::Duration pause = std::min(support::FromDuration(slow_down.pause()), kLongestSilence);
  if (now >= silent_until_) {
    spdlog::info("the controller asks to wait {}: {}", absl::FormatDuration(pause),
                 support::LogSafe(slow_down.reason()));
  }
  silent_until_ = std::max(silent_until_, now + pause);
  silence_ = silent_until_ - now;
  owed_since_ = std::max(owed_since_, silent_until_);
}

void Session::HandleRenewed(const v1::RenewResponse& renewed) {
  const absl::Status saved =
      uplink::SaveIdentity(parts_.config.state_dir, parts_.identity.key_pem,
                           renewed.certificate_pem(), renewed.ca_bundle_pem());
  if (!saved.ok()) {
    spdlog::error("renewed certificate not saved: {}; it is asked for again in {}",
                  std::string(saved.message()), absl::FormatDuration(parts_.config.renewal_pause));
    renewal_owed_ = true;
    next_renewal_ = parts_.clock.Now() + parts_.config.renewal_pause;
    return;
  }
  spdlog::info("certificate renewed");
  renewed_ = true;
}

}  // namespace plimsoll::agent
