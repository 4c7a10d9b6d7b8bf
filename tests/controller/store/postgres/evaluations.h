// Evaluations as the tests of the store need them.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/store/store.h"
#include "proto/support/digest.h"

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
  }
  baseline.set_digest(support::Sha256Hex(baseline.SerializeAsString()));
  return baseline;
}

// An evaluation that owns what it points to. Not copyable.
struct TestEvaluation {
  TestEvaluation(const std::string& host, uint64_t sequence,
                 std::vector<v1::Baseline> with = {MakeBaseline()})
      : baselines(std::move(with)) {
    facts.set_collector_version(absl::StrCat("facts ", sequence));
    value.host_id = host;
    value.sequence = sequence;
    value.observed = At(static_cast<int>(sequence) * 10);
    value.recorded = At(static_cast<int>(sequence) * 10 + 1);
    value.baselines = &baselines;
    for (const v1::Baseline& baseline : baselines) {
      v1::HostReport& report = value.reports.emplace_back();
      report.mutable_baseline()->set_id(baseline.id());
      report.mutable_baseline()->set_digest(baseline.digest());
    }
  }
  TestEvaluation(const TestEvaluation&) = delete;

  v1::Verdict& Verdict(const std::string& rule, v1::Verdict::Status status,
                       const std::vector<std::string>& objects = {}, int report = 0) {
    v1::Verdict& verdict = *value.reports[report].add_verdicts();
    verdict.set_rule_id(rule);
    verdict.set_status(status);
    for (const std::string& object : objects) {
      v1::Finding& finding = *verdict.add_findings();
      finding.set_object(object);
      finding.set_status(status);
      finding.set_observed("seen " + object);
    }
    v1::StatusCounts& counts = *value.reports[report].mutable_counts();
    if (status == v1::Verdict::PASS) counts.set_pass(counts.pass() + 1);
    if (status == v1::Verdict::FAIL) counts.set_fail(counts.fail() + 1);
    if (status == v1::Verdict::UNKNOWN) counts.set_unknown(counts.unknown() + 1);
    return verdict;
  }

  // Sets what depends on the facts.
  const Evaluation& Done() {
    value.facts = &facts;
    value.facts_digest = support::FactsDigest(facts);
    return value;
  }

  v1::HostFacts facts;
  std::vector<v1::Baseline> baselines;
  Evaluation value;
};

// A host that is enrolled and connected.
inline absl::Status AddHost(Store& store, const std::string& id, const std::string& hostname,
                            const std::map<std::string, std::string>& labels = {}) {
  v1::EnrollmentToken token;
  token.set_id("token for " + id);
  token.set_max_uses(1);
  absl::Status status = store.enrollment().CreateToken(token, "secret for " + id);
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
