#include "collector/spool/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/spool/packing.h"
#include "collector/spool/records.h"
#include "proto/support/facts_delta.h"
#include "proto/support/facts_digest.h"
#include "proto/support/key_files.h"

namespace plimsoll::spool {
namespace {

constexpr int64_t kLeastBytes = 1 << 20;
// Below this a file is not worth rewriting.
constexpr int64_t kSmallFile = 256 << 10;
constexpr size_t kMaximumScanIds = 256;

std::string FileOf(const std::string& dir) { return absl::StrCat(dir, "/spool"); }

}  // namespace

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(Options options, const support::Clock& clock) {
  options.max_bytes = std::max(options.max_bytes, kLeastBytes);
  int lock_fd = -1;
  const absl::Status made = support::MakePrivateDirectory(options.dir);
  if (made.ok()) {
    lock_fd = open(absl::StrCat(options.dir, "/lock").c_str(),
                   O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_fd >= 0 && flock(lock_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close(lock_fd);
      return absl::FailedPreconditionError(
          absl::StrCat("another collector uses ", options.dir,
                       "; stop it, or give this one a --state-dir of its own"));
    }
  }
  std::unique_ptr<Spool> spool(new Spool(std::move(options), clock, lock_fd));
  spool->Load();
  return spool;
}

Spool::Spool(Options options, const support::Clock& clock, int lock_fd)
    : options_(std::move(options)), clock_(clock), lock_fd_(lock_fd) {}

Spool::~Spool() {
  Flush();
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (syncer_.joinable()) syncer_.join();
  if (lock_fd_ >= 0) close(lock_fd_);
}

void Spool::Load() {
  absl::MutexLock lock(&mutex_);
  on_disk_ = true;
  int64_t cut = 0;
  std::optional<v1::HostFacts> facts;
  auto log = RecordLog::Open(
      FileOf(options_.dir),
      [&](const RecordLog::Place& place, const std::string& payload)
          ABSL_NO_THREAD_SAFETY_ANALYSIS { return Replay(place, payload, facts); },
      cut);
  if (log.ok()) {
    log_ = *std::move(log);
    if (cut > 0) {
      Say(true, absl::StrCat("the spool had ", cut,
                             " damaged bytes at its end, from a crash or a bad disk; cut off"));
    }
    if (facts.has_value() && support::FactsDigestTree(*facts).Digest() == LastDigest()) {
      loaded_ = std::move(facts);
    } else if (!LastDigest().empty()) {
      Say(true, "the facts in the spool do not have their digest; collecting everything anew");
      pending_.clear();
      acknowledged_digest_.clear();
    }
  } else if (!absl::IsNotFound(log.status())) {
    Say(true,
        absl::StrCat("the spool could not be read and begins anew: ", log.status().message()));
  }
  if (!loaded_.has_value()) {
    if (auto status = Rewrite(nullptr); !status.ok()) Fail(status);
  }
  syncer_ = std::thread([this] { SyncLoop(); });
}

bool Spool::Replay(const RecordLog::Place& place, const std::string& payload,
                   std::optional<v1::HostFacts>& facts) {
  switch (place.kind) {
    case kBase: {
      v1::FactsDelta base;
      if (!Unpack(payload, base)) return false;
      pending_.clear();
      acknowledged_sequence_ = base.sequence();
      acknowledged_digest_ = base.new_digest();
      base_bytes_ = RecordLog::SizeOf(payload.size());
      facts.reset();
      if (base.has_changed()) facts = std::move(*base.mutable_changed());
      return true;
    }
    case kDelta: {
      v1::FactsDelta delta;
      if (!Unpack(payload, delta)) return false;
      if (delta.base_digest().empty()) facts.emplace();
      if (!facts.has_value() || !support::ApplyDelta(delta, *facts).ok()) return false;
      Entry entry = EntryOf(delta);
      entry.sequence = delta.sequence();
      entry.place = place;
      pending_.push_back(std::move(entry));
      return true;
    }
    case kAcknowledged:
    case kRenumbered: {
      uint64_t sequence = 0;
      if (!UnpackSequence(payload, sequence)) return false;
      if (place.kind == kAcknowledged) {
        bool known = false;
        while (!pending_.empty() && pending_.front().sequence <= sequence) {
          known = pending_.front().sequence == sequence;
          acknowledged_digest_ = pending_.front().new_digest;
          pending_.pop_front();
        }
        if (!known) acknowledged_digest_.clear();
      }
      acknowledged_sequence_ = sequence;
      if (place.kind == kRenumbered) {
        for (Entry& entry : pending_) entry.sequence = ++sequence;
      }
      return true;
    }
  }
  return false;
}

std::optional<v1::HostFacts> Spool::TakeFacts() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(loaded_, std::nullopt);
}

Spool::Entry Spool::EntryOf(const v1::FactsDelta& delta) const {
  Entry entry;
  entry.full = delta.base_digest().empty();
  entry.new_digest = delta.new_digest();
  entry.observed_time = delta.observed_time();
  entry.gap = delta.gap();
  entry.scan_ids.assign(delta.scan_ids().begin(), delta.scan_ids().end());
  return entry;
}

void Spool::Append(v1::FactsDelta delta, const v1::HostFacts& facts) {
  absl::MutexLock lock(&mutex_);
  const bool fits = delta.base_digest().empty() || delta.base_digest() == LastDigest();
  delta.set_sequence(LastSequence() + 1);
  if (!fits) {
    delta.clear_base_digest();
    delta.clear_removals();
    *delta.mutable_changed() = facts;
  }
  Entry entry = EntryOf(delta);
  entry.sequence = delta.sequence();
  entry.payload = Pack(delta);
  const int64_t size = RecordLog::SizeOf(entry.payload.size());
  if (on_disk_ && log_->size() + size <= options_.max_bytes) {
    entry.place = Write(kDelta, entry.payload);
    if (entry.place.has_value()) entry.payload.clear();
  }
  memory_bytes_ += static_cast<int64_t>(entry.payload.size());
  pending_.push_back(std::move(entry));
  dirty_ = true;
  Bound(facts);
}

void Spool::Bound(const v1::HostFacts& facts) {
  if (on_disk_ && memory_bytes_ > 0) {
    // No room for the newest. A rewrite makes some, if much of the file is acknowledged.
    if (PendingBytes() + base_bytes_ < options_.max_bytes / 2) {
      const auto base = FactsAtLocked(acknowledged_sequence_);
      const absl::Status rewritten = base.ok() || pending_.front().full
                                         ? Rewrite(base.ok() ? &*base : nullptr)
                                         : base.status();
      if (rewritten.ok()) return;
    }
    CollapseLocked(facts);
    return;
  }
  if (pending_.size() > options_.max_pending || memory_bytes_ > options_.max_memory_bytes) {
    CollapseLocked(facts);
  } else if (!on_disk_) {
    Mend(facts);
  }
}

void Spool::Collapse(const v1::HostFacts& facts, uint64_t acknowledged_sequence) {
  absl::MutexLock lock(&mutex_);
  if (acknowledged_sequence_ > acknowledged_sequence) return;
  // Is what it would become.
  if (pending_.size() == 1 && pending_.front().full && Payload(pending_.front()).ok()) return;
  CollapseLocked(facts);
}

void Spool::CollapseLocked(const v1::HostFacts& facts) {
  v1::FactsDelta delta;
  *delta.mutable_observed_time() = facts.observed_time();
  delta.set_sequence(LastSequence() + (pending_.empty() ? 1 : 0));
  v1::ObservationGap& gap = *delta.mutable_gap();
  for (const Entry& entry : pending_) {
    for (const std::string& id : entry.scan_ids) {
      if (delta.scan_ids_size() < static_cast<int>(kMaximumScanIds)) delta.add_scan_ids(id);
    }
    const bool newest = &entry == &pending_.back();
    if (newest) *delta.mutable_observed_time() = entry.observed_time;
    if (entry.gap.dropped_count() > 0 || !newest) {
      if (gap.dropped_count() == 0) {
        *gap.mutable_begin_time() =
            entry.gap.dropped_count() > 0 ? entry.gap.begin_time() : entry.observed_time;
      }
      *gap.mutable_end_time() = newest ? entry.gap.end_time() : entry.observed_time;
    }
    gap.set_dropped_count(gap.dropped_count() + entry.gap.dropped_count() + (newest ? 0 : 1));
  }
  if (gap.dropped_count() == 0) delta.clear_gap();
  if (pending_.size() > 1) {
    Say(true, absl::StrCat("the spool is full or was asked for a snapshot: ", pending_.size(),
                           " unacknowledged changes became one, the newest state is kept"));
  }
  *delta.mutable_changed() = facts;
  delta.set_new_digest(support::FactsDigestTree(facts).Digest());
  Entry entry = EntryOf(delta);
  entry.sequence = delta.sequence();
  entry.payload = Pack(delta);
  pending_.clear();
  settled_.clear();
  memory_bytes_ = static_cast<int64_t>(entry.payload.size());
  const bool fits = RecordLog::SizeOf(entry.payload.size()) < options_.max_bytes;
  pending_.push_back(std::move(entry));
  dirty_ = true;
  if (!on_disk_ && !RetryDue()) return;
  const bool was_on_disk = on_disk_;
  const absl::Status status =
      fits ? Rewrite(nullptr)
           : absl::ResourceExhaustedError("the facts of this host are larger than --spool-max-mib");
  if (!status.ok()) {
    Fail(status);
  } else if (!was_on_disk) {
    Say(false, "the spool is on disk again");
  }
}

void Spool::Tidy(const v1::HostFacts& facts) {
  absl::MutexLock lock(&mutex_);
  if (!on_disk_) {
    Mend(facts);
    return;
  }
  if (!pending_.empty() || log_->size() < kSmallFile || log_->size() < 4 * base_bytes_) return;
  if (auto status = Rewrite(&facts); !status.ok()) Fail(status);
}

void Spool::Mend(const v1::HostFacts& facts) {
  if (!RetryDue()) return;
  absl::Status status;
  if (pending_.empty()) {
    status = Rewrite(&facts);
  } else {
    const auto base = FactsAtLocked(acknowledged_sequence_);
    status =
        base.ok() || pending_.front().full ? Rewrite(base.ok() ? &*base : nullptr) : base.status();
    if (absl::IsDataLoss(status) || absl::IsNotFound(status)) {
      CollapseLocked(facts);
      return;
    }
  }
  if (!status.ok()) {
    Fail(status);
    return;
  }
  Say(false, "the spool is on disk again");
}

absl::Status Spool::Rewrite(const v1::HostFacts* base) {
  if (auto status = support::MakePrivateDirectory(options_.dir); !status.ok()) return status;
  const std::string temporary = absl::StrCat(FileOf(options_.dir), ".new");
  auto log = RecordLog::Create(temporary);
  if (!log.ok()) return log.status();
  v1::FactsDelta head;
  head.set_sequence(acknowledged_sequence_);
  head.set_new_digest(acknowledged_digest_);
  if (base != nullptr) *head.mutable_changed() = *base;
  const std::string packed = Pack(head);
  std::vector<RecordLog::Place> places;
  absl::Status status = (*log)->Append(kBase, packed).status();
  for (const Entry& entry : pending_) {
    if (!status.ok()) break;
    // A number given after the record was written is not in it.
    const auto payload = Renumbered(Payload(entry), entry.sequence);
    if (!payload.ok()) {
      status = payload.status();
      break;
    }
    auto place = (*log)->Append(kDelta, *payload);
    if (place.ok()) {
      places.push_back(*place);
    } else {
      status = place.status();
    }
  }
  if (status.ok()) status = (*log)->Sync();
  if (status.ok() && rename(temporary.c_str(), FileOf(options_.dir).c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, absl::StrCat("rename ", temporary));
  }
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  status = support::SyncDirectory(options_.dir);
  log_ = *std::move(log);
  base_bytes_ = RecordLog::SizeOf(packed.size());
  for (size_t i = 0; i < pending_.size(); ++i) {
    pending_[i].place = places[i];
    pending_[i].payload = std::string();
  }
  settled_.clear();
  memory_bytes_ = 0;
  on_disk_ = true;
  return status;
}

std::optional<RecordLog::Place> Spool::Write(uint8_t kind, absl::string_view payload) {
  if (!on_disk_) return std::nullopt;
  auto place = log_->Append(kind, payload);
  if (place.ok()) return *place;
  Fail(place.status());
  return std::nullopt;
}

bool Spool::RetryDue() const {
  const absl::Duration left = retry_time_ - clock_.Now();
  return left <= absl::ZeroDuration() || left > options_.retry_interval;
}

void Spool::Fail(const absl::Status& status) {
  retry_time_ = clock_.Now() + options_.retry_interval;
  if (std::exchange(on_disk_, false)) {
    Say(true, absl::StrCat("the spool is in memory only until its disk works again, and changes "
                           "would be lost by a restart: ",
                           status.message()));
  }
}

void Spool::Say(bool problem, const std::string& text) const {
  if (options_.say) options_.say(problem, text);
}

}  // namespace plimsoll::spool
