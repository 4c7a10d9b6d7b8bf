#include "collector/agent/self_watch.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace plimsoll::agent {

Usage UsageNow(absl::Time now, const std::string& statm) {
  Usage usage;
  usage.time = now;
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  usage.cpu = absl::DurationFromTimeval(used.ru_utime) + absl::DurationFromTimeval(used.ru_stime);
  const std::vector<std::string> fields = absl::StrSplit(statm, ' ');
  int64_t pages = 0;
  if (fields.size() > 1 && absl::SimpleAtoi(fields[1], &pages)) {
    usage.resident_bytes = pages * sysconf(_SC_PAGESIZE);
  }
  return usage;
}

std::optional<SelfWatch::Notice> SelfWatch::Check(const Usage& usage) {
  if (!last_.has_value()) {
    last_ = usage;
    return std::nullopt;
  }
  const absl::Duration passed = usage.time - last_->time;
  if (passed < absl::Minutes(1) && passed >= absl::ZeroDuration()) return std::nullopt;
  const double share =
      passed > absl::ZeroDuration() ? absl::FDivDuration(usage.cpu - last_->cpu, passed) : 0;
  last_ = usage;
  const bool exceeds = share > kBoundOfCpu || usage.resident_bytes > kBoundOfMemory;
  if (exceeds == std::exchange(exceeded_, exceeds)) return std::nullopt;
  return Notice{exceeds,
                absl::StrFormat("this collector uses %.1f %% of a core and %d MiB, bounds are "
                                "%.0f %% and %d MiB",
                                100 * share, usage.resident_bytes >> 20, 100 * kBoundOfCpu,
                                kBoundOfMemory >> 20)};
}

}  // namespace plimsoll::agent
