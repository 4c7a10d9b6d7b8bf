#include "controller/evaluate/evaluate.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/check.h"
#include "tests/controller/evaluate/case_runner.h"

namespace plimsoll::evaluate {
namespace {

using v1::Verdict;

const absl::Time kAsOf =
    absl::FromUnixSeconds(1767312000);  // 60 s after the sample hosts were seen.

v1::Baseline Shipped(const std::string& id) {
  const auto baseline = ShippedBaseline(id);
  EXPECT_TRUE(baseline.ok()) << baseline.status();
  return *baseline;
}

TEST(Evaluate, HeadsTheReport) {
  const v1::Baseline baseline = Shipped("azure-docker");
  const v1::HostReport report =
      Evaluate(BaseFacts(Base::kCompliant), baseline,
               {.as_of = kAsOf + absl::Milliseconds(5), .host_id = "h1", .facts_digest = "abc"});
  EXPECT_EQ(report.baseline().id(), "azure-docker");
  EXPECT_EQ(report.baseline().digest(), baseline.digest());
  EXPECT_EQ(report.host().id(), "h1");
  EXPECT_EQ(report.host().hostname(), "good-1");
  EXPECT_EQ(report.host().engine_version(), "24.0.7");
  EXPECT_EQ(report.observed_time().seconds(), 1767311940);
  EXPECT_EQ(report.as_of_time().seconds(), 1767312000);
  EXPECT_EQ(report.as_of_time().nanos(), 5'000'000);
  EXPECT_EQ(report.facts_digest(), "abc");
  EXPECT_EQ(report.evaluator_version(), kEvaluatorVersion);
}

TEST(Evaluate, VerdictsComeInTheBaselinesOrder) {
  for (const std::string& id : ShippedBaselineIds()) {
    const v1::Baseline baseline = Shipped(id);
    const v1::HostReport report = Evaluate(BaseFacts(Base::kCompliant), baseline, {.as_of = kAsOf});
    ASSERT_EQ(report.verdicts_size(), baseline.rules_size());
    for (int i = 0; i < baseline.rules_size(); ++i) {
      EXPECT_EQ(report.verdicts(i).rule_id(), baseline.rules(i).id());
    }
  }
}

// What the sample hosts are for: nothing else may keep a rule from its answer.
TEST(Evaluate, TheCompliantHostPassesWhatAHostCanPass) {
  const std::set<std::string> manual = {"1.03", "2.01", "7.03"};  // 2.01 and 7.03 of edge-docker.
  for (const std::string& id : ShippedBaselineIds()) {
    const v1::HostReport report =
        Evaluate(BaseFacts(Base::kCompliant), Shipped(id), {.as_of = kAsOf});
    for (const Verdict& verdict : report.verdicts()) {
      if (verdict.status() == Verdict::NOT_APPLICABLE) continue;
      if (verdict.status() == Verdict::MANUAL && manual.contains(verdict.rule_id())) continue;
      EXPECT_EQ(Verdict::Status_Name(verdict.status()), "PASS") << id << verdict.DebugString();
    }
  }
}

TEST(Evaluate, TheNoncompliantHostPassesNothing) {
  for (const std::string& id : ShippedBaselineIds()) {
    const v1::HostReport report =
        Evaluate(BaseFacts(Base::kNoncompliant), Shipped(id), {.as_of = kAsOf});
    for (const Verdict& verdict : report.verdicts()) {
      if (verdict.status() != Verdict::PASS || verdict.rule_id() == "0.0") continue;
      ADD_FAILURE() << id << verdict.DebugString();
    }
  }
}

TEST(Evaluate, NoFactsMeanNoAnswers) {
  for (const std::string& id : ShippedBaselineIds()) {
    const v1::HostReport report = Evaluate(v1::HostFacts(), Shipped(id), {.as_of = kAsOf});
    for (const Verdict& verdict : report.verdicts()) {
      EXPECT_EQ(Verdict::Status_Name(verdict.status()), "UNKNOWN") << verdict.DebugString();
      EXPECT_EQ(verdict.reason(), "not_collected") << verdict.DebugString();
      EXPECT_FALSE(verdict.message().empty());
    }
  }
}

TEST(Evaluate, NoPassIsWithoutEvidence) {
  for (const std::string& id : ShippedBaselineIds()) {
    const v1::HostReport report =
        Evaluate(BaseFacts(Base::kCompliant), Shipped(id), {.as_of = kAsOf});
    for (const Verdict& verdict : report.verdicts()) EXPECT_FALSE(verdict.message().empty());
  }
}

TEST(Evaluate, EqualInputsGiveEqualBytes) {
  const v1::Baseline baseline = Shipped("azure-docker");
  for (const Base base : {Base::kCompliant, Base::kNoncompliant}) {
    const std::string first =
        Evaluate(BaseFacts(base), baseline, {.as_of = kAsOf}).SerializeAsString();
    v1::HostReport again;
    Evaluate(BaseFacts(Base::kNoncompliant), baseline, {.as_of = kAsOf}, again);
    Evaluate(BaseFacts(base), baseline, {.as_of = kAsOf}, again);
    EXPECT_TRUE(again.SerializeAsString() == first);
  }
}

// Collectors sort; a report must not depend on it.
TEST(Evaluate, TheOrderOfObjectsDoesNotMatter) {
  const v1::Baseline baseline = Shipped("azure-docker");
  v1::HostFacts facts = BaseFacts(Base::kNoncompliant);
  const std::string sorted = Evaluate(facts, baseline, {.as_of = kAsOf}).SerializeAsString();
  std::mt19937 random(7);
  for (int i = 0; i < 5; ++i) {
    const auto shuffle = [&](auto* list) {
      std::shuffle(list->pointer_begin(), list->pointer_end(), random);
    };
    shuffle(facts.mutable_containers()->mutable_containers());
    shuffle(facts.mutable_networks()->mutable_networks());
    shuffle(facts.mutable_files()->mutable_files());
    shuffle(facts.mutable_units()->mutable_units());
    const v1::HostReport report = Evaluate(facts, baseline, {.as_of = kAsOf});
    EXPECT_TRUE(report.SerializeAsString() == sorted);
  }
}

TEST(Evaluate, StaleFactsAnswerNothing) {
  const v1::Baseline baseline = Shipped("azure-docker");
  const v1::HostFacts& facts = BaseFacts(Base::kNoncompliant);
  const auto evaluate = [&](const v1::HostFacts& f, absl::Duration age) {
    return Evaluate(f, baseline, {.as_of = kAsOf, .maximum_age = age});
  };
  EXPECT_GT(evaluate(facts, absl::Seconds(60)).counts().fail(), 0);
  v1::HostFacts timeless = facts;
  timeless.clear_observed_time();
  for (const v1::HostReport& report :
       {evaluate(facts, absl::Seconds(59)), evaluate(timeless, absl::Hours(24))}) {
    for (const Verdict& verdict : report.verdicts()) {
      EXPECT_EQ(verdict.status(), Verdict::UNKNOWN);
      EXPECT_EQ(verdict.reason(), "stale");
    }
  }
}

TEST(Evaluate, ADatedExemptionEndsThoughTheFactsStayAsTheyAre) {
  v1::Baseline baseline;
  v1::Rule& rule = *baseline.add_rules();
  rule.set_id("1.1");
  rule.set_scored(true);
  // kAsOf is early on 2026-01-02.
  rule.mutable_check()->mutable_container_not_privileged()->mutable_scope()->add_exempt(
      "* until 2026-01-02");
  const absl::Time end = absl::FromCivil(absl::CivilDay(2026, 1, 3), absl::UTCTimeZone());
  const struct {
    absl::Time as_of, now;
    bool fails;
  } rows[] = {{kAsOf, absl::InfinitePast(), false},
              {kAsOf, end - absl::Nanoseconds(1), false},
              {kAsOf, end, true},
              {end, kAsOf, true}};
  for (const auto& row : rows) {
    const v1::HostReport report =
        Evaluate(BaseFacts(Base::kNoncompliant), baseline, {.as_of = row.as_of, .now = row.now});
    EXPECT_EQ(report.verdicts(0).status() == Verdict::FAIL, row.fails) << row.now;
    EXPECT_EQ(report.as_of_time().seconds(), absl::ToUnixSeconds(row.as_of));
  }
}

TEST(Evaluate, AnotherEngineHasNothingToJudge) {
  const v1::Baseline baseline = Shipped("azure-docker");
  v1::HostFacts podman = BaseFacts(Base::kNoncompliant);
  podman.mutable_engine()->set_is_docker_engine(false);
  v1::HostFacts refused = BaseFacts(Base::kNoncompliant);
  refused.mutable_engine()->mutable_outcome()->set_state(v1::SourceOutcome::UNSUPPORTED);
  for (const v1::HostFacts& facts : {podman, refused}) {
    const v1::HostReport report = Evaluate(facts, baseline, {.as_of = kAsOf});
    for (const Verdict& verdict : report.verdicts()) {
      if (verdict.rule_id() == "0.0") {
        EXPECT_NE(verdict.status(), Verdict::NOT_APPLICABLE);
        continue;
      }
      EXPECT_EQ(verdict.status(), Verdict::NOT_APPLICABLE) << verdict.DebugString();
      EXPECT_EQ(verdict.reason(), "engine_unsupported");
    }
  }
}

TEST(Evaluate, AListingCutOffStillProvesViolations) {
  const v1::Baseline baseline = Shipped("azure-docker");
  for (const Base base : {Base::kCompliant, Base::kNoncompliant}) {
    v1::HostFacts facts = BaseFacts(base);
    facts.mutable_containers()->mutable_outcome()->set_state(v1::SourceOutcome::TRUNCATED);
    const v1::HostReport report = Evaluate(facts, baseline, {.as_of = kAsOf});
    for (const Verdict& verdict : report.verdicts()) {
      if (verdict.rule_id() != "5.04") continue;
      if (base == Base::kNoncompliant) {
        EXPECT_EQ(verdict.status(), Verdict::FAIL);
      } else {
        EXPECT_EQ(verdict.status(), Verdict::UNKNOWN);
        EXPECT_EQ(verdict.reason(), "partial_listing");
      }
    }
  }
}

TEST(Evaluate, CountsWhatIsScoredOnce) {
  for (const std::string& id : ShippedBaselineIds()) {
    const v1::Baseline baseline = Shipped(id);
    const v1::HostReport report =
        Evaluate(BaseFacts(Base::kNoncompliant), baseline, {.as_of = kAsOf});
    v1::StatusCounts counts;
    for (int i = 0; i < baseline.rules_size(); ++i) {
      const v1::Rule& rule = baseline.rules(i);
      if (!rule.scored() || !rule.alias_of().empty()) continue;
      switch (report.verdicts(i).status()) {
        case Verdict::PASS:
          counts.set_pass(counts.pass() + 1);
          break;
        case Verdict::FAIL:
          counts.set_fail(counts.fail() + 1);
          break;
        case Verdict::MANUAL:
          counts.set_manual(counts.manual() + 1);
          break;
        case Verdict::NOT_APPLICABLE:
          counts.set_not_applicable(counts.not_applicable() + 1);
          break;
        default:
          counts.set_unknown(counts.unknown() + 1);
      }
    }
    EXPECT_EQ(report.counts().SerializeAsString(), counts.SerializeAsString());
  }
}

TEST(Evaluate, AnAliasIsJudgedLikeItsRule) {
  const v1::Baseline baseline = Shipped("edge-docker");
  const v1::HostReport report =
      Evaluate(BaseFacts(Base::kNoncompliant), baseline, {.as_of = kAsOf});
  int aliases = 0;
  for (int i = 0; i < baseline.rules_size(); ++i) {
    if (baseline.rules(i).alias_of().empty()) continue;
    ++aliases;
    for (int j = 0; j < baseline.rules_size(); ++j) {
      if (baseline.rules(j).id() != baseline.rules(i).alias_of()) continue;
      Verdict as_alias = report.verdicts(i);
      as_alias.set_rule_id(baseline.rules(j).id());
      EXPECT_EQ(as_alias.SerializeAsString(), report.verdicts(j).SerializeAsString());
    }
  }
  EXPECT_EQ(aliases, 11);
}

TEST(Evaluate, ACheckThisProgramLacksIsUnknown) {
  v1::Baseline baseline;
  baseline.add_rules()->set_id("9.9");
  const v1::HostReport report = Evaluate(BaseFacts(Base::kCompliant), baseline, {.as_of = kAsOf});
  EXPECT_EQ(report.verdicts(0).status(), Verdict::UNKNOWN);
  EXPECT_EQ(report.verdicts(0).reason(), "source_unsupported");
}

TEST(Table, HasEveryCheckOfTheContract) {
  const auto* kinds = v1::Check::descriptor();
  for (int i = 0; i < kinds->field_count(); ++i) {
    const auto kind = static_cast<v1::Check::KindCase>(kinds->field(i)->number());
    const CheckEntry* entry = FindCheck(kind);
    ASSERT_NE(entry, nullptr) << kinds->field(i)->name();
    EXPECT_EQ(entry->kind, kind);
  }
  EXPECT_EQ(FindCheck(v1::Check::KIND_NOT_SET), nullptr);
}

TEST(PlanFor, AsksForWhatTheRulesJudgeOnceAndSorted) {
  for (const std::string& id : ShippedBaselineIds()) {
    const v1::CollectionPlan plan = PlanFor(Shipped(id));
    EXPECT_TRUE(std::is_sorted(plan.paths().begin(), plan.paths().end()));
    EXPECT_EQ(std::adjacent_find(plan.paths().begin(), plan.paths().end()), plan.paths().end());
    for (const char* path : {"/etc/docker", "/etc/default/docker", "/usr/bin/runc"}) {
      EXPECT_EQ(std::count(plan.paths().begin(), plan.paths().end(), path), 1) << path;
    }
    EXPECT_EQ(std::vector<std::string>(plan.units().begin(), plan.units().end()),
              (std::vector<std::string>{"docker.service", "docker.socket",
                                        "snap.docker.dockerd.service"}));
    EXPECT_LE(plan.paths_size(), 256);
    EXPECT_TRUE(plan.digest().empty());
  }
}

}  // namespace
}  // namespace plimsoll::evaluate
