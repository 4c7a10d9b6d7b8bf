// The sending side of a session.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/agent/session.h"
#include "proto/support/times.h"

namespace plimsoll::agent {
namespace {

// A controller that acknowledges nothing for this long is left.
constexpr absl::Duration kAckTimeout = absl::Minutes(5);
constexpr size_t kMaximumUnsettled = 256;

}  // namespace

absl::Status Session::Act() {
  const absl::Time now = parts_.clock.Now();
  ClampTimes(now);
  for (Recorder::Answered& answer : parts_.recorder.TakeAnswered()) {
    answers_.push_back(std::move(answer));
  }
  if (auto status = SendDeltas(); !status.ok()) return status;
  if (auto status = SendAnswers(); !status.ok()) return status;
  if (parts_.clock.Now() >= next_heartbeat_) {
    if (auto status = SendHeartbeat(); !status.ok()) return status;
  }
  if (!under_way_.empty() && now > owed_since_ + kAckTimeout) {
    return absl::DeadlineExceededError("the controller acknowledges nothing");
  }
  const absl::Time drain = drain_deadline();
  if (drain != absl::InfiniteFuture() &&
      (now >= drain || (parts_.spool.state().pending == 0 && answers_.empty()))) {
    return absl::CancelledError("drained");
  }
  const bool wanted = renewal_owed_ || parts_.identity.RenewalDue(now);
  if (wanted && now >= next_renewal_) return AskForRenewal();
  return absl::OkStatus();
}

void Session::ClampTimes(absl::Time now) {
  next_heartbeat_ = std::min(next_heartbeat_, now + heartbeat_interval_);
  silent_until_ = std::min(silent_until_, now + silence_);
  owed_since_ = std::min(owed_since_, std::max(now, silent_until_));
  next_renewal_ = std::min(next_renewal_, now + parts_.config.renewal_pause);
}

bool Session::CanSend(const spool::Spool::State& state) const {
  const size_t allowed = static_cast<size_t>(std::max(1, limits_.max_unacknowledged_deltas()));
  return under_way_.size() < allowed && (state.last_sequence > sent_ || snapshot_first_) &&
         !snapshot_asked_;
}

absl::Status Session::SendDeltas() {
  while (true) {
    const spool::Spool::State state = parts_.spool.state();
    // A snapshot asked for has arrived when something is queued that was not sent.
    if (snapshot_asked_ && state.last_sequence > sent_) snapshot_asked_ = false;
    const absl::Time now = parts_.clock.Now();
    if (now < silent_until_ || !CanSend(state) || rate_.NextTime(now) > now) {
      return absl::OkStatus();
    }
    v1::FromCollector message;
    v1::FactsDelta& delta = *message.mutable_facts_delta();
    if (auto next = parts_.spool.Next(sent_); next.ok()) {
      delta = *std::move(next);
    } else {
      // Nothing is queued, or it cannot be read: what the controller needs is made anew.
      AskForSnapshot();
      return absl::OkStatus();
    }
    if (!Prepare(delta)) return absl::OkStatus();
    const int64_t size = static_cast<int64_t>(message.ByteSizeLong());
    if (limits_.max_message_bytes() > 0 && size > limits_.max_message_bytes()) {
      if (snapshot_first_ || delta.base_digest().empty()) {
        return absl::OutOfRangeError(
            absl::StrCat("the facts of this host are ", size, " bytes, the controller accepts ",
                         limits_.max_message_bytes(), "; raise its limit on messages"));
      }
      snapshot_first_ = true;
      AskForSnapshot();
      return absl::OkStatus();
    }
    rate_.Take(now);
    if (under_way_.empty()) owed_since_ = now;
    sent_ = delta.sequence();
    highest_sent_ = std::max(highest_sent_, sent_);
    under_way_.push_back(sent_);
    snapshot_first_ = false;
    if (auto status = Send(message); !status.ok()) return status;
  }
}

bool Session::Prepare(v1::FactsDelta& delta) {
  const bool fits = delta.base_digest() == sent_digest_ && !snapshot_first_;
  if (!delta.base_digest().empty() && !fits) {
    auto facts = parts_.spool.FactsAt(delta.sequence());
    if (!facts.ok()) {
      snapshot_first_ = true;
      AskForSnapshot();
      return false;
    }
    delta.clear_base_digest();
    delta.clear_removals();
    *delta.mutable_changed() = *std::move(facts);
  }
  sent_digest_ = delta.new_digest();
  for (size_t i = 0; i < answers_.size();) {
    if (answers_[i].after_sequence >= delta.sequence()) {
      ++i;
      continue;
    }
    delta.add_scan_ids(answers_[i].scan_id);
    unsettled_.push_back({std::move(answers_[i].scan_id), delta.sequence()});
    answers_.erase(answers_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (!flat_) return true;
  if (delta.base_digest().empty()) flat_digests_.emplace(v1::HostFacts());
  return flat_digests_.has_value() && flat_digests_->Rewrite(delta);
}

void Session::AskForSnapshot() {
  if (std::exchange(snapshot_asked_, true)) return;
  sent_ = parts_.spool.state().acknowledged_sequence;
  parts_.recorder.RequestSnapshot(sent_);
}

std::string Session::SettledDigest() const {
  const spool::Spool::State state = parts_.spool.state();
  if (state.pending != 0 || !under_way_.empty() || snapshot_first_) return "";
  if (!flat_) return state.acknowledged_digest;
  return flat_digests_.has_value() ? flat_digests_->digest() : "";
}

absl::Status Session::SendAnswers() {
  if (answers_.empty()) return absl::OkStatus();
  const std::string digest = SettledDigest();
  if (digest.empty()) return absl::OkStatus();
  v1::FromCollector message;
  v1::Heartbeat& heartbeat = *message.mutable_heartbeat();
  heartbeat.set_facts_digest(digest);
  *heartbeat.mutable_host_time() = support::ToTimestamp(parts_.clock.Now());
  for (Recorder::Answered& answer : answers_) {
    heartbeat.add_scan_ids(answer.scan_id);
    unsettled_.push_back({std::move(answer.scan_id), sent_});
  }
  answers_.clear();
  while (unsettled_.size() > kMaximumUnsettled) unsettled_.pop_front();
  return Send(message);
}

absl::Status Session::SendHeartbeat() {
  v1::FromCollector message;
  message.mutable_heartbeat()->set_facts_digest(SettledDigest());
  *message.mutable_heartbeat()->mutable_host_time() = support::ToTimestamp(parts_.clock.Now());
  return Send(message);
}

absl::Status Session::AskForRenewal() {
  next_renewal_ = parts_.clock.Now() + parts_.config.renewal_pause;
  auto request = uplink::MakeRequest(parts_.identity.key_pem);
  if (!request.ok()) return request.status();
  v1::FromCollector message;
  message.mutable_renew()->set_certificate_signing_request(*std::move(request));
  return Send(message);
}

absl::Time Session::NextDue() {
  const absl::Time now = parts_.clock.Now();
  absl::Time due = std::min(next_heartbeat_, drain_deadline());
  if (CanSend(parts_.spool.state())) {
    due = std::min(due, std::max(silent_until_, rate_.NextTime(now)));
  }
  if (!under_way_.empty()) due = std::min(due, owed_since_ + kAckTimeout + absl::Seconds(1));
  return due;
}

absl::Status Session::Send(const v1::FromCollector& message) {
  next_heartbeat_ = parts_.clock.Now() + heartbeat_interval_;
  return parts_.uplink.Send(message) ? absl::OkStatus()
                                     : absl::UnavailableError("the session is over");
}

}  // namespace plimsoll::agent
