#include "controller/cli/waiver_view.h"

#include <gtest/gtest.h>

#include <sstream>

#include "absl/time/civil_time.h"
#include "tests/controller/cli/cli_run.h"

namespace plimsoll::cli {
namespace {

// An approved one, in effect, with a hostile reason.
v1::Waiver Sample() {
  v1::Waiver waiver;
  waiver.set_id("w-0123456789abcdef");
  v1::RuleRef& rule = *waiver.add_rules();
  rule.set_baseline("azure-docker");
  rule.set_rule("5.04");
  waiver.mutable_selector()->set_expression("role=backup");
  waiver.set_object_pattern("backup-*");
  waiver.set_reason("raw \x1b[31mdevices");
  waiver.set_owner("storage-team");
  waiver.set_ticket("SEC-123");
  waiver.mutable_expire_time()->set_seconds(1800000000);
  waiver.set_bound_to_facts(true);
  waiver.set_bound_object_count(3);
  waiver.set_state(v1::Waiver::APPROVED);
  waiver.set_active(true);
  waiver.set_proposed_by("otto");
  waiver.mutable_propose_time()->set_seconds(1790000000);
  waiver.set_decided_by("ada");
  waiver.mutable_decide_time()->set_seconds(1790000100);
  waiver.set_decision_note("until the new array is there");
  waiver.set_version(2);
  return waiver;
}

struct Output {
  Output() { session.out = &out; }
  std::ostringstream out;
  Session session;
};

TEST(WaiverViewTest, ShowsOneInFull) {
  v1::Waiver waiver = Sample();
  waiver.set_covered_count(2);
  waiver.set_lapsed_count(1);
  v1::FleetFinding& finding = *waiver.add_lapsed();
  finding.set_hostname("web-1");
  finding.set_baseline_id("azure-docker");
  finding.set_rule_id("5.04");
  finding.mutable_finding()->set_object("backup-2 (0123456789ab)");
  finding.mutable_finding()->set_observed("privileged");
  *waiver.add_covered() = finding;
  Output output;
  PrintWaiver(waiver, output.session);
  ExpectGolden("waiver.txt", output.out.str());
}

TEST(WaiverViewTest, ListsThem) {
  v1::ListWaiversResponse all;
  *all.add_waivers() = Sample();
  all.mutable_waivers(0)->set_covered_count(2);
  v1::Waiver& second = *all.add_waivers();
  second = Sample();
  second.set_id("w-2");
  second.set_state(v1::Waiver::PROPOSED);
  second.set_active(false);
  second.clear_object_pattern();
  Output output;
  PrintWaivers(all, true, output.session);
  PrintWaivers(all, false, output.session);
  PrintWaivers({}, false, output.session);
  ExpectGolden("waiver-list.txt", output.out.str());
}

TEST(WaiverViewTest, MomentsAreFromNowOrOfTheCalendar) {
  const absl::Time now = absl::FromUnixSeconds(1790000000);
  const struct {
    const char* text;
    absl::Time moment;
  } rows[] = {
      {"30d", now + absl::Hours(24 * 30)},
      {"90m", now + absl::Minutes(90)},
      {"2027-01-31", absl::FromCivil(absl::CivilDay(2027, 1, 31), absl::UTCTimeZone())},
      {"2027-01-31T08:00:00Z",
       absl::FromCivil(absl::CivilHour(2027, 1, 31, 8), absl::UTCTimeZone())},
      {"", absl::InfinitePast()},
      {"0d", absl::InfinitePast()},
      {"-1h", absl::InfinitePast()},
      {"infinite-future", absl::InfinitePast()},
      {"soon", absl::InfinitePast()},
  };
  for (const auto& row : rows) {
    absl::Time moment;
    const bool good = ParseMoment(row.text, now, moment);
    EXPECT_EQ(good, row.moment != absl::InfinitePast()) << row.text;
    if (good) EXPECT_EQ(moment, row.moment) << row.text;
  }
}

}  // namespace
}  // namespace plimsoll::cli
