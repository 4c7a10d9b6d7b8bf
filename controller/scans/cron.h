// When a schedule fires: cron expressions, in a time zone.
//
// Of our own: Debian 12 packages no C++ library for cron expressions, and what matters here,
// daylight saving and a next time that every controller computes alike, is what the common ones
// leave to the caller. Time zones themselves are Abseil's, from the machine's tz database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace plimsoll::scans {

// Five fields: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or JAN-DEC), day of
// week (0-7 or SUN-SAT; 0 and 7 are Sunday). A field is `*`, or a list of values, ranges `a-b`, and
// steps `*/n`, `a-b/n`, `a/n` (from a to the end). `?` means `*` in the two day fields. In place of
// the fields: @hourly, @daily (@midnight), @weekly, @monthly, @yearly (@annually).
//
// As cron has it, a day matches when both day fields do, or, where neither begins with `*`, when
// either does. Immutable; thread-safe; a value.
class Cron {
 public:
  // INVALID_ARGUMENT names the field, the part of it, and what was expected.
  static absl::StatusOr<Cron> Parse(absl::string_view expression);

  // The first time after `after` that matches on the clocks of `zone`. A local time that the clocks
  // skip counts as the moment they jump; one that they show twice counts the first time only.
  // Absent: never again (30 February). A pure function of its arguments and the tz database.
  std::optional<absl::Time> Next(absl::Time after, absl::TimeZone zone) const;

 private:
  Cron() = default;
  bool DayMatches(absl::CivilDay day) const;
  // The first minute at or after `from` that matches; absent: none within the years looked at.
  std::optional<absl::CivilMinute> NextLocal(absl::CivilMinute from) const;

  // Bit n: the value n matches.
  uint64_t minutes_ = 0;
  uint64_t hours_ = 0;
  uint64_t days_ = 0;
  uint64_t months_ = 0;
  // Bits 0 (Sunday) to 6.
  uint64_t weekdays_ = 0;
  // Neither day field begins with `*`.
  bool either_day_ = false;
};

// The zone of that name in the tz database; empty: UTC. INVALID_ARGUMENT: not a name of the
// database (paths and the machine's own "localtime" are none), or the database is not installed;
// says which.
absl::StatusOr<absl::TimeZone> FindZone(const std::string& name);

}  // namespace plimsoll::scans
