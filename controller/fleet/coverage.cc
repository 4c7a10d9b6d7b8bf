#include "controller/fleet/coverage.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "controller/evaluate/evaluate.h"
#include "controller/fleet/finding_pages.h"

namespace plimsoll::fleet {
namespace {

using v1::Verdict;

// Hosts whose facts are read at once.
constexpr size_t kBatch = 64;

Bitmap Selected(const Fleet& fleet, const v1::Waiver& waiver, Selector selector) {
  Bitmap selected = fleet.Select({std::move(selector), ""});
  if (waiver.selector().hosts().empty()) return selected;
  Bitmap named(selected.words());
  for (const std::string& id : waiver.selector().hosts()) {
    Slot slot = 0;
    if (fleet.hosts().Find(id, slot)) named.Set(slot);
  }
  selected.And(named);
  return selected;
}

// Those of `among` on which a rule of the waiver fails.
Bitmap Failing(const Fleet& fleet, const v1::Waiver& waiver, const Bitmap& among) {
  Bitmap failing(among.words());
  for (const v1::RuleRef& ref : waiver.rules()) {
    const BaselineColumns* baseline = fleet.Find(ref.baseline());
    if (baseline == nullptr || among.words() == 0) continue;
    for (int rule = 0; rule < baseline->document().rules_size(); ++rule) {
      if (baseline->document().rules(rule).id() != ref.rule()) continue;
      Bitmap some = among;
      baseline->Filter(static_cast<size_t>(rule), 1u << Verdict::FAIL, some);
      failing.Or(some);
    }
  }
  return failing;
}

// A rule as one host is judged by it, in a document of its own, and as the active document has it.
struct RuleForHost {
  v1::Baseline alone;
  const v1::Rule& active;
};

const v1::Rule& ActiveRule(const policy::Policy& policy, const std::string& baseline_id,
                           const v1::Rule& rule) {
  const v1::Baseline* active = policy.Find(baseline_id);
  if (active == nullptr) return rule;
  const auto found = std::find_if(active->rules().begin(), active->rules().end(),
                                  [&rule](const v1::Rule& each) { return each.id() == rule.id(); });
  return found == active->rules().end() ? rule : *found;
}

// The rules of the waiver; they borrow from `judged_by`.
std::vector<RuleForHost> RulesFor(const v1::Waiver& waiver, const policy::HostPolicy& judged_by) {
  std::vector<RuleForHost> rules;
  for (const policy::Document& document : *judged_by.documents) {
    for (const v1::Rule& rule : document->rules()) {
      const bool meant =
          std::any_of(waiver.rules().begin(), waiver.rules().end(), [&](const v1::RuleRef& ref) {
            return ref.baseline() == document->id() && ref.rule() == rule.id();
          });
      if (!meant) continue;
      rules.push_back(
          {Alone(*document, rule), ActiveRule(*judged_by.policy, document->id(), rule)});
    }
  }
  return rules;
}

// False: `visit` has seen enough.
bool VisitHost(const store::StoredFacts& stored, const CoverageHost& host,
               const policy::Policy& policy, const v1::Waiver& waiver, v1::HostReport& report,
               const std::function<bool(CoveredFinding)>& visit) {
  const policy::HostPolicy judged_by = policy.For(host.id, host.labels);
  const evaluate::FactIndex index(stored.facts);
  for (const auto& [alone, active] : RulesFor(waiver, judged_by)) {
    evaluate::Evaluate(
        stored.facts, alone,
        {.as_of = stored.observed, .waivers = judged_by.waivers, .now = judged_by.now}, report);
    const Verdict& verdict = report.verdicts(0);
    if (verdict.status() != Verdict::FAIL) continue;
    std::vector<v1::Finding> failing;
    for (const v1::Finding& finding : verdict.findings()) {
      if (finding.status() == Verdict::FAIL) failing.push_back(finding);
    }
    if (failing.empty()) failing.push_back(evaluate::FindingOfVerdict(verdict));
    for (v1::Finding& finding : failing) {
      if (!evaluate::MatchesObject(waiver.object_pattern(), finding)) continue;
      const uint64_t fingerprint =
          evaluate::ObjectFingerprint(index, alone.id(), verdict.rule_id(), finding);
      v1::FleetFinding found = FleetFindingOf(host.id, host.hostname, alone.id(), active,
                                              std::move(finding), stored.observed);
      if (!visit({std::move(found), fingerprint})) return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<CoverageHosts> FindCoverageHosts(const FleetIndex& index, const v1::Waiver& waiver,
                                                const SavedSelectors& saved,
                                                const Selector& scope) {
  const v1::HostSelector& from = waiver.selector();
  auto selector = SelectorOf({from.labels().begin(), from.labels().end()}, from.expression());
  if (!selector.ok()) return selector.status();
  Expand(saved, *selector).IgnoreError();
  CoverageHosts found;
  index.Read([&](const Fleet& fleet) {
    Bitmap selected = Selected(fleet, waiver, *selector);
    found.selected_anywhere = static_cast<int32_t>(selected.Count());
    fleet.hosts().labels().Filter(scope, selected);
    found.selected = static_cast<int32_t>(selected.Count());
    const HostTable& hosts = fleet.hosts();
    Failing(fleet, waiver, selected).ForEach([&](Slot slot) {
      found.failing.push_back({std::string(hosts.id(slot)), std::string(hosts.hostname(slot)),
                               hosts.LabelsOf(slot),
                               hosts.connection(slot) == v1::Host::CONNECTED});
    });
  });
  std::sort(found.failing.begin(), found.failing.end(),
            [](const CoverageHost& a, const CoverageHost& b) {
              return std::tie(a.hostname, a.id) < std::tie(b.hostname, b.id);
            });
  return found;
}

absl::Status VisitCoverage(store::ReportStore& reports, const policy::Policy& policy,
                           const v1::Waiver& waiver, const std::vector<CoverageHost>& hosts,
                           size_t begin, size_t end,
                           const std::function<bool(size_t host, CoveredFinding)>& visit) {
  v1::HostReport report;
  end = std::min(end, hosts.size());
  for (size_t first = begin; first < end; first += kBatch) {
    std::vector<std::string> ids;
    for (size_t i = first; i < std::min(end, first + kBatch); ++i) ids.push_back(hosts[i].id);
    auto facts = FactsOf(reports, ids);
    if (!facts.ok()) return facts.status();
    for (size_t i = first; i < first + ids.size(); ++i) {
      const auto stored = facts->find(hosts[i].id);
      if (stored == facts->end()) continue;
      const bool more =
          VisitHost(stored->second, hosts[i], policy, waiver, report,
                    [&](CoveredFinding finding) { return visit(i, std::move(finding)); });
      if (!more) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

}  // namespace plimsoll::fleet
