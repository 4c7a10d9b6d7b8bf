#include "controller/fleet/summaries.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace plimsoll::fleet {
namespace {

// The part of a rule's id that names its section.
absl::string_view SectionOf(absl::string_view rule_id) {
  return rule_id.substr(0, rule_id.find('.'));
}

void Add(const v1::StatusCounts& from, v1::StatusCounts& to) {
  AddTo(Counts{from.unknown(), from.pass(), from.fail(), from.not_applicable(), from.manual(),
               from.waived()},
        to);
}

// A line of the answer by label, from its hosts: a Bitmap or a SlotSet.
template <class Hosts>
v1::LabelSummary LineOf(const BaselineColumns& baseline, const Bitmap& selected,
                        const Bitmap& counted, const Hosts& hosts) {
  v1::LabelSummary line;
  Counts counts = {};
  int32_t all = 0;
  int32_t evaluated = 0;
  hosts.ForEach([&](Slot slot) {
    if (!selected.Test(slot)) return;
    ++all;
    if (!counted.Test(slot)) return;
    ++evaluated;
    const Score& score = baseline.score(slot);
    for (int i = 0; i < kCountCount; ++i) counts[i] += score.by_status[i];
  });
  line.set_host_count(all);
  line.set_evaluated_host_count(evaluated);
  AddTo(counts, *line.mutable_counts());
  SetCompliance(line.counts(), line);
  return line;
}

}  // namespace

bool Compliance(const v1::StatusCounts& counts, double& lower, double& upper) {
  const double judged = 0.0 + counts.pass() + counts.fail() + counts.unknown();
  if (judged == 0) return false;
  lower = counts.pass() / judged;
  upper = (0.0 + counts.pass() + counts.unknown()) / judged;
  return true;
}

v1::Summary Summarize(const Fleet& fleet, const BaselineColumns& baseline,
                      const Selection& selection, absl::Time as_of) {
  const v1::Baseline& document = baseline.document();
  const HostTable& hosts = fleet.hosts();
  const Bitmap selected = fleet.Select(selection);
  const Bitmap counted = fleet.Counted(baseline, selected);
  const int64_t evaluated = counted.Count();
  const auto count_in = [&selected](const Bitmap& set) {
    Bitmap both = selected;
    both.And(set);
    return static_cast<int32_t>(both.Count());
  };

  v1::Summary summary;
  v1::BaselineRef& ref = *summary.mutable_baseline();
  ref.set_id(document.id());
  ref.set_version(document.version());
  ref.set_digest(document.digest());
  ref.set_title(document.title());
  summary.set_host_count(static_cast<int32_t>(selected.Count()));
  summary.set_evaluated_host_count(static_cast<int32_t>(evaluated));
  if (summary.host_count() > 0) {
    summary.set_stale_host_count(count_in(fleet.stale()));
    summary.set_quarantined_host_count(count_in(hosts.quarantined()));
    summary.set_unreported_host_count(summary.host_count() - count_in(baseline.reported()));
    summary.set_coverage(static_cast<double>(evaluated) / summary.host_count());
  }
  int64_t containers = 0;
  counted.ForEach([&](Slot slot) { containers += hosts.container_count(slot); });
  summary.set_container_count(containers);
  *summary.mutable_as_of_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(as_of));
  if (evaluated == 0) return summary;

  std::map<int, v1::StatusCounts, std::greater<int>> by_severity;
  absl::flat_hash_map<absl::string_view, v1::StatusCounts> by_section;
  for (size_t i = 0; i < baseline.rule_count(); ++i) {
    const v1::Rule& rule = document.rules(static_cast<int>(i));
    v1::RuleSummary& line = *summary.add_rules();
    line.set_rule_id(rule.id());
    line.set_title(rule.title());
    line.set_severity(rule.severity());
    AddTo(baseline.Count(i, counted, evaluated), *line.mutable_counts());
    if (!baseline.scored(i)) continue;
    Add(line.counts(), *summary.mutable_counts());
    Add(line.counts(), by_severity[rule.severity()]);
    Add(line.counts(), by_section[SectionOf(rule.id())]);
  }
  for (const auto& [severity, counts] : by_severity) {
    v1::SeveritySummary& line = *summary.add_severities();
    line.set_severity(static_cast<v1::Severity>(severity));
    *line.mutable_counts() = counts;
  }
  for (const v1::Section& section : document.sections()) {
    const auto counts = by_section.find(section.id());
    if (counts == by_section.end()) continue;
    v1::SectionSummary& line = *summary.add_sections();
    line.set_section(section.id());
    line.set_title(section.title());
    *line.mutable_counts() = counts->second;
  }
  SetCompliance(summary.counts(), summary);
  return summary;
}

bool LabelBefore(const v1::LabelSummary& a, const v1::LabelSummary& b) {
  return std::make_tuple(-a.counts().fail(), a.absent(), absl::string_view(a.value())) <
         std::make_tuple(-b.counts().fail(), b.absent(), absl::string_view(b.value()));
}

std::vector<v1::LabelSummary> SummarizeByLabel(const Fleet& fleet, const BaselineColumns& baseline,
                                               const Selection& selection,
                                               const std::string& label) {
  const Bitmap selected = fleet.Select(selection);
  const Bitmap counted = fleet.Counted(baseline, selected);
  Bitmap without = selected;
  std::vector<v1::LabelSummary> lines;
  if (const auto* values = fleet.hosts().labels().ValuesOf(label); values != nullptr) {
    Bitmap having(selected.words());
    for (const auto& [value, id] : *values) {
      const SlotSet& hosts = fleet.hosts().labels().hosts(id);
      hosts.AddTo(having);
      v1::LabelSummary line = LineOf(baseline, selected, counted, hosts);
      if (line.host_count() == 0) continue;
      line.set_value(value);
      lines.push_back(std::move(line));
    }
    without.AndNot(having);
  }
  v1::LabelSummary line = LineOf(baseline, selected, counted, without);
  line.set_absent(true);
  if (line.host_count() > 0) lines.push_back(std::move(line));
  std::sort(lines.begin(), lines.end(), LabelBefore);
  return lines;
}

v1::ListWorstHostsResponse WorstHosts(const Fleet& fleet, const BaselineColumns& baseline,
                                      const Selection& selection, size_t limit) {
  const HostTable& hosts = fleet.hosts();
  const Bitmap counted = fleet.Counted(baseline, fleet.Select(selection));
  std::vector<Slot> failing;
  counted.ForEach([&](Slot slot) {
    if (baseline.score(slot).by_status[v1::Verdict::FAIL] > 0) failing.push_back(slot);
  });
  const auto worse = [&](Slot a, Slot b) {
    const Score& x = baseline.score(a);
    const Score& y = baseline.score(b);
    for (int severity = kSeverityCount - 1; severity >= 0; --severity) {
      const int of_x = x.failing[severity] - x.waived[severity];
      const int of_y = y.failing[severity] - y.waived[severity];
      if (of_x != of_y) return of_x > of_y;
    }
    return std::make_pair(hosts.hostname(a), hosts.id(a)) <
           std::make_pair(hosts.hostname(b), hosts.id(b));
  };
  const size_t shown = std::min(limit, failing.size());
  std::partial_sort(failing.begin(), failing.begin() + shown, failing.end(), worse);
  v1::ListWorstHostsResponse response;
  for (size_t i = 0; i < shown; ++i) {
    const Score& score = baseline.score(failing[i]);
    v1::WorstHost& host = *response.add_hosts();
    host.set_host_id(std::string(hosts.id(failing[i])));
    host.set_hostname(std::string(hosts.hostname(failing[i])));
    AddTo(score, *host.mutable_counts());
    for (int severity = kSeverityCount - 1; severity >= 0; --severity) {
      if (score.failing[severity] == 0) continue;
      v1::SeveritySummary& line = *host.add_failing();
      line.set_severity(static_cast<v1::Severity>(severity));
      line.mutable_counts()->set_fail(score.failing[severity]);
      line.mutable_counts()->set_waived(score.waived[severity]);
    }
  }
  return response;
}

std::vector<ConfigurationSum> FailingConfigurations(const Fleet& fleet,
                                                    const BaselineColumns& baseline,
                                                    const Selection& selection, int rule) {
  const Bitmap counted = fleet.Counted(baseline, fleet.Select(selection));
  // By number first: most hosts share few configurations. One that differs in the rules it fails
  // from host to host has several numbers, which a host may have beside each other.
  struct Sum {
    int64_t containers = 0;
    int32_t hosts = 0;
    Slot example = 0;
    Slot last = 0;
  };
  std::vector<bool> wanted(baseline.configuration_limit());
  absl::flat_hash_map<uint64_t, uint32_t> places;
  std::vector<uint32_t> place_of(wanted.size());
  std::vector<ConfigurationSum> all;
  for (size_t number = 0; number < wanted.size(); ++number) {
    const Configuration& configuration = baseline.configuration(number);
    wanted[number] =
        configuration.uses > 0 && (rule < 0 || std::binary_search(configuration.rules.begin(),
                                                                  configuration.rules.end(), rule));
    if (!wanted[number]) continue;
    const auto [place, is_new] = places.emplace(configuration.fingerprint, places.size());
    if (is_new) all.emplace_back().fingerprint = configuration.fingerprint;
    place_of[number] = place->second;
  }
  std::vector<Sum> sums(all.size());
  std::vector<bool> used(wanted.size());
  counted.ForEach([&](Slot slot) {
    for (const ConfigurationUse& use : baseline.failing(slot)) {
      if (!wanted[use.configuration]) continue;
      used[use.configuration] = true;
      Sum& sum = sums[place_of[use.configuration]];
      if (sum.hosts == 0) sum.example = slot;
      if (sum.hosts == 0 || sum.last != slot) ++sum.hosts;
      sum.last = slot;
      sum.containers += use.containers;
    }
  });
  for (size_t number = 0; number < used.size(); ++number) {
    if (!used[number]) continue;
    std::vector<uint16_t>& rules = all[place_of[number]].rules;
    const std::vector<uint16_t>& more = baseline.configuration(number).rules;
    rules.insert(rules.end(), more.begin(), more.end());
  }
  size_t kept = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (sums[i].hosts == 0) continue;
    ConfigurationSum& sum = all[i];
    sum.containers = sums[i].containers;
    sum.hosts = sums[i].hosts;
    sum.example_host_id = std::string(fleet.hosts().id(sums[i].example));
    std::sort(sum.rules.begin(), sum.rules.end());
    sum.rules.erase(std::unique(sum.rules.begin(), sum.rules.end()), sum.rules.end());
    std::swap(all[kept++], all[i]);
  }
  all.resize(kept);
  std::sort(all.begin(), all.end(), [](const ConfigurationSum& a, const ConfigurationSum& b) {
    return std::make_pair(-a.containers, a.fingerprint) <
           std::make_pair(-b.containers, b.fingerprint);
  });
  return all;
}

}  // namespace plimsoll::fleet
