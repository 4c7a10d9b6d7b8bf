#include "controller/scans/cron.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace plimsoll::scans {
namespace {

absl::TimeZone Zone(const std::string& name) {
  const auto zone = FindZone(name);
  EXPECT_TRUE(zone.ok()) << zone.status();
  return zone.value_or(absl::UTCTimeZone());
}

absl::Time Utc(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M:%E*S", text, absl::UTCTimeZone(), &time, &error))
      << text << ": " << error;
  return time;
}

// The next `count` times, as the clocks of the zone show them.
std::string Times(const std::string& cron, const std::string& zone_name, absl::Time after,
                  int count) {
  const auto parsed = Cron::Parse(cron);
  if (!parsed.ok()) return parsed.status().ToString();
  const absl::TimeZone zone = Zone(zone_name);
  std::vector<std::string> times;
  for (int i = 0; i < count; ++i) {
    const auto next = parsed->Next(after, zone);
    if (!next) {
      times.push_back("never");
      break;
    }
    times.push_back(absl::FormatTime("%Y-%m-%d %H:%M%z", *next, zone));
    after = *next;
  }
  return absl::StrJoin(times, ", ");
}

TEST(CronTest, FiresWhenTheFieldsSay) {
  const absl::Time start = Utc("2026-01-01 00:00:00");  // A Thursday.
  const struct {
    const char* cron;
    const char* times;
  } cases[] = {
      {"* * * * *", "2026-01-01 00:01+0000, 2026-01-01 00:02+0000"},
      {"30 6 * * *", "2026-01-01 06:30+0000, 2026-01-02 06:30+0000"},
      {"*/25 * * * *", "2026-01-01 00:25+0000, 2026-01-01 00:50+0000"},
      {"10/25 0 * * *", "2026-01-01 00:10+0000, 2026-01-01 00:35+0000"},
      {"5-9/2 0 * * *", "2026-01-01 00:05+0000, 2026-01-01 00:07+0000"},
      {"0 4,16 * * *", "2026-01-01 04:00+0000, 2026-01-01 16:00+0000"},
      {"0 0 * feb,APR *", "2026-02-01 00:00+0000, 2026-02-02 00:00+0000"},
      {"0 0 * * mon-wed", "2026-01-05 00:00+0000, 2026-01-06 00:00+0000"},
      {"0 0 * * 7", "2026-01-04 00:00+0000, 2026-01-11 00:00+0000"},
      {"0 0 * * 0", "2026-01-04 00:00+0000, 2026-01-11 00:00+0000"},
      {"0 0 * * 7/2", "2026-01-04 00:00+0000, 2026-01-11 00:00+0000"},
      {"0 0 * * 1,7/2", "2026-01-04 00:00+0000, 2026-01-05 00:00+0000"},
      {"0 0 * * 5-7", "2026-01-02 00:00+0000, 2026-01-03 00:00+0000"},
      {"0 0 31 * ?", "2026-01-31 00:00+0000, 2026-03-31 00:00+0000"},
      {"0 0 ? * FRI", "2026-01-02 00:00+0000, 2026-01-09 00:00+0000"},
      // Both days restricted: either will do.
      {"0 0 4 * FRI", "2026-01-02 00:00+0000, 2026-01-04 00:00+0000"},
      // A field that begins with a star does not count as restricted.
      {"0 0 */2 * FRI", "2026-01-09 00:00+0000, 2026-01-23 00:00+0000"},
      {"0 0 29 2 *", "2028-02-29 00:00+0000, 2032-02-29 00:00+0000"},
      {"0 0 30 2 *", "never"},
      {"0 0 31 4,6,9,11 *", "never"},
      {"  0\t0 1 1 *  ", "2027-01-01 00:00+0000, 2028-01-01 00:00+0000"},
      {"@hourly", "2026-01-01 01:00+0000, 2026-01-01 02:00+0000"},
      {"@Daily", "2026-01-02 00:00+0000, 2026-01-03 00:00+0000"},
      {"@midnight", "2026-01-02 00:00+0000, 2026-01-03 00:00+0000"},
      {"@weekly", "2026-01-04 00:00+0000, 2026-01-11 00:00+0000"},
      {"@monthly", "2026-02-01 00:00+0000, 2026-03-01 00:00+0000"},
      {"@yearly", "2027-01-01 00:00+0000, 2028-01-01 00:00+0000"},
      {"@annually", "2027-01-01 00:00+0000, 2028-01-01 00:00+0000"},
  };
  for (const auto& c : cases) EXPECT_EQ(Times(c.cron, "UTC", start, 2), c.times) << c.cron;
}

TEST(CronTest, SaysWhichPartIsWrong) {
  const struct {
    std::string cron;
    const char* complaint;
  } cases[] = {
      {"", "found 0"},
      {"* * * *", "found 4"},
      {"* * * * * *", "found 6"},
      {"60 * * * *", "minute \"60\": expected 0 to 59"},
      {"-1 * * * *", "minute \"\": expected 0 to 59"},
      {"* 24 * * *", "hour \"24\": expected 0 to 23"},
      {"* * 0 * *", "day of month \"0\": expected 1 to 31"},
      {"* * * 13 *", "month \"13\": expected 1 to 12 or JAN to DEC"},
      {"* * * JUNE *", "month \"JUNE\""},
      {"* * * * 8", "day of week \"8\": expected 0 to 7 or SUN to SAT"},
      {"* * * * FRI-MON", "day of week \"FRI-MON\": the range runs backwards"},
      {"*/0 * * * *", "minute \"*/0\": expected a step of 1 to 59"},
      {"*/90 * * * *", "minute \"*/90\": expected a step of 1 to 59"},
      {"*/ * * * *", "minute \"*/\": expected a step"},
      {"*/+5 * * * *", "expected a step"},
      {"1,,2 * * * *", "minute \"\""},
      {"1, * * * *", "minute \"\""},
      {"1-2-3 * * * *", "minute \"2-3\""},
      {"? * * * *", "minute \"?\""},
      {"* ? * * *", "hour \"?\""},
      {"*5 * * * *", "minute \"*5\""},
      {"+5 * * * *", "minute \"+5\""},
      {"99999999999999999999 * * * *", "minute"},
      {"* * L * *", "day of month \"L\""},
      {"* * * * MON#1", "day of week \"MON#1\""},
      {"@reboot", "\"@reboot\": expected @hourly"},
      {"@daily 5", "expected @hourly"},
      {std::string(300, '*'), "longer than 256"},
  };
  for (const auto& c : cases) {
    const auto parsed = Cron::Parse(c.cron);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << c.cron;
    EXPECT_TRUE(absl::StrContains(parsed.status().message(), c.complaint)) << parsed.status();
  }
}

TEST(CronTest, AGapFiresWhenItEndsAndARepeatedHourOnce) {
  const struct {
    const char* zone;
    const char* cron;
    const char* after;
    const char* times;
  } cases[] = {
      // 02:00 CET becomes 03:00 CEST.
      {"Europe/Berlin", "30 2 * * *", "2026-03-28 12:00:00",
       "2026-03-29 03:00+0200, 2026-03-30 02:30+0200"},
      // All that was skipped is one firing, together with what is due then anyway.
      {"Europe/Berlin", "*/20 2,3 * * *", "2026-03-29 00:59:00",
       "2026-03-29 03:00+0200, 2026-03-29 03:20+0200"},
      // 03:00 CEST becomes 02:00 CET.
      {"Europe/Berlin", "30 2 * * *", "2026-10-24 12:00:00",
       "2026-10-25 02:30+0200, 2026-10-26 02:30+0100"},
      {"Europe/Berlin", "*/30 * * * *", "2026-10-25 00:01:00",
       "2026-10-25 02:30+0200, 2026-10-25 03:00+0100"},
      {"America/New_York", "15 2 * * *", "2026-03-07 12:00:00",
       "2026-03-08 03:00-0400, 2026-03-09 02:15-0400"},
      {"America/New_York", "15 1 * * *", "2026-10-31 12:00:00",
       "2026-11-01 01:15-0400, 2026-11-02 01:15-0500"},
      // Half an hour.
      {"Australia/Lord_Howe", "15 2 * * *", "2026-10-03 00:00:00",
       "2026-10-04 02:30+1100, 2026-10-05 02:15+1100"},
      {"Australia/Lord_Howe", "45 1 * * *", "2026-04-04 00:00:00",
       "2026-04-05 01:45+1100, 2026-04-06 01:45+1030"},
      {"Asia/Kathmandu", "0 0 * * *", "2026-05-01 00:00:00",
       "2026-05-02 00:00+0545, 2026-05-03 00:00+0545"},
      // A day that was not.
      {"Pacific/Apia", "0 12 30 12 *", "2011-12-29 00:00:00",
       "2011-12-31 00:00+1400, 2012-12-30 12:00+1400"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Times(c.cron, c.zone, Utc(c.after), 2), c.times) << c.zone << " " << c.cron;
  }
}

TEST(CronTest, SecondsAndFractionsDoNotMoveIt) {
  const auto cron = *Cron::Parse("* * * * *");
  const absl::TimeZone utc = absl::UTCTimeZone();
  EXPECT_EQ(cron.Next(Utc("2026-01-01 00:00:59.999"), utc), Utc("2026-01-01 00:01:00"));
  EXPECT_EQ(cron.Next(Utc("2026-01-01 00:01:00"), utc), Utc("2026-01-01 00:02:00"));
}

// Against a walk over every minute, which knows nothing of how Next searches.

// Does a field match? Written from the manual, not from the parser. `last` ends `*` and `a/n`;
// steps from Sunday as 7 end there.
bool FieldMatches(const std::string& field, int value, int first, int last) {
  for (const absl::string_view part : absl::StrSplit(field, ',')) {
    const std::vector<std::string> step = absl::StrSplit(part, '/');
    int begin = first;
    int end = last;
    if (step[0] != "*") {
      const std::vector<std::string> range = absl::StrSplit(step[0], '-');
      begin = std::stoi(range[0]);
      end = range.size() > 1  ? std::stoi(range[1])
            : step.size() > 1 ? std::max(last, begin)
                              : begin;
    }
    const int by = step.size() > 1 ? std::stoi(step[1]) : 1;
    if (value >= begin && value <= end && (value - begin) % by == 0) return true;
  }
  return false;
}

bool Matches(const std::vector<std::string>& fields, absl::CivilMinute at) {
  const int weekday = (static_cast<int>(absl::GetWeekday(absl::CivilDay(at))) + 1) % 7;
  const bool day = FieldMatches(fields[2], at.day(), 1, 31);
  const bool week =
      FieldMatches(fields[4], weekday, 0, 6) || FieldMatches(fields[4], weekday + 7, 7, 6);
  const bool both = fields[2][0] == '*' || fields[4][0] == '*';
  return FieldMatches(fields[0], at.minute(), 0, 59) && FieldMatches(fields[1], at.hour(), 0, 23) &&
         FieldMatches(fields[3], at.month(), 1, 12) && (both ? day && week : day || week);
}

// Every firing in [begin, end): walks the minutes of real time, and at each asks what the clocks
// showed, what they have shown before, and what they jumped over.
std::vector<absl::Time> Walk(const std::vector<std::string>& fields, absl::TimeZone zone,
                             absl::Time begin, absl::Time end) {
  std::vector<absl::Time> times;
  // From a day before, so that the first repeated hour is known as one.
  absl::Time at = begin - absl::Hours(26);
  absl::CivilMinute latest(zone.At(at).cs);
  for (at += absl::Minutes(1); at < end; at += absl::Minutes(1)) {
    const absl::CivilMinute shown(zone.At(at).cs);
    bool fires = false;
    for (absl::CivilMinute local = latest + 1; local <= shown; ++local) {
      fires = fires || Matches(fields, local);
    }
    latest = std::max(latest, shown);
    if (fires && at >= begin) times.push_back(at);
  }
  return times;
}

std::string RandomField(std::mt19937& random, int first, int last) {
  const auto pick = [&](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  std::vector<std::string> parts;
  for (int i = pick(1, 3); i > 0; --i) {
    const int a = pick(first, last);
    const int b = pick(a, last);
    const int by = pick(1, std::max(1, (last - first) / 2));
    switch (pick(0, 3)) {
      case 0:
        parts.push_back(absl::StrCat(a));
        break;
      case 1:
        parts.push_back(absl::StrCat(a, "-", b));
        break;
      case 2:
        parts.push_back(absl::StrCat(a, "-", b, "/", by));
        break;
      default:
        parts.push_back(absl::StrCat(a, "/", by));
    }
  }
  return absl::StrJoin(parts, ",");
}

std::vector<std::string> RandomExpression(std::mt19937& random) {
  constexpr std::pair<int, int> kRanges[] = {{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}};
  // How often of 10 a field is restricted: the days around a change of the clocks shall match.
  constexpr int kRestricted[] = {9, 6, 2, 2, 2};
  std::vector<std::string> fields;
  for (int i = 0; i < 5; ++i) {
    const int dice = std::uniform_int_distribution<int>(0, 9)(random);
    if (dice < kRestricted[i]) {
      fields.push_back(RandomField(random, kRanges[i].first, kRanges[i].second));
    } else {
      fields.push_back(dice == 9 ? "*/2" : "*");
    }
  }
  return fields;
}

TEST(CronTest, AgreesWithAWalkOverEveryMinute) {
  // Days around changes of the clocks, and one without.
  const struct {
    const char* zone;
    const char* begin;
  } windows[] = {
      {"Europe/Berlin", "2026-03-28 00:00:00"},
      {"Europe/Berlin", "2026-10-24 00:00:00"},
      {"America/New_York", "2026-03-07 06:00:00"},
      {"America/New_York", "2026-10-31 06:00:00"},
      {"Australia/Lord_Howe", "2026-10-02 16:00:00"},
      {"Australia/Lord_Howe", "2026-04-03 16:00:00"},
      {"Asia/Kathmandu", "1985-12-30 12:00:00"},
      {"Asia/Kathmandu", "2024-02-27 12:00:00"},
      {"Africa/Casablanca", "2026-02-14 00:00:00"},
      {"Pacific/Apia", "2011-12-29 00:00:00"},
      {"America/Sao_Paulo", "2018-11-03 00:00:00"},
      {"UTC", "2027-12-30 00:00:00"},
  };
  std::mt19937 random(20260101);
  int firings = 0;
  for (const auto& window : windows) {
    const absl::TimeZone zone = Zone(window.zone);
    const absl::Time begin = Utc(window.begin);
    const absl::Time end = begin + absl::Hours(72);
    for (int i = 0; i < 60; ++i) {
      const std::vector<std::string> fields = RandomExpression(random);
      const std::string text = absl::StrJoin(fields, " ");
      const auto cron = Cron::Parse(text);
      ASSERT_TRUE(cron.ok()) << text << ": " << cron.status();
      const std::vector<absl::Time> expected = Walk(fields, zone, begin, end);
      std::vector<absl::Time> actual;
      auto next = cron->Next(begin - absl::Nanoseconds(1), zone);
      for (; next && *next < end; next = cron->Next(*next, zone)) actual.push_back(*next);
      ASSERT_EQ(actual, expected) << window.zone << " from " << window.begin << ": " << text;
      firings += static_cast<int>(actual.size());
      // From any moment, not only from one firing to the next.
      for (int probe = 0; probe < 20; ++probe) {
        const absl::Time at =
            begin + absl::Seconds(std::uniform_int_distribution<int>(0, 72 * 3600 - 1)(random));
        const auto later = std::upper_bound(expected.begin(), expected.end(), at);
        const auto found = cron->Next(at, zone);
        if (later != expected.end()) {
          ASSERT_EQ(found, *later) << window.zone << " " << text << " after " << at;
        } else if (found) {
          ASSERT_GE(*found, end) << window.zone << " " << text << " after " << at;
        }
      }
    }
  }
  EXPECT_GT(firings, 1000);
}

TEST(CronTest, ZonesAreNamesOfTheDatabase) {
  EXPECT_EQ(Zone("").name(), "UTC");
  EXPECT_EQ(Zone("Etc/GMT+5").name(), "Etc/GMT+5");
  for (const char* name : {"Mars/Base", "localtime", "/etc/localtime", "../../etc/passwd",
                           "Europe/../UTC", "Fixed/UTC+01:00:00", "europe/berlin", "E\x1b[2J"}) {
    const auto zone = FindZone(name);
    EXPECT_TRUE(absl::IsInvalidArgument(zone.status())) << name;
    EXPECT_TRUE(absl::StrContains(zone.status().message(), "Europe/Berlin")) << zone.status();
    EXPECT_FALSE(absl::StrContains(zone.status().message(), "\x1b"));
  }
}

}  // namespace
}  // namespace plimsoll::scans
