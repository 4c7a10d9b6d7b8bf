#include "controller/scans/cron.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace plimsoll::scans {
namespace {

constexpr size_t kLongestExpression = 256;
// 29 February is never more than eight years away.
constexpr int kYearsAhead = 12;

struct Field {
  const char* name;
  int first;
  int last;
  // Three letters each, for the values from `first` on; empty: none.
  absl::string_view names;
  bool day;
};
constexpr Field kFields[] = {
    {"minute", 0, 59, "", false},
    {"hour", 0, 23, "", false},
    {"day of month", 1, 31, "", true},
    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", false},
    {"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT", true},
};

struct Macro {
  absl::string_view name;
  absl::string_view fields;
};
constexpr Macro kMacros[] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

absl::Status Wrong(const Field& field, absl::string_view part, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(field.name, " \"", part, "\": ", why));
}

std::string Expected(const Field& field) {
  return absl::StrCat("expected ", field.first, " to ", field.last,
                      field.names.empty()
                          ? ""
                          : absl::StrCat(" or ", field.names.substr(0, 3), " to ",
                                         field.names.substr(field.names.size() - 3)));
}

absl::StatusOr<int> ParseValue(const Field& field, absl::string_view text) {
  const std::string upper = absl::AsciiStrToUpper(text);
  for (size_t i = 0; upper.size() == 3 && i < field.names.size(); i += 3) {
    if (field.names.substr(i, 3) == upper) return field.first + static_cast<int>(i / 3);
  }
  int value = 0;
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  if (!digits || !absl::SimpleAtoi(text, &value) || value < field.first || value > field.last) {
    return Wrong(field, text, Expected(field));
  }
  return value;
}

// One member of a list: `*`, `a`, `a-b`, each perhaps with `/n`.
absl::Status AddPart(const Field& field, absl::string_view part, uint64_t& bits) {
  const size_t slash = part.find('/');
  const absl::string_view range = part.substr(0, slash);
  int first = field.first;
  // Sunday is 0 already.
  int last = field.last == 7 ? 6 : field.last;
  if (range != "*" && !(field.day && range == "?")) {
    const size_t dash = range.find('-');
    auto begin = ParseValue(field, range.substr(0, dash));
    if (!begin.ok()) return begin.status();
    first = *begin;
    // 7 is Sunday, and steps from it begin there.
    last = std::max(last, first);
    if (dash != absl::string_view::npos) {
      auto end = ParseValue(field, range.substr(dash + 1));
      if (!end.ok()) return end.status();
      last = *end;
      if (last < first) return Wrong(field, part, "the range runs backwards");
    } else if (slash == absl::string_view::npos) {
      last = first;
    }
  }
  int step = 1;
  if (slash != absl::string_view::npos) {
    const absl::string_view text = part.substr(slash + 1);
    const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
    if (!digits || !absl::SimpleAtoi(text, &step) || step < 1 || step > field.last) {
      return Wrong(field, part, absl::StrCat("expected a step of 1 to ", field.last));
    }
  }
  for (int value = first; value <= last; value += step) {
    bits |= uint64_t{1} << (field.last == 7 && value == 7 ? 0 : value);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> ParseField(const Field& field, absl::string_view text) {
  uint64_t bits = 0;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    if (auto status = AddPart(field, part, bits); !status.ok()) return status;
  }
  return bits;
}

// The first set bit at or after `from`; -1: none.
int FirstBit(uint64_t bits, int from) {
  for (int bit = from; bit < 64; ++bit) {
    if ((bits >> bit & 1) != 0) return bit;
  }
  return -1;
}

bool AnyDay(absl::string_view field) { return field[0] == '*' || field[0] == '?'; }

}  // namespace

absl::StatusOr<Cron> Cron::Parse(absl::string_view expression) {
  if (expression.size() > kLongestExpression) {
    return absl::InvalidArgumentError(absl::StrCat("longer than ", kLongestExpression, " bytes"));
  }
  absl::string_view text = absl::StripAsciiWhitespace(expression);
  if (absl::StartsWith(text, "@")) {
    const std::string name = absl::AsciiStrToLower(text);
    const auto* macro = std::find_if(std::begin(kMacros), std::end(kMacros),
                                     [&name](const Macro& m) { return m.name == name; });
    if (macro == std::end(kMacros)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", text, "\": expected @hourly, @daily, @weekly, @monthly, @yearly or five fields"));
    }
    text = macro->fields;
  }
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (fields.size() != 5) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected five fields (minute hour day-of-month month day-of-week), found ",
                     fields.size()));
  }
  Cron cron;
  uint64_t* const sets[] = {&cron.minutes_, &cron.hours_, &cron.days_, &cron.months_,
                            &cron.weekdays_};
  for (int i = 0; i < 5; ++i) {
    auto bits = ParseField(kFields[i], fields[i]);
    if (!bits.ok()) return bits.status();
    *sets[i] = *bits;
  }
  cron.either_day_ = !AnyDay(fields[2]) && !AnyDay(fields[4]);
  return cron;
}

bool Cron::DayMatches(absl::CivilDay day) const {
  // absl counts from Monday, 0.
  const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
  const bool of_month = (days_ >> day.day() & 1) != 0;
  const bool of_week = (weekdays_ >> weekday & 1) != 0;
  return either_day_ ? of_month || of_week : of_month && of_week;
}

std::optional<absl::CivilMinute> Cron::NextLocal(absl::CivilMinute from) const {
  const absl::CivilYear end(from.year() + kYearsAhead);
  absl::CivilMinute at = from;
  while (at < absl::CivilMinute(end)) {
    if ((months_ >> at.month() & 1) == 0) {
      at = absl::CivilMinute(absl::CivilMonth(at) + 1);
      continue;
    }
    if (!DayMatches(absl::CivilDay(at))) {
      at = absl::CivilMinute(absl::CivilDay(at) + 1);
      continue;
    }
    const int hour = FirstBit(hours_, at.hour());
    if (hour < 0) {
      at = absl::CivilMinute(absl::CivilDay(at) + 1);
      continue;
    }
    if (hour != at.hour()) at = absl::CivilMinute(at.year(), at.month(), at.day(), hour);
    const int minute = FirstBit(minutes_, at.minute());
    if (minute < 0) {
      at = absl::CivilMinute(absl::CivilHour(at) + 1);
      continue;
    }
    return absl::CivilMinute(at.year(), at.month(), at.day(), hour, minute);
  }
  return std::nullopt;
}

std::optional<absl::Time> Cron::Next(absl::Time after, absl::TimeZone zone) const {
  // Local minutes in their order never go back in time, so what lies before the minute of `after`
  // is over.
  absl::CivilMinute from(zone.At(after).cs);
  while (const auto local = NextLocal(from)) {
    const absl::TimeZone::TimeInfo info = zone.At(absl::CivilSecond(*local));
    const bool skipped = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
    const absl::Time time = skipped ? info.trans : info.pre;
    if (time > after) return time;
    from = *local + 1;
  }
  return std::nullopt;
}

absl::StatusOr<absl::TimeZone> FindZone(const std::string& name) {
  if (name.empty() || name == "UTC") return absl::UTCTimeZone();
  // The library would take a path, and names that mean another zone on each machine.
  const bool plain =
      name.size() <= 64 && absl::ascii_isupper(name[0]) &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return absl::ascii_isalnum(c) || c == '_' || c == '+' || c == '-' || c == '/';
      });
  absl::TimeZone zone;
  if (plain && absl::LoadTimeZone(name, &zone)) return zone;
  if (plain && !absl::LoadTimeZone("Europe/London", &zone)) {
    return absl::InvalidArgumentError(
        "the controller's machine has no tz database: install the package tzdata");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", plain ? name : "?",
      "\" is not a zone of the tz database; expected a name such as UTC or Europe/Berlin"));
}

}  // namespace plimsoll::scans
