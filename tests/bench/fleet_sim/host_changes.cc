// A host's changes: made, queued, acknowledged, given up.
#include <google/protobuf/util/time_util.h>

#include <utility>

#include "proto/support/clock.h"
#include "tests/bench/fleet_sim/host.h"

namespace plimsoll::fleet_sim {

using google::protobuf::util::TimeUtil;

void Host::Acknowledged(uint64_t sequence) {
  while (sent_ > 0 && !pending_.empty() && pending_.front().sequence <= sequence) {
    Pending& done = pending_.front();
    world_.journal.Acknowledged(identity_.host_id, done.sequence, done.digest, done.observed_us,
                                done.full);
    const absl::Duration now = driver_.now();
    world_.stats.Do([&](Counts& c) {
      ++(done.full ? c.snapshots_acknowledged : c.deltas_acknowledged);
      c.scans_answered += static_cast<int64_t>(done.scan_ids.size());
      c.acknowledge.Add(now - done.sent);
      c.change.Add(now - done.changed);
    });
    acknowledged_sequence_ = done.sequence;
    acknowledged_digest_ = std::move(done.digest);
    pending_.pop_front();
    --sent_;
  }
}

void Host::DropFrom(size_t first) {
  full_due_ = true;
  for (size_t i = first; i < pending_.size(); ++i) {
    const Pending& lost = pending_[i];
    scan_ids_.insert(scan_ids_.end(), lost.scan_ids.begin(), lost.scan_ids.end());
    const auto time = TimeUtil::MicrosecondsToTimestamp(lost.observed_us);
    if (gap_.dropped_count() == 0) *gap_.mutable_begin_time() = time;
    *gap_.mutable_end_time() = time;
    gap_.set_dropped_count(gap_.dropped_count() + 1);
  }
  const auto dropped = static_cast<int64_t>(pending_.size() - first);
  world_.stats.Do([dropped](Counts& c) { c.dropped += dropped; });
  pending_.resize(first);
  Count();
}

void Host::Add(const fleet_sim::Change* change) {
  v1::FromCollector message;
  v1::FactsDelta& delta = *message.mutable_facts_delta();
  Pending& added = pending_.emplace_back();
  added.sequence = ++sequence_;
  added.digest = state_.Digest();
  added.observed_us = absl::ToUnixMicros(support::Clock::Real().Now());
  added.full = change == nullptr;
  added.changed = driver_.now();
  added.scan_ids = std::exchange(scan_ids_, {});
  delta.set_sequence(added.sequence);
  delta.set_new_digest(added.digest);
  *delta.mutable_observed_time() = TimeUtil::MicrosecondsToTimestamp(added.observed_us);
  delta.mutable_scan_ids()->Assign(added.scan_ids.begin(), added.scan_ids.end());
  if (change == nullptr) {
    *delta.mutable_changed() = state_.Facts();
    *delta.mutable_changed()->mutable_observed_time() = delta.observed_time();
    full_due_ = false;
    if (state_.protocol() > 1 && gap_.dropped_count() > 0) *delta.mutable_gap() = gap_;
    gap_.Clear();
  } else {
    delta.set_base_digest(tip_digest_);
    *delta.mutable_changed() = change->changed;
    delta.mutable_removals()->Assign(change->removals.begin(), change->removals.end());
  }
  tip_digest_ = added.digest;
  added.message = ToBytes(message);
  Count();
}

bool Host::Change() {
  if (sequence_ == 0) return false;
  const double kind = Uniform(0, 1);
  const uint64_t random = driver_.random()();
  const Options& options = world_.options;
  const fleet_sim::Change change = kind < options.privileged_share ? state_.TogglePrivileged(random)
                                   : kind < options.privileged_share + options.replaced_share
                                       ? state_.Replace(random)
                                       : state_.ChangeSettings(random);
  world_.stats.Do([](Counts& c) { ++c.changes; });
  // The next message is a full snapshot, and has it.
  if (full_due_) return true;
  if (pending_.size() >= static_cast<size_t>(options.spool)) {
    // Those under way stay. Numbers that this session has not used are used again; without a
    // session, Welcome says where to go on.
    const size_t dropped = pending_.size() - sent_;
    DropFrom(sent_);
    if (welcomed_) sequence_ -= dropped;
  } else {
    Add(&change);
  }
  Pump();
  return true;
}

bool Host::Snapshot() {
  if (!welcomed_ || full_due_ || pending_.size() > sent_) return false;
  state_.ChangeSettings(driver_.random()());
  world_.stats.Do([](Counts& c) { ++c.changes; });
  full_due_ = true;
  Pump();
  return true;
}

}  // namespace plimsoll::fleet_sim
