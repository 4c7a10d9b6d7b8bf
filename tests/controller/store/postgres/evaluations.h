// Evaluations as the tests of the store need them.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/store/facts_codec.h"
#include "controller/store/store.h"
#include "proto/support/digest.h"
#include "proto/support/facts_delta.h"

namespace plimsoll::store {

inline absl::Time At(int seconds) { return absl::FromUnixSeconds(1700000000 + seconds); }

// A baseline of four rules: r1 LOW, r2 HIGH, r3 CRITICAL, r4 MEDIUM.
inline v1::Baseline MakeBaseline(const std::string& id = "base") {
  v1::Baseline baseline;
  baseline.set_id(id);
  baseline.set_version("1.0.0");
  const v1::Severity severities[] = {v1::LOW, v1::HIGH, v1::CRITICAL, v1::MEDIUM};
  for (int i = 0; i < 4; ++i) {
    v1::Rule& rule = *baseline.add_rules();
    rule.set_id(absl::StrCat("r", i + 1));
    rule.set_title(absl::StrCat("Rule ", i + 1));
    rule.set_severity(severities[i]);
    rule.set_scored(true);
  }
  baseline.set_digest(support::Sha256Hex(baseline.SerializeAsString()));
  return baseline;
}

// A judgement under `baseline` in which every rule is PASS.
inline Judgement MakeJudgement(const v1::Baseline& baseline) {
  Judgement judgement;
  judgement.report.mutable_baseline()->set_id(baseline.id());
  judgement.report.mutable_baseline()->set_digest(baseline.digest());
  judgement.report.set_evaluator_version("1");
  for (const v1::Rule& rule : baseline.rules()) {
    v1::Verdict& verdict = *judgement.report.add_verdicts();
    verdict.set_rule_id(rule.id());
    verdict.set_status(v1::Verdict::PASS);
  }
  judgement.report.mutable_counts()->set_pass(baseline.rules_size());
  return judgement;
}

// Sets the verdict of one rule, with a finding for each object, and the counts.
inline v1::Verdict& SetVerdict(Judgement& judgement, const std::string& rule,
                               v1::Verdict::Status status,
                               const std::vector<std::string>& objects = {}) {
  v1::Verdict* set = nullptr;
  v1::StatusCounts counts;
  for (v1::Verdict& verdict : *judgement.report.mutable_verdicts()) {
    if (verdict.rule_id() == rule) {
      set = &verdict;
      verdict.set_status(status);
      for (const std::string& object : objects) {
        v1::Finding& finding = *verdict.add_findings();
        finding.set_object(object);
        finding.set_status(status);
        finding.set_observed("seen " + object);
      }
    }
    if (verdict.status() == v1::Verdict::PASS) counts.set_pass(counts.pass() + 1);
    if (verdict.status() == v1::Verdict::FAIL) counts.set_fail(counts.fail() + 1);
    if (verdict.status() == v1::Verdict::UNKNOWN) counts.set_unknown(counts.unknown() + 1);
    if (verdict.status() == v1::Verdict::MANUAL) counts.set_manual(counts.manual() + 1);
  }
  *judgement.report.mutable_counts() = counts;
  return *set;
}

// An evaluation of facts of its own: a full snapshot observed 10 s times its sequence after At(0)
// and recorded a second later, every rule PASS until Verdict says otherwise.
struct TestEvaluation {
  TestEvaluation(const std::string& host, uint64_t sequence,
                 const std::vector<v1::Baseline>& baselines = {MakeBaseline()}) {
    facts.set_collector_version(absl::StrCat("facts ", sequence));
    value.host_id = host;
    value.sequence = sequence;
    value.observed = At(static_cast<int>(sequence) * 10);
    value.recorded = At(static_cast<int>(sequence) * 10 + 1);
    for (const v1::Baseline& baseline : baselines) {
      value.judgements.push_back(MakeJudgement(baseline));
    }
  }
  TestEvaluation(const TestEvaluation&) = delete;

  v1::Verdict& Verdict(const std::string& rule, v1::Verdict::Status status,
                       const std::vector<std::string>& objects = {}, int report = 0) {
    return SetVerdict(value.judgements[report], rule, status, objects);
  }

  // Makes it a delta on `base` that brings one container.
  const Evaluation& Delta(const v1::HostFacts& base, const std::string& container_id) {
    v1::FactsDelta delta;
    delta.set_base_digest(support::FactsDigest(base));
    delta.mutable_changed()->set_collector_version(base.collector_version());
    delta.mutable_changed()->mutable_containers()->add_containers()->set_id(container_id);
    facts = base;
    EXPECT_TRUE(support::ApplyDelta(delta, facts).ok());
    value.is_full = false;
    value.content = *Compress(delta);
    value.facts_digest = support::FactsDigest(facts);
    return value;
  }

  // Sets what depends on the facts.
  const Evaluation& Done() {
    value.content = *Compress(facts);
    value.facts_digest = support::FactsDigest(facts);
    return value;
  }

  v1::HostFacts facts;
  Evaluation value;
};

// A host that is enrolled and has a session; the baselines "base" and "other" are put.
inline absl::StatusOr<SessionLease> AddHost(Store& store, const std::string& id,
                                            const std::string& hostname,
                                            const std::map<std::string, std::string>& labels = {}) {
  absl::Status status = store.reports().PutBaselines({MakeBaseline(), MakeBaseline("other")});
  v1::EnrollmentToken token;
  token.set_id("token for " + id);
  token.set_max_uses(1);
  if (status.ok()) status = store.enrollment().CreateToken(token, "secret for " + id);
  if (status.ok()) {
    status = store.enrollment().Enroll("secret for " + id, hostname,
                                       {"serial of " + id, id, At(0), At(1000)}, At(0));
  }
  if (!status.ok()) return status;
  SessionStart start;
  start.host_id = id;
  start.hostname = hostname;
  start.labels = labels;
  start.time = At(1);
  return store.hosts().BeginSession(start);
}

}  // namespace plimsoll::store
