#include "proto/support/clock.h"

#include "absl/time/clock.h"

namespace plimsoll::support {
namespace {
class RealClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};
}  // namespace

const Clock& Clock::Real() {
  static const RealClock clock;
  return clock;
}

}  // namespace plimsoll::support
