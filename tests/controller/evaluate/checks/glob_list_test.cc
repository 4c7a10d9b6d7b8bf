#include "controller/evaluate/checks/glob_list.h"

#include <gtest/gtest.h>

namespace plimsoll::evaluate {
namespace {

using List = google::protobuf::RepeatedPtrField<std::string>;

absl::Time At(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

struct GlobCase {
  const char* entry;
  const char* as_of;
  const char* text;
  bool matches;
};

TEST(GlobList, Matches) {
  constexpr char kNow[] = "2026-01-02T10:00:00Z";
  const GlobCase cases[] = {
      {"web", kNow, "web", true},
      {"web", kNow, "web-1", false},
      {"web-*", kNow, "web-1", true},
      {"/dev/dri*", kNow, "/dev/dri/card0", true},
      {"", kNow, "web", false},
      {"a\\*", kNow, "a*", false},
      {"web until 2026-01-02", kNow, "web", true},
      {"web until 2026-01-02", "2026-01-02T23:59:59Z", "web", true},
      {"web until 2026-01-02", "2026-01-03T00:00:00Z", "web", false},
      {"web until 2026-13-45", kNow, "web", false},
      {"web until ", kNow, "web", false},
      {"web until 2026-01-02", kNow, "web until 2026-01-02", false},
  };
  for (const GlobCase& c : cases) {
    List entries;
    entries.Add(c.entry);
    EXPECT_EQ(GlobList(entries, At(c.as_of)).Matches(c.text), c.matches)
        << "'" << c.entry << "' against '" << c.text << "'";
  }
}

TEST(GlobList, LastDaysAreFoundInAllListsOfAllChecks) {
  v1::Baseline baseline;
  baseline.set_description("until 2026-01-01");
  auto& privileged = *baseline.add_rules()->mutable_check()->mutable_container_not_privileged();
  privileged.mutable_scope()->add_exempt("web until 2026-01-02");
  privileged.mutable_scope()->add_exempt("db until soon");
  privileged.mutable_scope()->add_exempt("cache");
  auto& ports = *baseline.add_rules()->mutable_check()->mutable_container_ports_bound();
  ports.add_allowed_wildcard_ports("80/tcp until 2025-12-31");
  ports.mutable_scope()->add_exempt("web until 2026-01-02");
  EXPECT_EQ(LastDaysOf(baseline),
            (std::set<absl::CivilDay>{absl::CivilDay(2025, 12, 31), absl::CivilDay(2026, 1, 2)}));
  EXPECT_EQ(EndOf(absl::CivilDay(2026, 1, 2)), At("2026-01-03T00:00:00Z"));
}

TEST(GlobList, EmptyMatchesNothing) {
  const List entries;
  const GlobList list(entries, absl::InfiniteFuture());
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(list.Matches(""));
}

}  // namespace
}  // namespace plimsoll::evaluate
