#include "tests/bench/fleet_sim/journal.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace plimsoll::fleet_sim {

Journal::Journal(const std::string& file) : file_(file) {
  absl::MutexLock lock(&mutex_);
  if (!file.empty()) stream_.open(file, std::ios::trunc);
}

absl::Status Journal::status() const {
  absl::MutexLock lock(&mutex_);
  if (stream_) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("--journal ", file_, ": cannot be written"));
}

void Journal::Acknowledged(absl::string_view host_id, uint64_t sequence, absl::string_view digest,
                           int64_t observed_us, bool full) {
  if (file_.empty()) return;
  absl::MutexLock lock(&mutex_);
  stream_ << host_id << ' ' << sequence << ' ' << absl::BytesToHexString(digest) << ' '
          << observed_us << (full ? " full\n" : " delta\n");
}

void Journal::Flush() {
  absl::MutexLock lock(&mutex_);
  if (stream_.is_open()) stream_.flush();
}

}  // namespace plimsoll::fleet_sim
