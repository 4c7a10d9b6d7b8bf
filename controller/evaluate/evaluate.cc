#include "controller/evaluate/evaluate.h"

#include <algorithm>
#include <string>

#include "controller/evaluate/check.h"
#include "controller/evaluate/fact_index.h"
#include "proto/support/times.h"

namespace plimsoll::evaluate {
namespace {

using v1::SourceOutcome;
using v1::Verdict;

bool IsStale(const v1::HostFacts& facts, const Options& options) {
  if (options.maximum_age == absl::InfiniteDuration()) return false;
  return !facts.has_observed_time() ||
         options.as_of - support::FromTimestamp(facts.observed_time()) > options.maximum_age;
}

// Something answers the socket, and it is not a Docker engine (rules.md S1).
bool IsForeignEngine(const v1::HostFacts& facts) {
  const SourceOutcome::State state = facts.engine().outcome().state();
  return state == SourceOutcome::UNSUPPORTED ||
         (state == SourceOutcome::OK && !facts.engine().is_docker_engine());
}

bool Usable(Source source, const SourceOutcome& outcome) {
  return outcome.state() == SourceOutcome::OK ||
         (source == Source::kConfigFile && outcome.state() == SourceOutcome::NOT_PRESENT);
}

// A listing of objects that was cut off still proves what it shows.
bool Partial(Source source, const SourceOutcome& outcome) {
  return outcome.state() == SourceOutcome::TRUNCATED &&
         (source == Source::kContainers || source == Source::kImages);
}

// Runs the check unless a source it cannot do without was not read.
void RunCheck(const Context& context, const CheckEntry& entry, const v1::Check& check,
              Judge& judge) {
  bool cut_off = false;
  Source cut_source = Source::kContainers;
  for (int i = 0; i < kSourceCount; ++i) {
    const auto source = static_cast<Source>(i);
    if (!entry.needs.Has(source)) continue;
    const SourceOutcome& outcome = OutcomeOf(context.facts, source);
    if (Usable(source, outcome)) continue;
    if (!Partial(source, outcome)) {
      judge.UnknownFrom(source, outcome);
      return;
    }
    cut_off = true;
    cut_source = source;
  }
  entry.run(context, check, judge);
  if (cut_off) judge.UnknownFrom(cut_source, OutcomeOf(context.facts, cut_source));
}

void Count(Verdict::Status status, v1::StatusCounts& counts) {
  switch (status) {
    case Verdict::PASS:
      counts.set_pass(counts.pass() + 1);
      return;
    case Verdict::FAIL:
      counts.set_fail(counts.fail() + 1);
      return;
    case Verdict::NOT_APPLICABLE:
      counts.set_not_applicable(counts.not_applicable() + 1);
      return;
    case Verdict::MANUAL:
      counts.set_manual(counts.manual() + 1);
      return;
    default:
      counts.set_unknown(counts.unknown() + 1);
  }
}

void FillHeader(const v1::HostFacts& facts, const v1::Baseline& baseline, const Options& options,
                v1::HostReport& report) {
  v1::BaselineRef& ref = *report.mutable_baseline();
  ref.set_id(baseline.id());
  ref.set_version(baseline.version());
  ref.set_digest(baseline.digest());
  ref.set_title(baseline.title());
  v1::HostRef& host = *report.mutable_host();
  host.set_id(options.host_id.data(), options.host_id.size());
  host.set_hostname(facts.machine().hostname());
  host.set_engine_version(facts.engine().version());
  if (facts.has_observed_time()) *report.mutable_observed_time() = facts.observed_time();
  *report.mutable_as_of_time() = support::ToTimestamp(options.as_of);
  report.set_facts_digest(options.facts_digest.data(), options.facts_digest.size());
  report.set_evaluator_version(kEvaluatorVersion);
}

void SortUnique(google::protobuf::RepeatedPtrField<std::string>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

v1::HostReport Evaluate(const v1::HostFacts& facts, const v1::Baseline& baseline,
                        const Options& options) {
  v1::HostReport report;
  Evaluate(facts, baseline, options, report);
  return report;
}

void Evaluate(const v1::HostFacts& facts, const v1::Baseline& baseline, const Options& options,
              v1::HostReport& report) {
  report.Clear();
  FillHeader(facts, baseline, options, report);
  const FactIndex index(facts);
  const Context context{facts, index, std::max(options.as_of, options.now)};
  const bool stale = IsStale(facts, options);
  const bool foreign = IsForeignEngine(facts);
  v1::StatusCounts& counts = *report.mutable_counts();
  report.mutable_verdicts()->Reserve(baseline.rules_size());
  for (const v1::Rule& rule : baseline.rules()) {
    Verdict& verdict = *report.add_verdicts();
    verdict.set_rule_id(rule.id());
    Judge judge(verdict);
    const v1::Check::KindCase kind = rule.check().kind_case();
    const CheckEntry* entry = FindCheck(kind);
    if (!rule.switched_off().empty()) {
      judge.Decide(Verdict::NOT_APPLICABLE, reason::kSwitchedOff, rule.switched_off());
    } else if (stale) {
      judge.Decide(Verdict::UNKNOWN, reason::kStale, "the facts are older than the maximum age");
    } else if (entry == nullptr) {
      judge.Decide(Verdict::UNKNOWN, reason::kSourceUnsupported,
                   "this program has no such check; update the controller");
    } else if (foreign && kind != v1::Check::kEngineInventory) {
      judge.Decide(Verdict::NOT_APPLICABLE, reason::kEngineUnsupported,
                   "the socket is answered by something other than a Docker engine");
    } else {
      RunCheck(context, *entry, rule.check(), judge);
    }
    judge.Finish();
    if (!options.waivers.empty()) ApplyWaivers(index, baseline.id(), options.waivers, verdict);
    if (!rule.scored() || !rule.alias_of().empty()) continue;
    Count(verdict.status(), counts);
    if (verdict.waived()) counts.set_waived(counts.waived() + 1);
  }
}

v1::CollectionPlan PlanFor(const v1::Baseline& baseline) {
  v1::CollectionPlan plan;
  for (const v1::Rule& rule : baseline.rules()) {
    const CheckEntry* entry = FindCheck(rule.check().kind_case());
    if (entry != nullptr && entry->plan != nullptr) entry->plan(rule.check(), plan);
  }
  SortUnique(*plan.mutable_paths());
  SortUnique(*plan.mutable_units());
  SortUnique(*plan.mutable_label_keys());
  return plan;
}

}  // namespace plimsoll::evaluate
