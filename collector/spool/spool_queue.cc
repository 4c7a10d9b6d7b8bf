// The queue side of the spool: reading, acknowledging, syncing.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/spool/packing.h"
#include "collector/spool/records.h"
#include "collector/spool/spool.h"
#include "proto/support/facts_delta.h"
#include "proto/support/facts_digest.h"

namespace plimsoll::spool {

Spool::State Spool::state() const {
  absl::MutexLock lock(&mutex_);
  State state;
  state.acknowledged_sequence = acknowledged_sequence_;
  state.acknowledged_digest = acknowledged_digest_;
  state.last_sequence = LastSequence();
  state.last_digest = LastDigest();
  state.pending = pending_.size();
  state.on_disk = on_disk_;
  return state;
}

uint64_t Spool::LastSequence() const {
  return pending_.empty() ? acknowledged_sequence_ : pending_.back().sequence;
}

const std::string& Spool::LastDigest() const {
  return pending_.empty() ? acknowledged_digest_ : pending_.back().new_digest;
}

int64_t Spool::PendingBytes() const {
  int64_t bytes = 0;
  for (const Entry& entry : pending_) {
    bytes += RecordLog::SizeOf(entry.place.has_value() ? entry.place->size : entry.payload.size());
  }
  return bytes;
}

absl::StatusOr<std::string> Spool::Payload(const Entry& entry) const {
  if (!entry.place.has_value()) return entry.payload;
  if (log_ == nullptr) return absl::DataLossError("the spool's file is gone");
  return log_->Read(*entry.place);
}

absl::StatusOr<v1::FactsDelta> Spool::Next(uint64_t sequence) const {
  absl::MutexLock lock(&mutex_);
  const auto entry =
      std::upper_bound(pending_.begin(), pending_.end(), sequence,
                       [](uint64_t wanted, const Entry& e) { return wanted < e.sequence; });
  if (entry == pending_.end()) return absl::NotFoundError("nothing more is queued");
  auto payload = Payload(*entry);
  if (!payload.ok()) return payload.status();
  v1::FactsDelta delta;
  if (!Unpack(*payload, delta)) return absl::DataLossError("a record of the spool is no delta");
  delta.set_sequence(entry->sequence);
  return delta;
}

absl::StatusOr<v1::HostFacts> Spool::FactsAt(uint64_t sequence) const {
  absl::MutexLock lock(&mutex_);
  return FactsAtLocked(sequence);
}

absl::StatusOr<v1::HostFacts> Spool::FactsAtLocked(uint64_t sequence) const {
  // The queue up to there; everything in the file before its first entry is acknowledged.
  auto end = pending_.begin();
  while (end != pending_.end() && end->sequence <= sequence) ++end;
  const std::string* digest = &acknowledged_digest_;
  if (end != pending_.begin()) {
    digest = &std::prev(end)->new_digest;
    if (std::prev(end)->sequence != sequence) return absl::NotFoundError("no such delta");
  } else if (sequence != acknowledged_sequence_) {
    return absl::NotFoundError("no such delta");
  }
  std::optional<v1::HostFacts> facts;
  const auto apply = [&facts](const std::string& payload) {
    v1::FactsDelta delta;
    if (!Unpack(payload, delta)) return false;
    if (delta.base_digest().empty()) facts.emplace();
    return facts.has_value() && support::ApplyDelta(delta, *facts).ok();
  };
  // Acknowledged deltas, from the file: all before the first entry, wherever that is.
  const int64_t first_pending = !pending_.empty() && pending_.front().place.has_value()
                                    ? pending_.front().place->offset
                                    : INT64_MAX;
  bool good = true;
  if (log_ != nullptr && (end == pending_.begin() || !pending_.front().full)) {
    const absl::Status scanned =
        log_->Scan([&](const RecordLog::Place& place, const std::string& payload) {
          if (place.offset >= first_pending) return false;
          if (place.kind == kBase) {
            v1::FactsDelta base;
            good = Unpack(payload, base);
            facts.reset();
            if (good && base.has_changed()) facts = std::move(*base.mutable_changed());
          } else if (place.kind == kDelta) {
            good = apply(payload);
          }
          return good;
        });
    if (!scanned.ok()) return scanned;
    for (const std::string& payload : settled_) good = good && apply(payload);
  }
  for (auto entry = pending_.begin(); good && entry != end; ++entry) {
    auto payload = Payload(*entry);
    if (!payload.ok()) return payload.status();
    good = apply(*payload);
  }
  if (!facts.has_value()) return absl::NotFoundError("the facts of that time are not known");
  if (!good || support::FactsDigestTree(*facts).Digest() != *digest) {
    return absl::DataLossError("the facts in the spool do not have their digest");
  }
  return *std::move(facts);
}

void Spool::Acknowledge(uint64_t sequence) {
  absl::MutexLock lock(&mutex_);
  if (sequence <= acknowledged_sequence_ || sequence > LastSequence()) return;
  acknowledged_sequence_ = sequence;
  bool known = false;
  while (!pending_.empty() && pending_.front().sequence <= sequence) {
    known = pending_.front().sequence == sequence;
    acknowledged_digest_ = std::move(pending_.front().new_digest);
    if (!pending_.front().place.has_value()) {
      settled_.push_back(std::move(pending_.front().payload));
    }
    pending_.pop_front();
  }
  // A delta that was sent and has collapsed since.
  if (!known) acknowledged_digest_.clear();
  Write(kAcknowledged, PackSequence(sequence));
}

void Spool::Renumber(uint64_t sequence) {
  absl::MutexLock lock(&mutex_);
  if (sequence == acknowledged_sequence_ &&
      (pending_.empty() || pending_.front().sequence == sequence + 1)) {
    return;
  }
  acknowledged_sequence_ = sequence;
  Write(kRenumbered, PackSequence(sequence));
  for (Entry& entry : pending_) entry.sequence = ++sequence;
}

void Spool::Flush() {
  std::shared_ptr<RecordLog> log;
  {
    absl::MutexLock lock(&mutex_);
    if (!on_disk_ || !dirty_) return;
    dirty_ = false;
    log = log_;
  }
  if (auto status = log->Sync(); !status.ok()) {
    absl::MutexLock lock(&mutex_);
    if (log == log_) Fail(status);
  }
}

void Spool::SyncLoop() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || (dirty_ && on_disk_ && !pending_.empty());
      };
      mutex_.Await(absl::Condition(&wanted));
      if (stopping_) return;
      // Most changes are acknowledged before this is over, and then nothing need be synced.
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), options_.sync_delay)) return;
      if (pending_.empty()) continue;
    }
    Flush();
  }
}

}  // namespace plimsoll::spool
