// The same answers, computed host by host from what the database says.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "controller/fleet/selector.h"
#include "controller/fleet/summaries.h"
#include "tests/controller/fleet/random_fleet.h"

namespace plimsoll::fleet {

inline constexpr absl::Duration kStaleAfter = absl::Minutes(15);

// Borrows the model. Knows of each baseline the active document and the older one.
struct NaiveFleet {
  using Hosts = std::map<std::string, store::HostState>;
  const Hosts& hosts;
  absl::Time now;

  bool Stale(const store::HostState& state) const {
    const auto& heard =
        state.host.has_last_seen_time() ? state.host.last_seen_time() : state.host.enroll_time();
    return absl::ToUnixMicros(now) - TimeUtil::TimestampToMicroseconds(heard) >
           absl::ToInt64Microseconds(kStaleAfter);
  }

  std::vector<const store::HostState*> Select(const Selection& selection) const {
    std::vector<const store::HostState*> selected;
    for (const auto& [id, state] : hosts) {
      const bool named = selection.host_id == id;
      const bool any = selection.host_id.empty() && state.host.connection() != v1::Host::REVOKED;
      const std::map<std::string, std::string> labels(state.host.labels().begin(),
                                                      state.host.labels().end());
      if ((named || any) && Matches(selection.selector, labels)) selected.push_back(&state);
    }
    return selected;
  }

  // Its verdicts by rule id; none: no report.
  std::optional<std::map<std::string, int>> Verdicts(const store::HostState& state,
                                                     const v1::Baseline& baseline) const {
    for (const store::HostVerdicts& verdicts : state.verdicts) {
      if (verdicts.baseline_id != baseline.id() || verdicts.statuses.empty()) continue;
      const v1::Baseline older = OlderBaseline(baseline.id());
      const bool current = verdicts.baseline_digest == baseline.digest();
      if (!current && verdicts.baseline_digest != older.digest()) continue;
      const v1::Baseline& document = current ? baseline : older;
      std::map<std::string, int> by_rule;
      for (const v1::Rule& rule : baseline.rules()) by_rule[rule.id()] = 0;
      for (int i = 0; i < document.rules_size(); ++i) {
        const int status = verdicts.statuses[i];
        const auto rule = by_rule.find(document.rules(i).id());
        if (rule == by_rule.end()) continue;
        rule->second = status > 4 && status != kWaivedFail ? 0 : status;
      }
      return by_rule;
    }
    return std::nullopt;
  }

  // Verdicts where they count.
  std::optional<std::map<std::string, int>> Counted(const store::HostState& state,
                                                    const v1::Baseline& baseline) const {
    if (Stale(state) || state.host.connection() == v1::Host::QUARANTINED) return std::nullopt;
    return Verdicts(state, baseline);
  }

  static void Count(int status, v1::StatusCounts& counts) {
    Counts one = {};
    one[status & 7] = 1;
    if (status == kWaivedFail) one[kWaivedCount] = 1;
    AddTo(one, counts);
  }
  static bool Scored(const v1::Rule& rule) { return rule.scored() && rule.alias_of().empty(); }

  v1::Summary Summary(const v1::Baseline& baseline, const Selection& selection) const {
    v1::Summary summary;
    std::map<std::string, v1::StatusCounts> rules, sections;
    std::map<int, v1::StatusCounts, std::greater<int>> severities;
    int64_t containers = 0;
    for (const store::HostState* state : Select(selection)) {
      summary.set_host_count(summary.host_count() + 1);
      summary.set_stale_host_count(summary.stale_host_count() + Stale(*state));
      summary.set_quarantined_host_count(
          summary.quarantined_host_count() +
          (state->host.connection() == v1::Host::QUARANTINED ? 1 : 0));
      summary.set_unreported_host_count(summary.unreported_host_count() +
                                        !Verdicts(*state, baseline).has_value());
      const auto verdicts = Counted(*state, baseline);
      if (!verdicts.has_value()) continue;
      summary.set_evaluated_host_count(summary.evaluated_host_count() + 1);
      containers += state->host.container_count();
      for (const v1::Rule& rule : baseline.rules()) {
        Count(verdicts->at(rule.id()), rules[rule.id()]);
        if (!Scored(rule)) continue;
        Count(verdicts->at(rule.id()), *summary.mutable_counts());
        Count(verdicts->at(rule.id()), severities[rule.severity()]);
        Count(verdicts->at(rule.id()), sections[rule.id().substr(0, 1)]);
      }
    }
    summary.set_container_count(containers);
    if (summary.host_count() > 0) {
      summary.set_coverage(static_cast<double>(summary.evaluated_host_count()) /
                           summary.host_count());
    }
    v1::BaselineRef& ref = *summary.mutable_baseline();
    ref.set_id(baseline.id());
    ref.set_version(baseline.version());
    ref.set_digest(baseline.digest());
    ref.set_title(baseline.title());
    *summary.mutable_as_of_time() = TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(now));
    if (summary.evaluated_host_count() == 0) return summary;
    for (const v1::Rule& rule : baseline.rules()) {
      v1::RuleSummary& line = *summary.add_rules();
      line.set_rule_id(rule.id());
      line.set_title(rule.title());
      line.set_severity(rule.severity());
      *line.mutable_counts() = rules[rule.id()];
    }
    for (const auto& [severity, counts] : severities) {
      v1::SeveritySummary& line = *summary.add_severities();
      line.set_severity(static_cast<v1::Severity>(severity));
      *line.mutable_counts() = counts;
    }
    for (const v1::Section& section : baseline.sections()) {
      v1::SectionSummary& line = *summary.add_sections();
      line.set_section(section.id());
      line.set_title(section.title());
      *line.mutable_counts() = sections[section.id()];
    }
    SetCompliance(summary.counts(), summary);
    return summary;
  }

  std::vector<v1::LabelSummary> ByLabel(const v1::Baseline& baseline, const Selection& selection,
                                        const std::string& key) const {
    std::map<std::string, v1::LabelSummary> by_value;
    for (const store::HostState* state : Select(selection)) {
      const auto label = state->host.labels().find(key);
      const bool absent = label == state->host.labels().end();
      v1::LabelSummary& line = by_value[absent ? "" : label->second];
      line.set_absent(absent);
      line.set_value(absent ? "" : label->second);
      line.set_host_count(line.host_count() + 1);
      line.mutable_counts();
      const auto verdicts = Counted(*state, baseline);
      if (!verdicts.has_value()) continue;
      line.set_evaluated_host_count(line.evaluated_host_count() + 1);
      for (const v1::Rule& rule : baseline.rules()) {
        if (Scored(rule)) Count(verdicts->at(rule.id()), *line.mutable_counts());
      }
    }
    std::vector<v1::LabelSummary> lines;
    for (auto& [value, line] : by_value) {
      SetCompliance(line.counts(), line);
      lines.push_back(line);
    }
    std::sort(lines.begin(), lines.end(), LabelBefore);
    return lines;
  }

  // Ids, worst first.
  std::vector<std::string> Worst(const v1::Baseline& baseline, const Selection& selection) const {
    std::vector<std::tuple<std::vector<int>, std::string, std::string>> order;
    for (const store::HostState* state : Select(selection)) {
      const auto verdicts = Counted(*state, baseline);
      if (!verdicts.has_value()) continue;
      std::vector<int> failing(6);
      bool fails = false;
      for (const v1::Rule& rule : baseline.rules()) {
        const int status = verdicts->at(rule.id());
        if (!Scored(rule) || (status & 7) != v1::Verdict::FAIL) continue;
        fails = true;
        if (status != kWaivedFail) --failing[5 - rule.severity()];
      }
      if (!fails) continue;
      order.emplace_back(failing, state->host.hostname(), state->host.id());
    }
    std::sort(order.begin(), order.end());
    std::vector<std::string> ids;
    for (const auto& [failing, name, id] : order) ids.push_back(id);
    return ids;
  }

  // "containers fingerprint hosts rules" of each line; `rule_id` empty: any rule.
  std::vector<std::string> Configurations(const v1::Baseline& baseline, const Selection& selection,
                                          const std::string& rule_id) const {
    struct Sum {
      int64_t containers = 0;
      std::set<std::string> hosts;
      std::set<int> rules;
    };
    std::map<uint64_t, Sum> sums;
    std::map<std::string, int> places;
    for (int i = 0; i < baseline.rules_size(); ++i) places[baseline.rules(i).id()] = i;
    const v1::Baseline older = OlderBaseline(baseline.id());
    for (const store::HostState* state : Select(selection)) {
      if (!Counted(*state, baseline).has_value()) continue;
      for (const store::HostVerdicts& verdicts : state->verdicts) {
        if (verdicts.baseline_id != baseline.id()) continue;
        const v1::Baseline& document =
            verdicts.baseline_digest == older.digest() ? older : baseline;
        for (const auto& configuration : verdicts.failing.configurations()) {
          std::set<int> rules;
          for (const int place : configuration.rules()) {
            if (place >= document.rules_size()) continue;
            const auto known = places.find(document.rules(place).id());
            if (known != places.end()) rules.insert(known->second);
          }
          if (rules.empty()) continue;
          if (!rule_id.empty() && rules.count(places[rule_id]) == 0) continue;
          Sum& sum = sums[configuration.fingerprint()];
          sum.containers += configuration.count();
          sum.hosts.insert(state->host.id());
          sum.rules.insert(rules.begin(), rules.end());
        }
      }
    }
    std::vector<std::tuple<int64_t, uint64_t, std::string>> order;
    for (const auto& [fingerprint, sum] : sums) {
      std::string line = absl::StrCat(sum.containers, " ", fingerprint, " ", sum.hosts.size());
      for (const int rule : sum.rules) absl::StrAppend(&line, " ", rule);
      order.emplace_back(-sum.containers, fingerprint, line);
    }
    std::sort(order.begin(), order.end());
    std::vector<std::string> lines;
    for (const auto& [containers, fingerprint, line] : order) lines.push_back(line);
    return lines;
  }
};

}  // namespace plimsoll::fleet
