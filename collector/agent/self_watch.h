// The collector's own cost, and when it is too much.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace plimsoll::agent {

// Share of one core, averaged between two checks, above which the log says so.
inline constexpr double kBoundOfCpu = 0.05;
// Resident memory above which it does, in bytes.
inline constexpr int64_t kBoundOfMemory = 128 << 20;

// What this process used so far.
struct Usage {
  absl::Time time;
  absl::Duration cpu;
  // 0: not known.
  int64_t resident_bytes = 0;
};

// Of this process. `statm` is the content of /proc/self/statm; empty: not known.
Usage UsageNow(absl::Time now, const std::string& statm);

// Compares usage with the bounds. Pure; thread-compatible.
class SelfWatch {
 public:
  // What to log: when a bound is first exceeded, and when all hold again. Checks that follow within
  // a minute are passed over, for a burst is no average.
  struct Notice {
    bool problem = false;
    std::string text;
  };
  std::optional<Notice> Check(const Usage& usage);

 private:
  std::optional<Usage> last_;
  bool exceeded_ = false;
};

}  // namespace plimsoll::agent
