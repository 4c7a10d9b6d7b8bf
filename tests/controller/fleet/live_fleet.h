// A database with hosts that were really judged, and an index over it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "controller/evaluate/baseline_loader.h"
#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/failing_containers.h"
#include "controller/fleet/index.h"
#include "controller/policy/policy_book.h"
#include "tests/controller/store/postgres/evaluations.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/sample_facts.h"

namespace plimsoll::fleet {

inline std::vector<v1::Baseline> ShippedBaselines() {
  return {*evaluate::ShippedBaseline("azure-docker"), *evaluate::ShippedBaseline("edge-docker")};
}

// One controller's view: a store of its own and an index, both over `url`. The clock stands at
// store::At(100).
struct LiveFleet {
  explicit LiveFleet(const std::string& url = testing::FreshDatabase(),
                     FleetIndex::Options options = {})
      : store(*store::Store::Open({.url = url, .pool_size = 4})),
        index(store->fleet(), store->reports(), baselines, clock, std::move(options)) {
    EXPECT_TRUE(store->reports().PutBaselines(baselines).ok());
  }

  // Judges `facts` as the host's next and stores the outcome; enrols the host the first time.
  void Put(const std::string& id, const std::string& hostname, v1::HostFacts facts,
           const std::map<std::string, std::string>& labels = {}) {
    const uint64_t sequence = ++sequences[id];
    if (sequence == 1) {
      const auto lease = store::AddHost(*store, id, hostname, labels);
      ASSERT_TRUE(lease.ok()) << lease.status();
      epochs[id] = lease->epoch;
    }
    facts.set_collector_version(absl::StrCat("facts ", sequence));
    store::Evaluation evaluation;
    evaluation.host_id = id;
    evaluation.sequence = sequence;
    evaluation.observed = store::At(static_cast<int>(sequence));
    evaluation.recorded = store::At(static_cast<int>(sequence) + 1);
    evaluation.content = *store::Compress(facts);
    evaluation.facts_digest = support::FactsDigest(facts);
    evaluation.container_count = facts.containers().containers_size();
    const std::string digest = absl::BytesToHexString(evaluation.facts_digest);
    for (const v1::Baseline& baseline : baselines) {
      store::Judgement& judgement = evaluation.judgements.emplace_back();
      judgement.report = evaluate::Evaluate(
          facts, baseline, {.as_of = evaluation.observed, .host_id = id, .facts_digest = digest});
      judgement.failing = evaluate::FailingContainersOf(facts, baseline, judgement.report);
      reports[id][baseline.id()] = judgement.report;
    }
    const absl::Status status = store->reports().Put(evaluation);
    ASSERT_TRUE(status.ok()) << status;
  }

  // The index shows everything put so far.
  void Show() {
    std::vector<std::string> ids;
    for (const auto& [id, sequence] : sequences) ids.push_back(id);
    index.Changed(ids);
    ASSERT_TRUE(index.Await(absl::Seconds(30)));
  }

  const std::vector<v1::Baseline> baselines = ShippedBaselines();
  const std::unique_ptr<store::Store> store;
  support::FakeClock clock{store::At(100)};
  policy::PolicyBook book{*store, clock, baselines};
  FleetIndex index;
  std::map<std::string, uint64_t> sequences;
  // Of the sessions that hosts have.
  std::map<std::string, int64_t> epochs;
  // As judged last, by host and baseline.
  std::map<std::string, std::map<std::string, v1::HostReport>> reports;
};

}  // namespace plimsoll::fleet
