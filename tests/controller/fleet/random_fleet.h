// A fleet made of random hosts, and a plain model of it to compare with.
#pragma once

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/fleet/fleet.h"
#include "controller/store/fleet_store.h"

namespace plimsoll::fleet {

using google::protobuf::util::TimeUtil;

inline absl::Time At(int seconds) { return absl::FromUnixSeconds(1'700'000'000 + seconds); }

// FAIL as it is stored when it is waived.
inline constexpr int kWaivedFail = v1::Verdict::FAIL | store::kWaivedMark;

// Nine rules of two sections; one is an alias and one is not scored.
inline v1::Baseline RandomBaseline(const std::string& id) {
  v1::Baseline baseline;
  baseline.set_id(id);
  baseline.set_version("1.0.0");
  baseline.set_title("Baseline " + id);
  baseline.set_digest("digest of " + id);
  for (const char* section : {"1", "2"}) {
    v1::Section& added = *baseline.add_sections();
    added.set_id(section);
    added.set_title(absl::StrCat("Section ", section));
  }
  for (int i = 0; i < 9; ++i) {
    v1::Rule& rule = *baseline.add_rules();
    rule.set_id(absl::StrCat(i % 2 + 1, ".", i));
    rule.set_slug(absl::StrCat("slug-", i));
    rule.set_title(absl::StrCat("Rule ", i));
    rule.set_severity(static_cast<v1::Severity>(i % 5 + 1));
    rule.set_scored(i != 4);
    if (i == 7) rule.set_alias_of("1.0");
  }
  return baseline;
}

// An older document of the same id: other order, one rule less, one more.
inline v1::Baseline OlderBaseline(const std::string& id) {
  v1::Baseline older = RandomBaseline(id);
  older.set_digest("older digest of " + id);
  older.mutable_rules()->SwapElements(0, 8);
  older.mutable_rules()->DeleteSubrange(3, 1);
  older.add_rules()->set_id("2.99");
  return older;
}

// Makes hosts, and remembers them as they are.
class RandomFleet {
 public:
  explicit RandomFleet(int seed, const std::vector<v1::Baseline>& baselines)
      : baselines_(baselines), random_(seed) {}

  int Below(int limit) { return static_cast<int>(random_() % limit); }

  // A host at random, new or changed; remembered.
  store::HostState Next(absl::Time now) {
    const int number = Below(150);
    store::HostState state;
    state.ordinal = number + 1;
    v1::Host& host = state.host;
    host.set_id(absl::StrCat("h-", number));
    host.set_hostname(absl::StrCat("Web-", Below(40)));
    host.set_boot_id(absl::StrCat("boot ", Below(3)));
    host.set_engine_version(absl::StrCat("20.", Below(3)));
    host.set_container_count(Below(30));
    for (const char* key : {"env", "team", "zone"}) {
      if (Below(3) > 0) (*host.mutable_labels())[key] = absl::StrCat("v", Below(4));
    }
    host.set_connection(static_cast<v1::Host::Connection>(Below(5) + 1));
    *host.mutable_enroll_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(At(0)));
    if (Below(5) > 0) {
      const absl::Time seen = now - absl::Minutes(Below(30));
      *host.mutable_last_seen_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(seen));
    }
    for (const v1::Baseline& baseline : baselines_) {
      if (Below(6) > 0) state.verdicts.push_back(Verdicts(baseline));
    }
    // The database does not move last_seen back either.
    const auto known = hosts.find(host.id());
    if (known != hosts.end()) {
      const v1::Host& before = known->second.host;
      if (before.has_last_seen_time() &&
          (!host.has_last_seen_time() || host.last_seen_time() < before.last_seen_time())) {
        *host.mutable_last_seen_time() = before.last_seen_time();
      }
    }
    hosts[host.id()] = state;
    return state;
  }

  // The model: what the database would say, by id.
  std::map<std::string, store::HostState> hosts;

 private:
  store::HostVerdicts Verdicts(const v1::Baseline& baseline) {
    store::HostVerdicts verdicts;
    verdicts.baseline_id = baseline.id();
    const int document = Below(8);
    verdicts.baseline_digest = document == 0   ? "never heard of"
                               : document == 1 ? ""
                               : document < 4  ? "older digest of " + baseline.id()
                                               : baseline.digest();
    if (document == 1) return verdicts;
    for (int i = 0; i < baseline.rules_size(); ++i) {
      // 7 is no status, nor is PASS with the mark; FAIL with it is waived.
      const int odd = Below(20);
      verdicts.statuses.push_back(static_cast<char>(odd == 0   ? 7
                                                    : odd == 1 ? 9
                                                    : odd < 5  ? kWaivedFail
                                                               : Below(5)));
      verdicts.since.push_back(absl::ToUnixMicros(At(Below(100))));
    }
    for (int i = Below(4); i > 0; --i) {
      auto& configuration = *verdicts.failing.add_configurations();
      configuration.set_fingerprint(i * 1000 + Below(4));
      configuration.set_count(1 + Below(3));
      for (int rule = 0; rule < baseline.rules_size(); ++rule) {
        if (Below(3) == 0) configuration.add_rules(rule);
      }
    }
    return verdicts;
  }

  const std::vector<v1::Baseline>& baselines_;
  std::mt19937 random_;
};

}  // namespace plimsoll::fleet
