// Every acknowledged change, written down: what a database must hold afterwards.
#pragma once

#include <fstream>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace plimsoll::fleet_sim {

// One line each, "host sequence digest observed kind": id, decimal, hex, microseconds since 1970,
// and "full" or "delta". Thread-safe.
class Journal {
 public:
  // Empty: keeps nothing. Check `status` once opened.
  explicit Journal(const std::string& file);
  absl::Status status() const;

  void Acknowledged(absl::string_view host_id, uint64_t sequence, absl::string_view digest,
                    int64_t observed_us, bool full) ABSL_LOCKS_EXCLUDED(mutex_);
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::string file_;
  mutable absl::Mutex mutex_;
  std::ofstream stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace plimsoll::fleet_sim
